"""Task of a model, by its own word where it says it: that decides what its answers are held against and how."""

from __future__ import annotations

from typing import Any, Callable, Optional

from backends.core.model import Model
from backends.core.tasks import CLASSIFICATION, REGRESSION
from console.worker.child.lazy import numpy

_FEW_LABELS = 20
"""Models that say nothing of themselves and answer more whole numbers than this are taken for regressors."""


def task_of(model: Model, y: Any = None, answer: Optional[Callable[[], Any]] = None) -> str:
    """The task of a model: by its own word, else by what it has, else by what it answers (`answer` asks it) and `y`.

    Without `answer` a model that says nothing is judged by the truth alone.
    """
    found = model.task(has_truth=y is not None)
    if found is not None or y is None:
        return found or REGRESSION
    return _by_answer(y, None if answer is None else answer())


def _by_answer(y: Any, answer: Any) -> str:
    truth = numpy.asarray(y)
    if answer is None:
        return REGRESSION if truth.dtype.kind == "f" else CLASSIFICATION
    found = numpy.asarray(answer)
    if found.dtype.kind not in "iuf" or truth.dtype.kind not in "iufb":
        return REGRESSION if found.dtype.kind == "f" else CLASSIFICATION
    labels = set(numpy.unique(truth).tolist())
    told = set(numpy.unique(found).tolist())
    return CLASSIFICATION if len(labels) <= _FEW_LABELS and told <= labels else REGRESSION
