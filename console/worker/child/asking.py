"""One question to a model: it gets rows that it may spoil, and its answer is held against the rows it was asked for."""

from __future__ import annotations

from typing import Any, Callable

from backends.core.attributes import attribute
from backends.core.errors import Refusal
from backends.core.model import Model
from console.worker.child.jsonable import column
from console.worker.child.promises import hold

_PLAIN = (str, bytes, int, float, complex)
_DENSE_CAP = 256 << 20
"""Bytes of a sparse answer once its zeros are written out."""


def ask(model: Model, name: str, rows: Any, *truth: Any) -> Any:
    """The answer of a model's method to these rows, which stay unchanged. Raises Refusal for no good answer."""
    found = answered(model.method(name), [own(one) for one in (rows, *truth)])
    check(model, name, found, count(rows))
    return found


def own(rows: Any) -> Any:
    """Rows for one call: a copy, so that a model that writes into its input spoils no later answer.

    What cannot be written to (a mapped file, what a caller sent) is given as it is.
    """
    if _read_only(rows):
        return rows
    copy = getattr(rows, "copy", None)
    if not callable(copy):
        return rows
    return copy(order="K") if hasattr(rows, "strides") else copy()


def answered(method: Callable[..., Any], given: list[Any]) -> Any:
    """The method's answer, row by row; one that has to write into what is read-only gets a copy of it after all."""
    try:
        return _by_row(method(*given), given[0])
    except ValueError as error:
        if "read-only" not in str(error) or not any(map(_read_only, given)):
            raise
    return _by_row(method(*(one.copy() if _read_only(one) else one for one in given)), given[0])


def _by_row(answer: Any, rows: Any) -> Any:
    """An answer as what has a value, or a list of them, for each row: a frame's, sparse numbers with their zeros.

    Columns by name become an object for each row. Raises Refusal for sparse numbers that are too many to write out.
    """
    if hasattr(answer, "strides"):
        return answer
    if hasattr(answer, "toarray"):
        if answer.shape[0] * answer.shape[-1] * answer.dtype.itemsize > _DENSE_CAP:
            shape = " x ".join(f"{side:,}" for side in answer.shape)
            raise Refusal("too-large", f"the answer is {shape} sparse numbers, too many to write out")
        return answer.toarray()
    if hasattr(answer, "columns") and callable(attribute(answer, "to_numpy")):
        return answer.to_numpy()
    if isinstance(answer, dict) and answer and all(_sized(one) == count(rows) for one in answer.values()):
        return [dict(zip(answer, values)) for values in zip(*map(column, answer.values()))]
    return answer


def _read_only(rows: Any) -> bool:
    """Whether an array, or every block of a data frame, refuses to be written to."""
    if hasattr(rows, "iloc"):
        try:
            return not any(block.values.flags.writeable for block in rows._mgr.blocks)
        except AttributeError:
            return False
    return not getattr(getattr(rows, "flags", None), "writeable", True)


def count(rows: Any) -> int:
    """How many rows."""
    shape = getattr(rows, "shape", None)
    return int(shape[0]) if shape else len(rows)


def check(model: Model, name: str, answer: Any, rows: int) -> None:
    """Raise Refusal unless there is one answer for each of so many rows, and each can be (see `promises.hold`).

    Of `score`, unless it is a number.
    """
    shape = getattr(answer, "shape", None)
    if type(shape) is tuple and shape and name != "score":
        fits = shape[0] == rows
    elif name == "score":
        fits = isinstance(answer, (int, float)) or shape == ()
    else:
        fits = _fits(answer, rows)
    if not fits:
        wanted = "a number" if name == "score" else f"one answer for each of {rows:,} row{'s' * (rows != 1)}"
        raise Refusal("bad-answer", f"{model.name}.{name} answered {_words(answer)}; expected {wanted}")
    if name != "transform":
        hold(model, name, answer)


def _fits(answer: Any, rows: int) -> bool:
    """Whether what is no array holds as many answers: a sequence, columns by name, or one array for each output."""
    if isinstance(answer, _PLAIN) or getattr(answer, "shape", None) == ():
        return rows == 1
    if isinstance(answer, dict):
        return rows == 1 or (bool(answer) and all(_sized(one) == rows for one in answer.values()))
    if _sized(answer) == rows:
        return True
    several = isinstance(answer, (list, tuple)) and bool(answer)
    return several and all(hasattr(one, "shape") and _sized(one) == rows for one in answer)


def _sized(answer: Any) -> int:
    """How many answers there are; -1 for what has no order or no length."""
    shape = getattr(answer, "shape", None)
    if type(shape) is tuple:
        return int(shape[0]) if shape else -1
    unordered = isinstance(answer, (*_PLAIN, set, frozenset, dict))
    return -1 if unordered or attribute(answer, "__len__") is None else len(answer)


def _words(answer: Any) -> str:
    if answer is None:
        return "nothing (None)"
    kind = type(answer).__name__
    if hasattr(answer, "__next__"):
        return f"a {kind} that would have to be run to be read"
    shape = getattr(answer, "shape", None)
    if type(shape) is tuple:
        return f"a {kind} of shape {shape}"
    return f"a {kind}" + (
        f" of {len(answer):,}" if not isinstance(answer, _PLAIN) and hasattr(answer, "__len__") else ""
    )
