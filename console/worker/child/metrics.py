"""How good a model is on rows whose truth is known: metrics by the names scikit-learn gives them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Optional

from backends.core.errors import Refusal
from backends.core.model import Model
from backends.core.tasks import CLASSIFICATION, OUTLIERS, RANKING, REGRESSION, TRANSFORMATION
from console.worker.child.answers import Answers, Case, take
from console.worker.child.lazy import numpy
from console.worker.child.measures import MEASURES, Measurement, compute
from console.worker.child.scoring import metric_named
from console.worker.child.truth import Truth, prepared

HELD_BACK_SHARE = 0.2
"""Share of the training rows that is kept from fitting when there is no hold-out file."""


def split(rows: int) -> tuple[Any, Any]:
    """Positions of the rows to fit on and of those held back, the same in every process for the same count."""
    order = numpy.random.RandomState(20).permutation(rows)
    held = max(1, int(rows * HELD_BACK_SHARE)) if rows > 1 else 0
    return numpy.sort(order[held:]), numpy.sort(order[:held])


def held_back(X: Any, y: Any) -> tuple[Any, Any]:
    """The rows of a training table that are kept from fitting."""
    count = X.shape[0] if hasattr(X, "shape") else len(X)
    _fitted, held = split(count)
    return take(X, held), None if y is None else take(y, held)


def marked(X: Any, y: Any, bits: bytes) -> tuple[Any, Any]:
    """The rows whose bit is set. Raises Refusal for bits of another number of rows."""
    rows = X.shape[0] if hasattr(X, "shape") else len(X)
    if len(bits) != -(-rows // 8):
        raise Refusal("bad-input", f"the hold-out has {rows} rows, which is not what it was compared as")
    positions = numpy.flatnonzero(numpy.unpackbits(numpy.frombuffer(bits, dtype="uint8"), count=rows))
    return take(X, positions), None if y is None else take(y, positions)


def evaluate(
    model: Model, X: Any, y: Any, extra: Sequence[str] = (), causes: Optional[dict[str, str]] = None
) -> tuple[str, dict[str, float]]:
    """Task and metrics of `model` on the rows `X`, as `measured` has them; `causes` hears what is left out."""
    found = measured(Answers(model, X), y, extra)
    if causes is not None:
        causes.update(found.causes)
    return found.task, found.metrics


def measured(answers: Answers, y: Any, extra: Sequence[str] = ()) -> Measurement:
    """Measure what a model answers to some rows with the truth `y` (None where the task has none).

    `extra` names further scorers or metrics of scikit-learn. A metric that is undefined on these rows is left out with
    its cause. Raises Refusal when the model has nothing to measure, the truth is missing, ambiguous or of another kind
    or shape, or `extra` names no metric or one that takes scores the model has not.
    """
    model, narrowed = answers.model, _Narrowed(answers)
    truth = prepared(model, y, lambda there: narrowed.to(there).of("predict"))
    _check(model, truth)
    if truth.task in _WITH_TRUTH:
        answers = narrowed.to(truth.there)
    found = Measurement(truth.task, answers.count, answers, truth.missing, notes=list(truth.notes))
    if truth.task in _WITH_TRUTH and not len(truth.y):
        return found
    case = Case(answers, truth)
    if truth.task in (CLASSIFICATION, REGRESSION, OUTLIERS):
        case.predicted()
    metrics = MEASURES[truth.task](case, found)
    told = case if truth.there is None else Case(narrowed.to(truth.there), truth)
    metrics.update({name: metric_named(name, told) for name in extra if name not in metrics})
    compute(metrics, found)
    return found


_WITH_TRUTH = (CLASSIFICATION, REGRESSION, OUTLIERS, RANKING)


def _check(model: Model, truth: Truth) -> None:
    if truth.task == TRANSFORMATION and not model.has("transform"):
        message = f"{model.name} has neither predict nor transform, so there is nothing to measure"
        raise Refusal("bad-input", f"{message}: {model.what_it_has}")
    if truth.y is None and truth.task in _WITH_TRUTH:
        a = "an" if truth.task == OUTLIERS else "a"
        message = f"measuring {a} {truth.task} model needs a target column"
        raise Refusal("bad-input", message, {"needs": "target"})


class _Narrowed:
    """The answers to the rows that have a truth."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._found: Optional[Answers] = None

    def to(self, there: Any) -> Answers:
        """The answers to those rows, asked once; None is all."""
        if there is None:
            return self._answers
        if self._found is None:
            self._found = self._answers.only(there)
        return self._found


def digest_of(answers: Answers) -> str:
    """A digest of all that a model has answered; two models with the same one answered exactly alike. "" of nothing."""
    if not answers.known:
        return ""
    found = hashlib.sha256()
    for name, answer in sorted(answers.known.items()):
        array = numpy.asarray(answer.toarray() if hasattr(answer, "toarray") else answer)
        plain = array.dtype.kind in "biufcUS"
        data = numpy.ascontiguousarray(array).tobytes() if plain else repr(array.tolist()).encode("utf-8", "replace")
        found.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        found.update(data)
    return found.hexdigest()
