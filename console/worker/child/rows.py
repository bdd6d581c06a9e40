"""Training rows checked before any fitting: what would fail late or teach nonsense is refused early, by name."""

from __future__ import annotations

from typing import Any

from backends.core.errors import Refusal
from backends.core.model import Model
from backends.core.tasks import CLASSIFICATION, CLUSTERING, DENSITY, OUTLIERS, RANKING, REGRESSION, TRANSFORMATION
from console.worker.child.calls import count
from console.worker.child.gaps import gaps
from console.worker.child.labels import known_labels
from console.worker.child.lazy import numpy


def check_rows(model: Model, task: str, X: Any, y: Any) -> tuple[Any, Any]:
    """`X` and `y` (labels spelled as the model's classes are), ready to fit `model` on.

    Raises Refusal that says which rule is broken and where: target missing, rows and truths of different number,
    missing or infinite truths (with the first row), one class only, rows too few.
    """
    rows = count(X)
    if rows < 2:
        raise Refusal("bad-input", f"{rows} rows are too few to train on")
    if y is None:
        if task in (CLASSIFICATION, REGRESSION) and model.supervised:
            raise Refusal("bad-input", f"training a {task} model needs a target column: name it with --target")
        return X, None
    if len(y) != rows:
        raise Refusal("bad-input", f"{rows} rows of inputs, but {len(y)} of the target")
    if task == CLUSTERING:
        return X, None
    if task in (OUTLIERS, DENSITY, RANKING):
        return X, y
    _refuse_gaps(model, y)
    if task == TRANSFORMATION:
        return X, y
    if task == CLASSIFICATION:
        y = known_labels(y, model.classes)
        _refuse_one_class(y)
    else:
        _refuse_words(y)
    return X, y


def _refuse_gaps(model: Model, y: Any) -> None:
    truth = numpy.asarray(y)
    bad = gaps(truth, model.classes)
    if truth.dtype.kind == "f":
        bad |= numpy.isinf(truth).reshape(len(truth), -1).any(axis=1)
    if bad.any():
        first = int(numpy.flatnonzero(bad)[0])
        raise Refusal(
            "bad-input",
            f"the target is missing or not finite in {int(bad.sum())} of {len(truth)} rows, first in row {first + 1}",
        )


def _refuse_one_class(y: Any) -> None:
    truth = numpy.asarray(y)
    if truth.ndim == 1 and len({str(one) for one in truth.tolist()}) < 2:
        raise Refusal("bad-input", "the target holds one class only: a classifier needs at least two")


def _refuse_words(y: Any) -> None:
    truth = numpy.asarray(y)
    if truth.dtype.kind in "US" or (truth.dtype.kind == "O" and any(isinstance(one, str) for one in truth.ravel())):
        raise Refusal("bad-input", "the target holds text, but the model predicts numbers")
