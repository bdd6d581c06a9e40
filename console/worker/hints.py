"""From a failure to its next step, where the cause is known. Pure: no files, no processes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from console.records import Failure

DISTRIBUTIONS: Mapping[str, str] = {
    "sklearn": "scikit-learn",
    "cv2": "opencv-python",
    "PIL": "pillow",
    "yaml": "PyYAML",
    "bs4": "beautifulsoup4",
    "skimage": "scikit-image",
    "imblearn": "imbalanced-learn",
    "category_encoders": "category-encoders",
    "sklearn_pandas": "sklearn-pandas",
    "skopt": "scikit-optimize",
    "hdf5plugin": "hdf5plugin",
    "tf_keras": "tf-keras",
    "dateutil": "python-dateutil",
    "Crypto": "pycryptodome",
    "google.protobuf": "protobuf",
    "faiss": "faiss-cpu",
    "torchvision": "torchvision",
    "sentence_transformers": "sentence-transformers",
}
"""Import name to the distribution that has it, where they differ or a name is easily confused."""

MOVED: Mapping[str, str] = {
    "sklearn.externals": "scikit-learn dropped sklearn.externals in 0.23",
    "sklearn.externals.joblib": "scikit-learn dropped sklearn.externals.joblib in 0.23",
    "sklearn.linear_model.logistic": "scikit-learn renamed this module in 0.22 and dropped the old name in 0.24",
    "sklearn.linear_model.stochastic_gradient": "scikit-learn renamed this module in 0.22, gone in 0.24",
    "sklearn.ensemble.forest": "scikit-learn renamed this module in 0.22 and dropped the old name in 0.24",
    "sklearn.ensemble.gradient_boosting": "scikit-learn renamed this module in 0.22 and dropped the old name in 0.24",
    "sklearn.tree.tree": "scikit-learn renamed this module in 0.22 and dropped the old name in 0.24",
    "sklearn.svm.classes": "scikit-learn renamed this module in 0.22 and dropped the old name in 0.24",
    "sklearn.preprocessing.data": "scikit-learn renamed this module in 0.22 and dropped the old name in 0.24",
    "sklearn.preprocessing.label": "scikit-learn renamed this module in 0.22 and dropped the old name in 0.24",
    "sklearn.preprocessing.imputation": "scikit-learn replaced Imputer by SimpleImputer in 0.20",
    "sklearn.cross_validation": "scikit-learn dropped sklearn.cross_validation in 0.20",
    "sklearn.grid_search": "scikit-learn dropped sklearn.grid_search in 0.20",
    "sklearn.ensemble._gb_losses": "scikit-learn dropped its private module _gb_losses in 1.4",
    "sklearn._loss.loss": "scikit-learn changed its private losses in 1.x",
    "pandas.core.indexes.numeric": "pandas dropped this module in 2.0",
    "numpy._core": "numpy 2 saved this file and numpy 1 is reading it",
}
"""Modules that libraries removed, and when."""

SKLEARN_INNER = frozenset({"_loss"})
"""Compiled modules of scikit-learn that named themselves without their package in some releases."""

_VERSION = r"(\d+(?:\.\d+)+\S*?)"
_TRAINED = re.compile(rf"trained with scikit-learn {_VERSION}, running {_VERSION}(?:$|[\s;,])")
_NO_MODULE = re.compile(r"No module named '([\w.]+)'")
_NO_ATTRIBUTE = re.compile(r"Can't get attribute '([\w.]+)' (?:on|from) <module '([\w.]+)'")
_FEATURES = re.compile(r"X has (\d+) features?, but \w+ is expecting (\d+) features?")


_LOAD_KEY = re.compile(r"invalid load key, '(.{1,4})'")
_STARTS = {
    "v": "but perhaps a git-lfs pointer (`git lfs pull` brings the file)",
    "<": "but perhaps an HTML page that was saved in place of the file",
    "{": "but perhaps JSON",
}
"""What a file is that starts with such a character, by Python's words for it."""


def hint_for(failure: Failure, versions: Mapping[str, str] | None = None) -> str | None:
    """One sentence that says what to try, or None where nothing is known.

    `versions` are the library versions the artifact was saved with (`Inspection.library_versions`), for a hint about
    a difference to the running ones; without them the warnings of the load must tell.
    """
    for rule in _RULES:
        found = rule(failure, versions or {})
        if found:
            return found
    return None


def install_line(module: str, version: str = "") -> str:
    """The command that installs what provides a module."""
    top = module.partition(".")[0]
    distribution = DISTRIBUTIONS.get(module) or DISTRIBUTIONS.get(top, top)
    return f"pip install {distribution}" + (f"=={version}" if version else "")


def _missing(failure: Failure, versions: Mapping[str, str]) -> str | None:
    match = _NO_MODULE.search(failure.message) if failure.code == "raised" else None
    if match is None:
        return None
    module = match[1]
    moved = MOVED.get(module) or next((why for name, why in MOVED.items() if module.startswith(name + ".")), None)
    if moved:
        return f"{moved}: load it under the version that saved it{_pinned(failure, versions)}"
    if module.startswith("sklearn.") or module in SKLEARN_INNER:
        return f"this scikit-learn has no {module}: another version saved the model{_pinned(failure, versions)}"
    top = module.partition(".")[0]
    return f"'{top}' is not installed for the worker's interpreter: {install_line(module, versions.get(top, ''))}"


def _attribute(failure: Failure, versions: Mapping[str, str]) -> str | None:
    match = _NO_ATTRIBUTE.search(failure.message)
    if match is None:
        return None
    name, module = match.groups()
    if module == "__main__":
        return (
            f"{name} was defined in the script that saved the model; save it again with {name} in a module of its own"
        )
    if module.startswith("sklearn"):
        return f"{module}.{name} is not in the running scikit-learn{_pinned(failure, versions)}"
    return f"{module} no longer has {name}: install the version the model was saved with"


def _version(failure: Failure, versions: Mapping[str, str]) -> str | None:
    trained = _trained(failure, versions)
    if trained is None or failure.code not in ("raised", "died") or _is_about_data(failure):
        return None
    was, now = trained
    running = f", running {now}" if now else ""
    return f"trained with scikit-learn {was}{running}: {install_line('sklearn', was)}"


def _trained(failure: Failure, versions: Mapping[str, str]) -> tuple[str, str] | None:
    for text in (*failure.warnings, failure.message):
        match = _TRAINED.search(text)
        if match:
            return match[1], match[2]
    was = versions.get("sklearn") or versions.get("scikit-learn")
    now = versions.get("running scikit-learn", "")
    return (was, now) if was and now and was != now else None


def _pinned(failure: Failure, versions: Mapping[str, str]) -> str:
    was = versions.get("sklearn") or versions.get("scikit-learn")
    return f" (pip install scikit-learn=={was})" if was else ""


def _is_about_data(failure: Failure) -> bool:
    return bool(_FEATURES.search(failure.message)) or "feature names" in failure.message


def _data(failure: Failure, versions: Mapping[str, str]) -> str | None:
    match = _FEATURES.search(failure.message)
    if match:
        return f"the rows have {match[1]} columns and the model takes {match[2]}: check the target and index columns"
    if "feature names" in failure.message:
        return "the data's column names are not those the model was trained on"
    if "contains NaN" in failure.message:
        return "the rows have missing values and the model takes none: impute them in a pipeline, or drop those rows"
    if "could not convert string to float" in failure.message:
        return "a column holds text where the model takes numbers"
    return None


def _fitted(failure: Failure, versions: Mapping[str, str]) -> str | None:
    if failure.type and failure.type.endswith("NotFittedError"):
        return "the model was saved before it was fitted; retrain it (update) or save it after fit"
    return None


def _no_pickle(failure: Failure, versions: Mapping[str, str]) -> str | None:
    """Of a file that the model or a training command read by itself."""
    found = _LOAD_KEY.search(failure.message)
    if found:
        return f"what was read is no pickle, {_STARTS.get(found[1], 'but text or another format')}: `inspect` names it"
    if "pickle data was truncated" in failure.message or failure.message == "Ran out of input":
        return "a file that was read is empty or cut off: copy it again, and compare the sizes"
    return None


def _space(failure: Failure, versions: Mapping[str, str]) -> str | None:
    return _BY_CODE["file-limit"] if failure.code == "raised" and "[Errno 28]" in failure.message else None


def _end(failure: Failure, versions: Mapping[str, str]) -> str | None:
    return _BY_CODE.get(failure.code) or (_signals(failure) if failure.code == "died" else None)


def _signals(failure: Failure) -> str | None:
    exit_words = failure.exit or ""
    if any(name in exit_words for name in ("SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGFPE")):
        return (
            "native code crashed, often a library of another version than the model was made with; stderr has its stack"
        )
    if "SIGKILL" in exit_words:
        return "somebody or the system's memory killer ended it: see the system log (journalctl -k)"
    if "exit code" in exit_words:
        return "the model's own code ended the process (exit): look for os._exit in its classes"
    return None


_BY_CODE: Mapping[str, str] = {
    "out-of-memory": "give workers more memory (memory_mb in config.toml), use smaller batches, or load with mmap",
    "hang": "the stack it hung in is in stderr; a slow model needs a longer deadline (deadline_s in config.toml)",
    "file-limit": "a worker has a small scratch directory and no other place: look for what its model writes there",
    "cpu-limit": "one request used more processor time than it may: use smaller batches",
    "protocol": "a model that breaks the worker's protocol should not be trusted: inspect it again before you load it",
    "bad-answer": "a model has to answer each row it is given, in their order: mend its method and save it again",
    "too-large": "ask for fewer rows at once, or let the outputs be written to a file",
}

_RULES: tuple[Callable[[Failure, Mapping[str, str]], str | None], ...] = (
    _missing,
    _attribute,
    _data,
    _fitted,
    _no_pickle,
    _space,
    _version,
    _end,
)
