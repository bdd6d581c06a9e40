"""A table as a model's library takes it: names as it writes them, a constant column, categories with their dtype."""

from __future__ import annotations

from typing import Any, Optional

from console.worker.child.lazy import numpy
from console.worker.child.libraries.base import Constant
from console.worker.child.libraries.parts import library_of, receivers

__all__ = ["completed", "constant_of", "meaning_of", "prepared", "spelled", "widened"]


def spelled(model: Any, frame: Any, wanted: list[str], decided: list[str]) -> Any:
    """The frame with columns under the names that the model's library wrote down for them."""
    found = list(frame)
    missing, known = set(wanted) - set(found), set(wanted)
    if not missing:
        return frame
    libraries = [library_of(part) for part in receivers(model)]
    changed: dict[str, str] = {}
    for name in found:
        other = next((one for library in libraries if (one := library.spelled(name)) != name), None)
        if name not in known and other in missing and other not in changed.values():
            changed[name] = other
    if not changed:
        return frame
    decided.append(", ".join(f"'{name}' is '{other}' in the model" for name, other in changed.items()))
    if hasattr(frame, "iloc"):
        return frame.rename(columns=changed)
    return {changed.get(name, name): cells for name, cells in frame.items()}


def constant_of(model: Any) -> Optional[Constant]:
    """The constant column that files leave out; None where the model has none."""
    return next((found for part in receivers(model) if (found := library_of(part).constant(part))), None)


def completed(model: Any, frame: Any, decided: list[str]) -> Any:
    """The named columns with the model's constant, where the file has it not."""
    constant = constant_of(model)
    if constant is None or constant.name is None or constant.name in list(frame):
        return frame
    decided.append(f"constant column '{constant.name}' added")
    if hasattr(frame, "iloc"):
        return frame.assign(**{constant.name: constant.value})
    rows = len(next(iter(frame.values()), ()))
    return {**frame, constant.name: numpy.full(rows, constant.value)}


def widened(model: Any, array: Any, count: Optional[int], decided: list[str]) -> Any:
    """An array of inputs with the model's constant, where it has one column less than the model takes."""
    constant = constant_of(model)
    if constant is None or array.ndim != 2 or array.shape[1] + 1 != count or hasattr(array, "toarray"):
        return array
    decided.append(f"constant column added as column {constant.at}")
    return numpy.insert(array, constant.at, constant.value, axis=1)


def prepared(model: Any, X: Any, decided: list[str]) -> Any:
    """The inputs with what the library of each part that is given them needs. Raises Refusal."""
    if hasattr(X, "iloc"):
        for part in receivers(model):
            X = library_of(part).prepared(part, X, decided)
    return X


def meaning_of(model: Any) -> str:
    """The meaning of what `predict` of this model answers, where that is not what its name says."""
    return library_of(model).meaning(model)
