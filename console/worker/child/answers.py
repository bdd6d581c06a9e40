"""Answers of a model to some rows, alone and beside their truth."""

from __future__ import annotations

from typing import Any

from backends.core.model import Model
from backends.core.tasks import OUTLIERS
from console.worker.child import outliers
from console.worker.child.asking import ask, count, own
from console.worker.child.lazy import numpy
from console.worker.child.tracebacks import heard
from console.worker.child.truth import Truth, alike


def take(rows: Any, positions: Any) -> Any:
    """These rows of a frame, an array, a sparse matrix or a list."""
    if hasattr(rows, "iloc"):
        return rows.iloc[positions]
    return [rows[int(one)] for one in positions] if isinstance(rows, list) else rows[positions]


class Answers:
    """Answers of a model to some rows: each method is called once, on a copy that it may change as it likes."""

    def __init__(self, model: Model, X: Any) -> None:
        self.model = model
        self.X = X
        self._known: dict[str, Any] = {}

    def has(self, method: str) -> bool:
        """Whether the model has this method."""
        return self.model.has(method)

    def of(self, method: str) -> Any:
        """The answer of a method. Raises Refusal where the model has none, and what the model raises."""
        if method not in self._known:
            with heard():
                self._known[method] = self._asked(method)
        return self._known[method]

    def _asked(self, method: str) -> Any:
        return ask(self.model, method, self.X)

    @property
    def count(self) -> int:
        """How many rows there are."""
        return count(self.X)

    def only(self, there: Any) -> Answers:
        """The answers to the rows that are marked, none of them asked yet."""
        return Answers(self.model, take(self.X, numpy.flatnonzero(there)))

    def rows(self) -> Any:
        """The rows, as a copy."""
        return own(self.X)

    @property
    def known(self) -> dict[str, Any]:
        """The answers so far, by method."""
        return self._known


class Case:
    """Answers of a model to rows that have a truth, beside that truth and spelled as it is.

    `labels` are the classes in the order of the columns of scores; None where the model names none. With several
    outputs of labels there is a list of them; `indicator` = each of those is 0 or 1.
    """

    def __init__(self, answers: Answers, truth: Truth) -> None:
        self.answers = answers
        self.truth = truth
        self.y = truth.y
        self.labels = truth.classes
        self.indicator = isinstance(self.labels, list) and all(_is_binary(one) for one in self.labels)
        self._predicted: Any = None

    def predicted(self) -> Any:
        """One answer for each row, or a row of them where there are several outputs. Raises Refusal."""
        if self._predicted is None:
            found = self.truth.comparable(self.answers.model, self.answers.of("predict"))
            self.y, self._predicted = alike(self.y, found)
        return self._predicted

    def has(self, method: str) -> bool:
        """Whether the model has this method for scores."""
        if self.truth.task != OUTLIERS:
            return self.answers.has(method)
        return method == "decision_function" and bool(outliers.score_method(self.answers.model))

    def scores(self, method: str) -> Any:
        """The scores that a method gives, higher towards the later class; for outlier detectors towards outliers."""
        if self.truth.task == OUTLIERS:
            model = self.answers.model
            scores = self.answers.of(outliers.score_method(model))
            return outliers.scores_of(model, scores, self.predicted(), self.truth.outlier)
        found = self.answers.of(method)
        if self.indicator and isinstance(found, (list, tuple)):
            return numpy.stack([second(one) for one in found], axis=1)
        return found

    def outputs(self) -> list[Case]:
        """A case for each output of labels."""
        return [_Output(self, at) for at in range(self.truth.outputs)]


class _Output(Case):
    """One of several outputs."""

    def __init__(self, whole: Case, at: int) -> None:
        super().__init__(whole.answers, whole.truth)
        self._whole, self._at = whole, at
        self.y = _of_kind(whole.y[:, at])
        self.labels, self.indicator = whole.labels[at], False

    def predicted(self) -> Any:
        """The answers of this output."""
        found = self._whole.predicted()[:, self._at]
        self.y, found = alike(self.y, _of_kind(found))
        return found

    def scores(self, method: str) -> Any:
        """The scores of this output. Raises ValueError where there is none of its own."""
        found = self._whole.scores(method)
        if not isinstance(found, (list, tuple)):
            raise ValueError(f"{self.answers.model.name}.{method} gives no scores by output")
        return found[self._at]


def _of_kind(column: Any) -> Any:
    return numpy.asarray(column.tolist()) if column.dtype.kind == "O" else column


def _is_binary(labels: Any) -> bool:
    return set(numpy.asarray(labels).tolist()) <= {0, 1} and len(labels) <= 2


def second(scores: Any) -> Any:
    """The scores of the second of two classes."""
    scores = numpy.asarray(scores)
    return scores[:, 1] if scores.ndim == 2 else scores
