"""A live model's word of itself: attributes, versions, whether its answers depend on the rows of a call."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from console.worker.child.runnables import RunnableModel
from console.worker.wire import METHODS

_ACROSS_ROWS = frozenset(
    {"DummyClassifier", "FunctionTransformer", "NMF", "MiniBatchNMF", "SparsePCA", "MiniBatchSparsePCA"}
)
"""Estimators of scikit-learn whose answer for a row depends on the call: drawn at random, by a function of somebody's,
iterated until all rows of the call have converged, or of another shape for a single row."""
_LIBRARIES = ("numpy", "scipy", "sklearn", "joblib", "pandas", "h5py", "xgboost", "lightgbm", "catboost", "torch")


def attribute(model: Any, name: str) -> Any:
    """An attribute that may be a property that raises; None when there is none."""
    try:
        return getattr(model, name, None)
    except Exception:
        return None


def row_wise(model: Any) -> frozenset[str]:
    """The methods whose answer for a row does not depend on the other rows of the call.

    A Runnable says so itself; of fitted objects it is known of scikit-learn's own estimators only, composed of nothing
    else. The last bits of a number may still differ with the number of rows, since a BLAS sums in another order then.
    """
    if isinstance(model, RunnableModel):
        return model.runnable.row_wise
    if not _all_row_wise(model):
        return frozenset()
    return frozenset(name for name in METHODS if name != "score" and callable(attribute(model, name)))


def _all_row_wise(part: Any, depth: int = 0) -> bool:
    """Whether an estimator and all it was made of answer row by row, and no function of somebody else's is in it."""
    kind = type(part)
    if depth > 8 or not kind.__module__.startswith("sklearn.") or kind.__name__ in _ACROSS_ROWS:
        return False
    try:
        parameters = part.get_params(deep=False).values()
    except Exception:
        return False
    return all(_harmless(value, depth + 1) for value in parameters)


def _harmless(value: Any, depth: int) -> bool:
    if isinstance(value, (list, tuple)) and depth <= 8:
        return all(_harmless(one, depth + 1) for one in value)
    if hasattr(value, "get_params") and not isinstance(value, type):
        return _all_row_wise(value, depth)
    return not callable(value) or _names_a_kind(value)


def _names_a_kind(value: Any) -> bool:
    """Whether what could be called only names a kind of numbers, or chose columns while the model was fitted."""
    if isinstance(value, type):
        return value.__module__ in ("numpy", "builtins")
    return type(value).__name__ == "make_column_selector" and type(value).__module__.startswith("sklearn.compose")


def library_versions() -> dict[str, str]:
    """Versions of the libraries this process has imported."""
    modules = ((name, sys.modules.get(name)) for name in _LIBRARIES)
    return {name: str(getattr(module, "__version__", "")) for name, module in modules if module is not None}


def written_versions(model: Any) -> dict[str, str]:
    """Versions of libraries that the loaded model itself says it was written with."""
    told = attribute(model, "get_metadata") if type(model).__module__.startswith("catboost.") else None
    try:
        found = re.search(r"tags/v(\d+(?:\.\d+)+)", str(told()["catboost_version_info"])) if callable(told) else None
    except Exception:
        found = None
    return {"catboost": found[1]} if found else {}


Change = tuple[str, Any, int]
"""A part's place, the part, and the n_jobs it had."""


def quieten(model: Any) -> list[Change]:
    """Keep the model to one thread and one process, as the limits want it; returns what was changed."""
    changes: list[Change] = []
    for path, part in _parts(model):
        jobs = getattr(part, "__dict__", {}).get("n_jobs")
        if isinstance(jobs, int) and jobs not in (0, 1):
            part.n_jobs = 1
            changes.append((path, part, jobs))
    return changes


def notes_of(changes: list[Change]) -> list[str]:
    """The changes in words."""
    return [f"{path or 'the model'}: n_jobs={jobs} runs as n_jobs=1 in a worker" for path, _part, jobs in changes]


@contextmanager
def as_trained(changes: list[Change]) -> Iterator[None]:
    """While the model is saved, it is again what the file said."""
    for _path, part, jobs in changes:
        part.n_jobs = jobs
    try:
        yield
    finally:
        for _path, part, _jobs in changes:
            part.n_jobs = 1


def _parts(model: Any, path: str = "", depth: int = 0) -> list[Any]:
    """The model and what it is built of, where scikit-learn keeps it: steps, estimator, transformers."""
    if depth > 8 or not hasattr(model, "__dict__"):
        return []
    found = [(path, model)]
    for name in ("estimator", "base_estimator", "best_estimator_", "estimator_", "final_estimator_", "regressor_"):
        part = vars(model).get(name)
        if part is not None and hasattr(part, "get_params") and not isinstance(part, type):
            found += _parts(part, f"{path}.{name}".lstrip("."), depth + 1)
    for name in ("steps", "transformers_", "transformer_list", "estimators_"):
        parts = vars(model).get(name)
        for part in parts if isinstance(parts, list) and len(parts) <= 200 else ():
            if isinstance(part, tuple) and len(part) >= 2 and hasattr(part[1], "get_params"):
                found += _parts(part[1], f"{path}.{part[0]}".lstrip("."), depth + 1)
    return found
