"""Which rows have no truth."""

from __future__ import annotations

from typing import Any

from console.worker.child.data.cells import MISSING
from console.worker.child.labels import several
from console.worker.child.lazy import numpy


def gaps(y: Any, classes: Any = None) -> Any:
    """Which rows have no truth: None, NaN, an empty text, a usual spelling of missing that is no class of the model."""
    if y.dtype.kind in "fc":
        found = numpy.isnan(y)
    elif y.dtype.kind in "mM":
        found = numpy.isnat(y)
    elif y.dtype.kind in "OUS":
        labels = [one for each in several(classes) or [classes] for one in ([] if each is None else list(each))]
        known = {str(one) for one in labels}
        flat = [_is_gap(one, known) for one in y.ravel().tolist()]
        found = numpy.asarray(flat, dtype=bool).reshape(y.shape)
    else:
        return numpy.zeros(len(y), dtype=bool)
    return found if found.ndim == 1 else found.any(axis=tuple(range(1, found.ndim)))


def _is_gap(value: Any, known: set[str]) -> bool:
    if isinstance(value, str):
        return value not in known and (value in MISSING or (not value.strip() and "" not in known))
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):
        return False
