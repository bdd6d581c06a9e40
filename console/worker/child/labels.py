"""Labels in the spelling of a model's classes: a table read from text may hold 1, 1.0, "1" or True for one of them."""

from __future__ import annotations

import re
from typing import Any, Optional

from console.worker.child.lazy import numpy

_DECIMAL = re.compile(r"(-?\d+)(?:\.0+|(\.\d*[1-9])0+)\Z")
_TRUTHS = {"true": "1", "false": "0", "1": "true", "0": "false"}
_NAMED = 3


def several(classes: Any) -> Optional[list[Any]]:
    """The classes of each output of a model with several; None of a model with one."""
    if isinstance(classes, (list, tuple)) and classes and all(hasattr(one, "__len__") for one in classes):
        return None if all(isinstance(one, str) for one in classes) else list(classes)
    return None


def spelling(value: Any) -> str:
    """A label as text that is the same for 1, 1.0 and "1", for True and "True", and for bytes and their text."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).lower() if isinstance(value, bool) or str(value) in ("True", "False") else str(value)


def without_zeros(text: str) -> str:
    """A number as text without zeros at the end of its decimals; any other text as it is."""
    decimal = _DECIMAL.match(text)
    return text if decimal is None else decimal[1] + (decimal[2] or "")


def _spellings(value: Any) -> list[str]:
    """Other spellings of a label, nearest first: "1.0" for 1, "2.5" for "2.50", "1" for True."""
    first = spelling(value)
    found = [first]
    short = without_zeros(first)
    if short != first:
        found.append(short)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        found.append(f"{first}.0")
    if first.lower() in _TRUTHS and first.lower() != first:
        found.append(first.lower())
    return [*found, *(_TRUTHS[one] for one in found if one in _TRUTHS)]


def known_labels(y: Any, classes: Any, *, partly: bool = False) -> Any:
    """`y` spelled as the model's classes are, by column where there are several.

    Where a label is none of them all stays as it is; `partly` = only that one does.
    """
    if classes is None:
        return y
    truth = numpy.asarray(y)
    outputs = several(classes)
    if outputs is not None:
        if truth.ndim != 2 or truth.shape[1] != len(outputs):
            return y
        return _columns([known_labels(truth[:, at], one, partly=partly) for at, one in enumerate(outputs)])
    known = numpy.asarray(classes)
    if truth.ndim != 1 or known.ndim != 1:
        return y
    if truth.dtype.kind == known.dtype.kind and (truth.dtype.kind not in "OUS" or not unknown(truth, known)):
        return y
    spelled: dict[str, Any] = {}
    for one in known.tolist():
        spelled.setdefault(spelling(one), one)
    for one in known.tolist():
        for text in _spellings(one):
            spelled.setdefault(text, one)
    values = truth.tolist()
    found = {one: _found(one, spelled) for one in set(values)}
    if None in found.values():
        if not partly:
            return y
        return _mixed([one if found[one] is None else found[one] for one in values], y)
    return numpy.asarray([found[one] for one in values], dtype=known.dtype)


def _found(value: Any, spelled: dict[str, Any]) -> Any:
    return next((spelled[text] for text in _spellings(value) if text in spelled), None)


def _mixed(values: list[Any], y: Any) -> Any:
    kinds = {isinstance(one, str) for one in values}
    if len(kinds) == 1:
        return numpy.asarray(values)
    found = numpy.empty(len(values), dtype=object)
    found[:] = values
    return found


def _columns(columns: list[Any]) -> Any:
    """Columns side by side, as objects where they are not of one kind, so that none changes its labels."""
    if len({column.dtype.kind for column in columns}) == 1:
        return numpy.stack(columns, axis=1)
    found = numpy.empty((len(columns[0]), len(columns)), dtype=object)
    for at, column in enumerate(columns):
        found[:, at] = column.tolist()
    return found


def unknown(y: Any, classes: Any) -> dict[str, int]:
    """The labels in one column of truth that are none of the classes, with their rows."""
    known = set(numpy.asarray(classes).tolist())
    values, counts = _counted(y)
    return {str(one)[:80]: count for one, count in zip(values, counts) if one not in known}


def _counted(y: Any) -> tuple[list[Any], list[int]]:
    truth = numpy.asarray(y)
    if truth.dtype.kind != "O":
        values, counts = numpy.unique(truth, return_counts=True)
        return values.tolist(), counts.tolist()
    found: dict[Any, int] = {}
    for one in truth.tolist():
        found[one] = found.get(one, 0) + 1
    return list(found), list(found.values())


def named(labels: Any) -> str:
    """A few of the labels in words."""
    texts = [f"'{str(one)[:60]}'" for one in labels]
    return ", ".join(texts[:_NAMED]) + (f" and {len(texts) - _NAMED} more" if len(texts) > _NAMED else "")
