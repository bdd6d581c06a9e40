"""Regenerate backends/formats/hdf5/names.txt: `python tests/make_hdf5_names.py` (add `--merge` to keep older names).

The names are those that the fitted estimators of the installed scikit-learn need, all its estimator classes, splitters,
kernels, scorers, metrics and score functions, the ufuncs of numpy and scipy.special, numpy's random generators and the
sparse containers of scipy. Nothing that reads files, imports, evaluates or starts anything is among them.
"""

from __future__ import annotations

import importlib
import inspect
import pathlib
import sys
import tempfile
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from backends.core.errors import ArtifactError  # noqa: E402
from backends.formats.hdf5.allowed import name_of  # noqa: E402
from backends.formats.hdf5.encode import Encoder  # noqa: E402
from backends.formats.hdf5.write import create  # noqa: E402
from tests.estimators import fit_all_estimators  # noqa: E402

TARGET = ROOT / "backends" / "data" / "hdf5_names.txt"
HOMES = ("sklearn", "numpy", "scipy", "copyreg", "collections", "functools", "builtins")
FORBIDDEN = {"builtins:getattr", "builtins:eval", "builtins:exec", "functools:partial", "functools:reduce"}


def _values() -> Iterator[Any]:
    """Objects that users put into parameters, and fitted things that the sweep over all estimators does not meet."""
    import scipy.sparse
    from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
    from sklearn.utils import Bunch

    texts = ["good film", "bad film", "good food"]
    yield from (kind().fit(texts) for kind in (CountVectorizer, TfidfVectorizer, HashingVectorizer))
    for kind in (np.random.MT19937, np.random.PCG64, np.random.PCG64DXSM, np.random.Philox, np.random.SFC64):
        yield np.random.Generator(kind(0))
        yield np.random.RandomState(kind(0))
    yield np.random.SeedSequence(1)
    for shape in ("csr", "csc", "coo", "bsr", "dia", "lil", "dok"):
        yield getattr(scipy.sparse, f"{shape}_matrix")(np.eye(3))
        yield getattr(scipy.sparse, f"{shape}_array")(np.eye(3))
    yield Bunch(a=1)
    yield np.matrix([[1.0, 2.0]])


def _listed() -> Iterator[tuple[str, Any]]:
    """Classes and functions that are allowed whether or not a fitted estimator was seen to need them."""
    import scipy.special
    import sklearn.feature_selection
    import sklearn.gaussian_process.kernels
    import sklearn.metrics
    import sklearn.metrics.pairwise
    import sklearn.model_selection
    from sklearn.utils import all_estimators

    yield from (("new", kind) for _, kind in all_estimators())
    for module in (sklearn.gaussian_process.kernels, sklearn.model_selection):
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if kind.__module__.startswith("sklearn.") and not inspect.isabstract(kind):
                yield "new", kind
    for path in ("_loss.loss", "_loss.link", "_loss._loss", "linear_model._sgd_fast", "metrics._dist_metrics",
                 "neighbors._kd_tree", "neighbors._ball_tree"):  # fmt: skip
        module = importlib.import_module(f"sklearn.{path}")
        role = "new" if path in ("_loss.loss", "_loss.link") else "call"
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if kind.__module__ == module.__name__:
                yield role, kind
        if hasattr(module, "newObj"):
            yield "call", module.newObj
    for module in (sklearn.metrics, sklearn.metrics.pairwise, sklearn.feature_selection):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if name in getattr(module, "__all__", ()) and function.__module__.startswith("sklearn."):
                yield "name", function
    for module in (np, scipy.special):
        for _, function in inspect.getmembers(module, lambda value: isinstance(value, np.ufunc)):
            yield "name", function
    for name in ("mean", "median", "max", "min", "sum", "std", "var", "sort", "ravel", "nan_to_num", "clip"):
        yield "name", getattr(np, name)
    for kind in (*np.sctypeDict.values(), np.ndarray, bool, int, float, complex, str, object):
        if kind is not np.void:
            yield "name", kind


def collect() -> set[str]:
    """Every `role module:name` that saving these models asks for, plus the listed ones."""
    found: set[str] = set()

    def note(role: str, name: str) -> bool:
        found.add(f"{role} {name}")
        return True

    models = [*(model for _, model, _ in fit_all_estimators()), *_values()]
    for model in models:
        try:
            with tempfile.TemporaryFile("w+b") as out, create(out.fileno()) as file:
                Encoder(may_use=note).write(file, "model", model)
        except ArtifactError as error:
            print(f"{type(model).__name__}: {error}")
    for role, value in _listed():
        try:
            note(role, name_of(value))
        except ArtifactError:
            continue
    return found


def main() -> int:
    """Write the list, or say what does not belong on it."""
    warnings.simplefilter("ignore")
    found = collect()
    if "--merge" in sys.argv:
        found.update(line for line in TARGET.read_text().splitlines() if line and line[0] != "#")
    names = {line.split(" ")[1] for line in found}
    strangers = {name for name in names if name.split(":")[0].split(".")[0] not in HOMES or "." in name.split(":")[1]}
    if strangers or names & FORBIDDEN:
        print("these do not belong on the list:", *sorted(strangers | names & FORBIDDEN), sep="\n  ")
    kept = sorted(line for line in found if line.split(" ")[1] not in strangers | FORBIDDEN)
    head = "# role module:name, generated by tests/make_hdf5_names.py\n"
    TARGET.write_text(head + "\n".join(kept) + "\n", encoding="ascii")
    print(f"{len(kept)} lines")
    return 0


if __name__ == "__main__":
    sys.exit(main())
