"""The score of one answer among many: sums that add up over the calls of a probe, or over one row."""

from __future__ import annotations

import warnings
from typing import Any, Optional

from backends.core.errors import Refusal
from backends.core.model import Model
from backends.core.tasks import CLASSIFICATION, CLUSTERING, DENSITY, OUTLIERS, RANKING, REGRESSION, TRANSFORMATION
from console.worker.child.lazy import numpy
from console.worker.child.truth import Truth, alike

__all__ = ["score"]

_ALONE = {
    CLUSTERING: "the number of a cluster is no label that could be right",
    DENSITY: "a group that a density was fitted to is no label that could be right",
    RANKING: "the score of a ranker is right or wrong beside others only",
    TRANSFORMATION: "what a row is transformed to is not held against a truth",
}
"""Why the answer to one row is neither right nor wrong, by task."""


def score(truth: Truth, model: Model, start: int, stop: Optional[int], answer: Any) -> dict[str, float]:
    """Sums that add up over calls: `rows` and `correct` for labels, `absolute` and `squared` error for numbers.

    For outlier detectors `outliers` counts the truths that are one, `flagged` the answers that say so.

    Of several outputs a row is correct where all are, and its errors are the means over them. `missing` counts the rows
    without a truth. Rows whose error is no finite number are left out, with a warning. Nothing where no row is left.
    Raises Refusal where an answer alone is neither right nor wrong, and where shapes differ.
    """
    if truth.task not in (CLASSIFICATION, REGRESSION, OUTLIERS):
        raise Refusal("bad-input", f"{_ALONE.get(truth.task, truth.task)}: evaluate measures all rows together")
    y, there = truth.part(start, stop)
    found = truth.comparable(model, answer)
    missing = {} if there is None or there.all() else {"missing": float(len(there) - int(there.sum()))}
    found = found if there is None else found[there]
    if not len(y):
        return missing
    sums = _errors(y, found) if truth.task == REGRESSION else _hits(y, found)
    if truth.task == OUTLIERS:
        sums.update(outliers=float(y.sum()), flagged=float(found.sum()))
    return {**sums, **missing}


def _hits(y: Any, found: Any) -> dict[str, float]:
    y, found = alike(y, found)
    hits = numpy.asarray(y == found).reshape(len(y), -1).all(axis=1)
    return {"rows": float(len(y)), "correct": float(hits.sum())}


def _errors(y: Any, found: Any) -> dict[str, float]:
    with numpy.errstate(all="ignore"):
        error = numpy.abs(y.astype("float64") - found).reshape(len(y), -1)
        error, square = error.mean(axis=1), (error**2).mean(axis=1)
        known = numpy.isfinite(square)
    if not known.all():
        bad = len(known) - int(known.sum())
        warnings.warn(
            f"{bad:,} of {len(known):,} rows have no score: answer or truth is no finite number", stacklevel=2
        )
        error, square = error[known], square[known]
    if not len(error):
        return {}
    return {"rows": float(len(error)), "absolute": float(error.sum()), "squared": float(square.sum())}
