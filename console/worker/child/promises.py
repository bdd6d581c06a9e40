"""Promises of a model that its answers must keep: probabilities, and classes that it knows.

A model of another library version often still answers, with numbers that mean something else by now.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from backends.core.attributes import attribute
from backends.core.errors import Refusal
from backends.core.model import Model, Promise
from console.worker.child.lazy import numpy

_SMALL = 64
"""Numbers that Python goes through faster than numpy begins."""
_EDGE = 1e-6
_SUM = 1e-3
"""By so much the probabilities of a row may miss 1; those of half precision by ten times that."""
_SHOWN = 80
_NO_NUMBERS = (TypeError, ValueError, RuntimeError, ImportError)
"""Errors of making an array of what is none, or without numpy: such an answer is not checked."""


def hold(model: Model, name: str, answer: Any) -> None:
    """Raise Refusal, with the first value that cannot be, unless the answer is what the model promises."""
    fault = _fault(model.promise, name, answer)
    if fault:
        raise Refusal("bad-answer", f"{model.name}.{name} answered {fault}")


def _fault(promise: Promise, name: str, answer: Any) -> str:
    """The fault in the answer of a method, in words; empty where nothing is."""
    if name == "predict_proba":
        outputs = _outputs(answer)
        whole = promise.shares if len(outputs) == 1 else promise.each
        return _first(_improbable(one, whole) for one in outputs) or _too_wide(promise, outputs)
    if name == "predict_log_proba":
        return _first(_above_zero(one) for one in _outputs(answer))
    if name == "predict" and promise.classes is not None:
        return _unknown(promise, answer)
    if name == "decision_function" and promise.widths:
        return _misshapen(promise, answer)
    return ""


def _too_wide(promise: Promise, outputs: Sequence[Any]) -> str:
    """Another number of probabilities than the model has classes."""
    shape: Any = getattr(outputs[0], "shape", ())
    if promise.count is None or len(outputs) != 1 or len(shape) != 2 or shape[1] == promise.count:
        return ""
    return f"{shape[1]} probabilities a row for {promise.count} classes"


def _unknown(promise: Promise, answer: Any) -> str:
    """A class that is none of the model's."""
    shape = getattr(answer, "shape", None)
    if shape is None or len(shape) not in (1, 2) or (len(shape) == 2 and shape[1] != 1):
        return ""
    values = attribute(answer, "tolist")
    values = values() if values is not None else []
    if len(shape) == 2:
        values = [row[0] for row in values]
    assert promise.classes is not None
    try:
        if len(values) == 1:
            if values[0] in promise.classes:
                return ""
        elif promise.classes.issuperset(values):
            return ""
        stray = next(value for value in values if value not in promise.classes)
    except TypeError:
        return ""
    missing = isinstance(stray, float) and math.isnan(stray) and any(one != one for one in promise.classes)
    return "" if missing else f"the class {repr(stray)[:_SHOWN]}, which is not among its classes"


def _misshapen(promise: Promise, answer: Any) -> str:
    shape: Any = getattr(answer, "shape", ())
    width = 1 if len(shape) == 1 else shape[1] if len(shape) == 2 else 0
    if not shape or width in promise.widths:
        return ""
    return f"{width} scores a row for {len(promise.classes or ())} classes"


def _outputs(answer: Any) -> Sequence[Any]:
    """The answer to each of several outputs, or the one."""
    return answer if isinstance(answer, (list, tuple)) and hasattr(next(iter(answer), None), "shape") else (answer,)


def _first(faults: Iterator[str]) -> str:
    return next(filter(None, faults), "")


def _improbable(shares: Any, whole: bool) -> str:
    """A number that is no probability, or a row of them that is more or less than a whole.

    A number that is missing makes its row unknown, which is no fault.
    """
    shape: Any = getattr(shares, "shape", ())
    if len(shape) == 2 and shape[0] * shape[1] <= _SMALL and hasattr(shares, "tolist"):
        return _improbable_small(shares.tolist(), whole, _miss(shares))
    try:
        array = numpy.asarray(shares)
        if array.dtype.kind not in "fiub":
            array = array.astype(float)
        return _outside(array) or (_no_whole(array) if whole and array.ndim == 2 else "")
    except _NO_NUMBERS:
        return ""


def _miss(shares: Any) -> float:
    """By how much a row may miss 1; half precision rounds more."""
    return 10 * _SUM if getattr(getattr(shares, "dtype", None), "itemsize", 8) == 2 else _SUM


def _improbable_small(rows: list[list[Any]], whole: bool, miss: float) -> str:
    low, high = -_EDGE, 1 + _EDGE
    for row in rows:
        try:
            if min(row) < low or max(row) > high:
                return _no_probability(next(one for one in row if one < low or one > high))
            if whole and abs(sum(row) - 1) > miss and len(row) > 1:
                return _sum_words(sum(row))
        except (TypeError, ValueError, StopIteration):
            return ""
    return ""


def _outside(array: Any) -> str:
    if not array.size or (array.min() >= -_EDGE and array.max() <= 1 + _EDGE):
        return ""
    odd = (array < -_EDGE) | (array > 1 + _EDGE)
    return _no_probability(float(array[odd][0])) if odd.any() else ""


def _no_whole(array: Any) -> str:
    sums = array.sum(axis=1, dtype=numpy.float64)
    odd = numpy.abs(sums - 1) > _miss(array)
    return _sum_words(float(sums[odd][0])) if array.shape[1] > 1 and odd.any() else ""


def _above_zero(numbers: Any) -> str:
    try:
        array = numpy.asarray(numbers)
        odd = array > _EDGE
        return f"{float(array[odd][0]):.6g}, the logarithm of no probability" if odd.any() else ""
    except _NO_NUMBERS:
        return ""


def _no_probability(value: float) -> str:
    return f"{value:.6g}, which is no probability (0 to 1)"


def _sum_words(total: float) -> str:
    return f"probabilities of one row that sum to {total:.6g} instead of 1"
