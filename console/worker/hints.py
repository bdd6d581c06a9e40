"""From a failure to its next step, where the cause is known. Pure: no files, no processes."""

from __future__ import annotations

import re
import resource
import shlex
from collections.abc import Callable, Mapping

from console.library_versions import Versions
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

_OPENING = ("open_data", "read")
"""Phases in which a data file is opened: by a model's worker, and by a trainer."""

_NO_MODULE = re.compile(r"No module named '([\w.]+)'")
_NO_ATTRIBUTE = re.compile(r"Can't get attribute '([\w.]+)' (?:on|from) <module '([\w.]+)'")
_TEXTS = re.compile(r"; (texts among the numbers of .+)$")
_PLAIN = re.compile(r"[0-9][\w.+!-]*\Z")
_FEATURES = re.compile(r"X has (\d+) features?, but \w+ is expecting (\d+) features?")


_LOAD_KEY = re.compile(r"invalid load key, '(.{1,4})'")
_STARTS = {
    "v": "but perhaps a git-lfs pointer (`git lfs pull` brings the file)",
    "<": "but perhaps an HTML page that was saved in place of the file",
    "{": "but perhaps JSON",
}
"""First characters of a file that is no pickle to what it may be."""


def hint_for(failure: Failure, versions: Versions | None = None) -> str | None:
    """One sentence that says what to try, or None where nothing is known.

    Where library versions differ from those the model was written with, a second sentence says so, whatever failed:
    `versions` has both sides, as far as they are known, and warnings of the load tell them too.
    """
    versions = (versions or Versions()).learned({}, failure.warnings)
    cause = next((found for rule in _RULES if (found := rule(failure, versions))), None)
    if failure.code in _NOT_THE_MODEL:
        return cause
    different = versions.hint
    if not different:
        return cause
    return different if cause is None or failure.code == "bad-answer" else f"{cause}; {different}"


def install_line(module: str, version: str = "", versions: Versions | None = None) -> str:
    """The command that installs what provides a module for the interpreter of `versions`, and leaves the libraries
    that run there as they are."""
    top = module.partition(".")[0]
    distribution = DISTRIBUTIONS.get(module) or DISTRIBUTIONS.get(top, top)
    known = versions or Versions()
    kept = [
        f"{name}=={now}" for name, now in sorted(known.installed.items()) if name != distribution and _PLAIN.match(now)
    ]
    wanted = f"{distribution}=={version}" if _PLAIN.match(version) else distribution
    if version.isdigit():  # all that a file tells of numpy
        wanted = f"'{wanted}.*'"
    return " ".join((f"{shlex.quote(known.python or 'python3')} -m pip install {wanted}", *kept))


def _missing(failure: Failure, versions: Versions) -> str | None:
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
    line = install_line(module, versions.written.get(top, ""), versions)
    return f"'{top}' is not installed for the worker's interpreter: {line}"


def _attribute(failure: Failure, versions: Versions) -> str | None:
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
    return f"{module} no longer has {name}: run it with the version it was saved with ([environment] python = …)"


def _pinned(failure: Failure, versions: Versions) -> str:
    """How to get at the version of scikit-learn that saved the model, in an environment of its own."""
    was = versions.written.get("sklearn") or versions.written.get("scikit-learn") or ""
    if not _PLAIN.match(was):
        return ""
    return (
        f" (python3 -m venv ENV && ENV/bin/python -m pip install scikit-learn=={was}; then python = "
        '"…/ENV/bin/python" under [environment] in the recipe)'
    )


def _columns(failure: Failure, versions: Versions) -> str | None:
    """The setting in the recipe, or beside the command, where columns of a data file are not as the model wants."""
    problems = {one.problem for one in failure.differences}
    if failure.code != "columns" or failure.phase not in _OPENING:
        return None
    if "missing target" in problems:
        return 'name the column of the truth: target = "…" under [data] in the recipe, or --target'
    if problems in ({"surplus"}, {"type"}):
        return None
    if "count" in problems:
        return "if one of them is the target, or no input, say so: target or ignore under [data] in the recipe"
    return "give a file that has the columns the model was trained on, under the same names and of the same kind"


def _data(failure: Failure, versions: Versions) -> str | None:
    match = _FEATURES.search(failure.message)
    if match:
        return f"the rows have {match[1]} columns and the model takes {match[2]}: check the target and index columns"
    if "feature names" in failure.message:
        return "the data's column names are not those the model was trained on"
    if "contains NaN" in failure.message:
        return "the rows have missing values and the model takes none: impute them in a pipeline, or drop those rows"
    texts = _TEXTS.search(failure.input or "")
    if texts and failure.code in ("raised", "bad-answer"):
        return f"the rows hold {texts[1]}: write numbers there, or leave the cells empty"
    if "could not convert string to float" in failure.message:
        return "a column holds text where the model takes numbers"
    return None


def _fitted(failure: Failure, versions: Versions) -> str | None:
    if failure.type and failure.type.endswith("NotFittedError"):
        return "the model was saved before it was fitted; retrain it (update) or save it after fit"
    return None


def _no_pickle(failure: Failure, versions: Versions) -> str | None:
    """Of a file that the model or a training command read by itself."""
    found = _LOAD_KEY.search(failure.message)
    if found:
        return f"what was read is no pickle, {_STARTS.get(found[1], 'but text or another format')}: `inspect` names it"
    if "pickle data was truncated" in failure.message or failure.message == "Ran out of input":
        return "a file that was read is empty or cut off: copy it again, and compare the sizes"
    return None


def _space(failure: Failure, versions: Versions) -> str | None:
    return _BY_CODE["file-limit"] if failure.code == "raised" and "[Errno 28]" in failure.message else None


def _given_memory(failure: Failure, versions: Versions) -> str | None:
    """Of memory that was short by a limit that the console was started with and its workers have too."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    short = failure.code == "out-of-memory" or "failed to map segment from shared object" in failure.message
    if not short or limit == resource.RLIM_INFINITY:
        return None
    return f"each process may take {limit >> 20} MiB of memory here, workers too: raise that (ulimit -v unlimited)"


def _end(failure: Failure, versions: Versions) -> str | None:
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
    "bad-answer": "a model has to answer each row it is given, in their order, as the method's name promises: mend the "
    "method and save the model again",
    "too-large": "ask for fewer rows at once, or let the outputs be written to a file",
}

_NOT_THE_MODEL = frozenset(
    {"columns", "bad-input", "no-rows", "busy", "ended", "unloaded", "cancelled", "start", "not-sent", "missing"}
    | {"identity", "wrong-identity", "recipient", "no-package", "over-cap", "file-shrank"}
)
"""Codes that blame rows, keys, the console or an operator: no version of a library would have helped."""

_RULES: tuple[Callable[[Failure, Versions], str | None], ...] = (
    _missing,
    _attribute,
    _columns,
    _data,
    _fitted,
    _no_pickle,
    _space,
    _given_memory,
    _end,
)
