"""Put a loaded model into another format and prove that it still answers the same. Runs in a child process only."""

from __future__ import annotations

import importlib
import os
from typing import Any, Callable, Optional

import numpy as np

from backends.core import registry
from backends.core.inspection import Json
from backends.core.model import USUAL
from backends.core.source import Source

_ROWS = 32


def convert(model: Any, to: str, fd: int, X: Any = None, **options: Any) -> dict[str, Json]:
    """Save `model` in the format `to`, load it back from `fd` and compare the outputs on `X` (or random rows).

    Returns `compared` (the methods that were called), `differences` (one sentence each; empty when equal to the last
    bit) and `rows`. Raises NotLoadable where the format cannot hold the model, and what loading raises.
    """
    registry.save(model, to, fd, **options)
    os.fsync(fd)
    again = registry.load(Source(os.dup(fd)), to).model
    inputs = sample_inputs(model) if X is None else X
    if inputs is None:
        return {"compared": [], "differences": [], "rows": 0}
    before = outputs(model, inputs)
    return {
        "compared": [name for name, (_, error) in before.items() if error is None],
        "differences": list(compare_outputs(model, again, inputs, before)),
        "rows": len(inputs),
    }


def sample_inputs(model: Any, rows: int = _ROWS) -> Any:
    """Random rows of the recorded width, with the recorded names where pandas is there; None without a width."""
    width = getattr(model, "n_features_in_", None)
    if not isinstance(width, (int, np.integer)):
        return None
    X = np.abs(np.random.default_rng(0).normal(size=(rows, int(width))))
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        return X
    try:
        pandas = importlib.import_module("pandas")
    except ImportError:
        return X
    return pandas.DataFrame(X, columns=list(names))


def outputs(model: Any, X: Any) -> dict[str, tuple[Any, Optional[str]]]:
    """The answers of each usual method that the model has: (value, None), or (None, the error in a line).

    Random numbers that a method draws from numpy's global generator start from the same seed at every call.
    """
    found: dict[str, tuple[Any, Optional[str]]] = {}
    for name in USUAL:
        method: Optional[Callable[[Any], Any]] = getattr(model, name, None)
        if method is None:
            continue
        np.random.seed(0)
        try:
            found[name] = (method(X.copy() if hasattr(X, "copy") else X), None)
        except Exception as error:  # the model's own code: whatever it raises is its answer
            found[name] = (None, f"{type(error).__name__}: {error}")
    return found


def compare_outputs(a: Any, b: Any, X: Any, before: Optional[dict[str, tuple[Any, Optional[str]]]] = None) -> list[str]:
    """One sentence for each method whose outputs on `X` differ between two models, to the last bit."""
    ours = outputs(a, X) if before is None else before
    theirs = outputs(b, X)
    differences = []
    for name in {**ours, **theirs}:
        if name not in ours or name not in theirs:
            differences.append(f"only one of the two models has {name}")
        elif ours[name][1] != theirs[name][1]:
            differences.append(f"{name}: {ours[name][1] or 'answers'} against {theirs[name][1] or 'answers'}")
        elif ours[name][1] is None:
            told = _difference(ours[name][0], theirs[name][0])
            if told:
                differences.append(f"{name}: {told}")
    return differences


def _difference(a: Any, b: Any) -> str:
    """How two outputs differ, or nothing. Compares types, shapes, dtypes and bytes, sparse and nested ones too."""
    if type(a) is not type(b):
        return f"{type(a).__name__} against {type(b).__name__}"
    if hasattr(a, "tocsr") and hasattr(a, "nnz"):
        left, right = a.tocsr(), b.tocsr()
        parts = (_difference(getattr(left, part), getattr(right, part)) for part in ("data", "indices", "indptr"))
        return next((part for part in parts if part), "")
    if isinstance(a, (list, tuple)):
        if len(a) != len(b):
            return f"{len(a)} parts against {len(b)}"
        return next((told for told in map(_difference, a, b) if told), "")
    if hasattr(a, "to_numpy"):
        a, b = a.to_numpy(), b.to_numpy()
    left, right = np.asarray(a), np.asarray(b)
    if left.shape != right.shape or left.dtype != right.dtype:
        return f"{left.dtype} {left.shape} against {right.dtype} {right.shape}"
    if left.dtype.kind == "O":
        return "" if left.tolist() == right.tolist() else "other values"
    if left.tobytes() == right.tobytes():
        return ""
    unequal = int(np.count_nonzero(left != right))
    return f"{unequal} of {left.size} values differ" if unequal else "equal values in other bits"
