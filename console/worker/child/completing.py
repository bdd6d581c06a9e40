"""A table as a model's library takes it: names as it writes them, a constant column."""

from __future__ import annotations

from typing import Any, Optional

from backends.core.inputs import Inputs
from console.worker.child.lazy import numpy


def spelled(inputs: Inputs, frame: Any, wanted: list[str], decided: list[str]) -> Any:
    """The frame with columns under the names that the model's library wrote down for them."""
    found = list(frame)
    missing, known = set(wanted) - set(found), set(wanted)
    if not missing:
        return frame
    changed: dict[str, str] = {}
    for name in found:
        other = inputs.spelled(name)
        if name not in known and other in missing and other not in changed.values():
            changed[name] = other
    if not changed:
        return frame
    decided.append(", ".join(f"'{name}' is '{other}' in the model" for name, other in changed.items()))
    if hasattr(frame, "iloc"):
        return frame.rename(columns=changed)
    return {changed.get(name, name): cells for name, cells in frame.items()}


def completed(inputs: Inputs, frame: Any, decided: list[str]) -> Any:
    """The named columns with the model's constant, where the file has it not."""
    constant = inputs.constant
    if constant is None or constant.name is None or constant.name in list(frame):
        return frame
    decided.append(f"constant column '{constant.name}' added")
    if hasattr(frame, "iloc"):
        return frame.assign(**{constant.name: constant.value})
    rows = len(next(iter(frame.values()), ()))
    return {**frame, constant.name: numpy.full(rows, constant.value)}


def widened(inputs: Inputs, array: Any, count: Optional[int], decided: list[str]) -> Any:
    """An array of inputs with the model's constant, where it has one column less than the model takes."""
    constant = inputs.constant
    if constant is None or array.ndim != 2 or array.shape[1] + 1 != count or hasattr(array, "toarray"):
        return array
    decided.append(f"constant column added as column {constant.at}")
    return numpy.insert(array, constant.at, constant.value, axis=1)
