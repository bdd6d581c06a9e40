"""Truth that a model's answers are held against: that of a table as the model would have to answer it.

Everything that compares goes through here, so that one rule holds for evaluating, for the live score, for a single row
and for the gate of an update. Rows without a truth are set apart and counted; labels are spelled as the model's classes
are; what tells outliers is 1 for an outlier; numbers are held against numbers only; shapes agree before anything is
compared; what is not certain is refused with its cause.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

from backends.core.errors import Refusal
from backends.core.model import Model
from backends.core.tasks import CLASSIFICATION, OUTLIERS, REGRESSION
from console.worker.child import outliers
from console.worker.child.gaps import gaps
from console.worker.child.labels import known_labels, named, several, spelling, unknown
from console.worker.child.lazy import numpy
from console.worker.child.task import task_of

_WHOLE = re.compile(r"-?[0-9]+\Z")
_EXACT = 1 << 53
"""From here on floats do not tell all whole numbers apart."""


@dataclass
class Truth:
    """The truth of a table for one model.

    `y` has the rows that have a truth, which `there` marks among all (None: each has one); None where the task has no
    truth. `classes` are the labels by output or at all. `notes` tell what was decided, `new` the labels that the model
    does not know with their rows.
    """

    task: str
    y: Any
    rows: int
    there: Any = None
    classes: Any = None
    notes: list[str] = field(default_factory=list)
    new: dict[str, int] = field(default_factory=dict)
    outlier: int = -1
    as_text: bool = False

    @property
    def missing(self) -> int:
        """How many rows have no truth."""
        return 0 if self.there is None else self.rows - int(self.there.sum())

    @property
    def outputs(self) -> int:
        """How many truths a row has."""
        return 1 if self.y is None or self.y.ndim == 1 else int(self.y.shape[1])

    def part(self, start: int, stop: Optional[int]) -> tuple[Any, Any]:
        """The truths of rows `start` to `stop` of the table, and which of those have one (None: each)."""
        if self.there is None:
            return self.y[start:stop], None
        there = self.there[start:stop]
        before = int(self.there[:start].sum())
        return self.y[before : before + int(there.sum())], there

    def comparable(self, model: Model, answer: Any) -> Any:
        """The predictions for as many rows as were asked, in the spelling and shape of the truth.

        Raises Refusal where it has not as many values a row as the truth has columns.
        """
        found = answer.toarray() if hasattr(answer, "toarray") else answer
        if isinstance(found, (list, tuple)) and len(found) == self.outputs > 1 and hasattr(found[0], "ndim"):
            found = numpy.stack([numpy.asarray(one).reshape(len(one)) for one in found], axis=1)
        found = numpy.asarray(found)
        width = 1 if found.ndim < 2 else int(numpy.prod(found.shape[1:]))
        if width != self.outputs or found.ndim > 2:
            raise Refusal("bad-input", _unlike(model, found.shape, self.outputs))
        found = found.reshape(len(found)) if self.y.ndim == 1 else found.reshape(len(found), width)
        if self.task == OUTLIERS:
            return outliers.answers_of(model, found, self.outlier)
        if self.task == CLASSIFICATION:
            found = known_labels(found, self.classes, partly=True)
            return as_texts(found) if self.as_text else found
        if found.dtype.kind not in "biufc":
            found = _numbers(found, "answer") if found.dtype.kind == "O" else found
        return found


def _unlike(model: Model, shape: Any, outputs: int) -> str:
    width = shape[1] if len(shape) > 1 else 1
    answers = f"{width} values" if width != 1 else "one value"
    columns = f"{outputs} columns" if outputs != 1 else "one column"
    return (
        f"{model.name} answers {answers} for each row (shape {tuple(shape)}), the target has {columns}: "
        "name as many target columns as the model answers"
    )


def _gap_words(missing: int, rows: int) -> str:
    """How many rows were left out because they have no truth."""
    if missing == rows:
        return f"none of the {rows:,} rows has a truth"
    return f"{missing:,} of {rows:,} rows have no truth and were left out"


def told(model: Optional[Model], y: Any) -> list[str]:
    """Notes on the truth of a table before anything is compared with it, and why nothing can be."""
    if model is None or y is None:
        return []
    try:
        found = prepared(model, y)
    except Refusal as refusal:
        return [f"nothing can be held against the truth: {refusal}"]
    gap = [f"{found.missing:,} of {found.rows:,} rows have no truth"] if found.missing else []
    return gap + found.notes[len(gap) :]


def prepared(model: Model, y: Any, ask: Optional[Callable[[Any], Any]] = None) -> Truth:
    """The truth `y` of all rows of a table for this model; None is no truth.

    `ask` predicts the rows that have a truth (it is given their marks), for models that do not say what they answer.
    Raises Refusal for a truth that is not of the model's kind, and where it is ambiguous.
    """
    if y is None:
        return Truth(task_of(model), None, 0)
    column = numpy.asarray(y)
    column = column[:, 0] if column.ndim == 2 and column.shape[1] == 1 else column
    classes = model.classes
    missing = gaps(column, classes)
    there = ~missing if missing.any() else None
    kept = column if there is None else column[there]
    found = Truth(_task(model, kept, there, ask), kept, len(column), there, classes)
    if there is not None:
        found.notes.append(_gap_words(found.missing, found.rows))
    if len(kept):
        _fill(found, model, kept, there, ask)
    return found


def _task(model: Model, y: Any, there: Any, ask: Optional[Callable[[Any], Any]]) -> str:
    if not len(y):
        return task_of(model)
    plain = _plain(y)
    return task_of(model, plain, None if ask is None else lambda: ask(there))


def _fill(found: Truth, model: Model, y: Any, there: Any, ask: Optional[Callable[[Any], Any]]) -> None:
    if found.task == OUTLIERS:
        found.y, taken = outliers.truth_of(y)
        found.outlier = outliers.outlier_label(model, (lambda: ()) if ask is None else lambda: ask(there))
        found.classes = _classes((0, 1))
        if taken not in ("", str(found.outlier)):
            count = int(found.y.sum())
            doubt = 2 * count > len(found.y) and taken.strip().lower() not in outliers.WORDS
            found.notes.append(
                f"truth {taken} taken for an outlier ({found.outlier}), {count:,} of {len(found.y):,} rows"
                + ("; if that is the wrong way round, write -1 for an outlier and 1 for an inlier" if doubt else "")
            )
    elif found.task == CLASSIFICATION:
        _fill_labels(found, model, y)
    elif found.task == REGRESSION:
        found.y = _numbers(y, "target", found.there)


def _classes(labels: Any) -> Any:
    return numpy.asarray(labels)


def _fill_labels(found: Truth, model: Model, y: Any) -> None:
    """Labels spelled as the classes are. Raises Refusal where the model knows none of them, or has other outputs."""
    classes, outputs = found.classes, several(found.classes)
    if outputs is not None:
        width = y.shape[1] if y.ndim == 2 else 1
        if width != len(outputs):
            raise Refusal("bad-input", _unlike(model, (len(y), len(outputs)), width))
        found.classes = outputs if len(outputs) > 1 else _classes(outputs[0])
    elif y.ndim == 2 and classes is not None:
        found.classes = [_classes((0, 1))] * y.shape[1]
    elif classes is not None:
        found.classes = _classes(classes)
    plain = _plain(y)
    _refuse_rounded(plain, found.classes)
    found.y = known_labels(plain, found.classes, partly=True)
    if found.classes is None:
        return
    columns = [(found.y, found.classes)] if found.y.ndim == 1 else list(zip(found.y.T, found.classes))
    rows: set[int] = set()
    for column, labels in columns:
        new = unknown(column, labels)
        if new:
            known = set(_classes(labels).tolist())
            rows.update(at for at, one in enumerate(column.tolist()) if one not in known)
        if sum(new.values()) == len(column) and (outputs is not None or found.y.ndim == 1):
            knows = f"it knows {named(labels)}"
            raise Refusal("bad-input", f"no label in the truth is one of the model's: it holds {named(new)}, {knows}")
        for label, count in new.items():
            found.new[label] = found.new.get(label, 0) + count
    if found.new:
        found.notes.append(
            f"{len(rows):,} of {len(y):,} rows have a label that the model does not know ({named(found.new)}): "
            "no answer is right there, and what is computed from scores is left out"
        )
    if found.y.ndim == 1 and (found.classes.dtype.kind == "S" or (found.new and found.y.dtype.kind in "Of")):
        found.as_text = True
        found.y, found.classes = as_texts(found.y), as_texts(found.classes)


def _refuse_rounded(y: Any, classes: Any) -> None:
    """Raise Refusal where classes are whole numbers that the truth, read as floats, cannot tell apart."""
    if y.dtype.kind != "f" or classes is None:
        return
    labels = [one for each in several(classes) or [classes] for one in _classes(each).tolist()]
    if any(isinstance(one, (int, str)) and _WHOLE.match(str(one)) and abs(int(one)) >= _EXACT for one in labels):
        message = "the model's classes are whole numbers beyond 2^53, and the target, having gaps, was read as floats"
        raise Refusal("bad-input", f"{message}, which round them: leave the rows without a truth out of the file")


def as_texts(labels: Any) -> Any:
    """Labels as text, spelled alike."""
    return numpy.asarray([spelling(one) for one in numpy.asarray(labels).tolist()], dtype=str)


def _plain(y: Any) -> Any:
    """Objects that are all of one plain kind as an array of that kind."""
    if y.dtype.kind != "O":
        return y
    kinds = {type(one) for one in y.ravel().tolist()}
    if kinds == {str} or (kinds and all(issubclass(kind, (bool, int, float)) for kind in kinds)):
        return numpy.asarray(y.tolist())
    return y


def _numbers(y: Any, what: str, there: Any = None) -> Any:
    """Numbers for a model that predicts numbers. Raises Refusal for anything else, and for what is infinite."""
    found = _plain(y)
    if found.dtype.kind == "O":
        try:
            found = numpy.asarray([_number(one) for one in found.ravel().tolist()]).reshape(found.shape)
        except (TypeError, ValueError):
            found = found.astype(str)
    if found.dtype.kind not in "biuf":
        kind = {"m": "dates", "M": "dates", "c": "complex numbers"}.get(found.dtype.kind, "text")
        raise Refusal("bad-input", f"the {what} holds {kind}, but the model predicts numbers")
    found = found.astype("int64") if found.dtype.kind == "b" else found
    if what == "target" and found.dtype.kind == "f" and numpy.isinf(found).any():
        bad = numpy.isinf(found) if found.ndim == 1 else numpy.isinf(found).any(axis=1)
        places = numpy.flatnonzero(bad if there is None else _spread(bad, there))
        message = f"the target is infinite in {len(places):,} of {len(found):,} rows, first in row {places[0] + 1:,}"
        raise Refusal("bad-input", f"{message}: leave those rows empty or out")
    return found


def _number(value: Any) -> float:
    if isinstance(value, str):
        raise TypeError("a text is no number")
    return float(value)


def _spread(marks: Any, there: Any) -> Any:
    found = numpy.zeros(len(there), dtype=bool)
    found[numpy.flatnonzero(there)] = marks
    return found


def alike(y: Any, found: Any) -> tuple[Any, Any]:
    """Truth and answers as texts, where one of them is text and the other is not."""
    one, other = y.dtype.kind in "OUS", found.dtype.kind in "OUS"
    if one == other or y.ndim > 1:
        return y, found
    return as_texts(y), as_texts(found)
