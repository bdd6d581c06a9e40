"""Right outcomes of the cells: asked of the library itself, with the rows that the file holds."""

from __future__ import annotations

import math
import re
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from tests.matrix.sheets import Written
from tests.matrix.subjects import METHODS, Subject

__all__ = ["CODES", "Expected", "Refused", "alike", "answers_of", "expected", "names_cause"]

CODES = frozenset({"bad-input", "columns", "no-rows", "raised", "bad-answer", "not-loadable"})
"""The codes of refusals that a file, its columns or a model can be the cause of."""
_TOLERANCE = 1e-12

Answers = dict[str, Any]
"""By method, what the library answered."""


class Refused(Exception):
    """The library answers nothing to these rows, for the reason that it gives."""


@dataclass
class Expected:
    """The answers that are right, of which one must come; without any the expression that a refusal must match."""

    answers: list[Answers]
    cause: str = ""


def expected(subject: Subject, written: Written) -> Expected:
    """The right answers for this model and this file."""
    causes = [cause for cause in (subject.refused, written.lacks) if cause]
    if causes:
        return Expected([], "|".join(causes))
    found, causes = [], []
    for rows in _given(subject, written):
        try:
            found.append(answers_of(subject, rows, written.rows))
        except Refused as error:
            causes.append(str(error))
    if written.sparse and causes:
        return Expected(found, "|".join(causes))
    return Expected(found, "" if found else "|".join(causes))


def _given(subject: Subject, written: Written) -> list[Any]:
    """The rows as the library takes them; what lies in a sparse matrix may be given so, or as it was trained."""
    rows: list[Any] = [written.rows]
    return [*rows, csr_matrix(written.rows.to_numpy(dtype=float))] if written.sparse else rows


def answers_of(subject: Subject, rows: Any, frame: pd.DataFrame) -> Answers:
    """The library's own answers, by method. Raises Refused with words of its own message, or of the reason."""
    if subject.answers and rows is frame and rows.equals(subject.frame):
        return subject.answers
    model, found = subject.asked, {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for method in METHODS:
            if not callable(getattr(model, method, None)):
                continue
            try:
                given = subject.given(rows) if rows is frame else rows
                found[method] = getattr(model, method)(given)
            except Exception as error:
                raise Refused(re.escape(str(error).strip().partition("\n")[0][:40])) from None
    return found


def names_cause(cause: str, said: str) -> bool:
    """Whether what was said names the cause."""
    return re.search(cause, said, re.IGNORECASE | re.DOTALL) is not None


def alike(right: Any, found: Any) -> bool:
    """Whether two answers are the same: texts, whole numbers and truth values exactly, numbers to twelve digits."""
    several = isinstance(right, list) and right and all(getattr(one, "ndim", 0) == 2 for one in right)
    return _same(
        [list(row) for row in zip(*map(_plain, right), strict=True)] if several else _plain(right), found, _scale(right)
    )


def _plain(value: Any) -> Any:
    convert = getattr(value, "tolist", None)
    if callable(convert):
        return _plain(convert())
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _scale(value: Any) -> float:
    try:
        numbers = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        return 1.0
    finite = numbers[np.isfinite(numbers)]
    return float(np.abs(finite).max()) if finite.size else 1.0


def _same(right: Any, found: Any, scale: float) -> bool:
    if isinstance(right, list):
        return (
            isinstance(found, list)
            and len(right) == len(found)
            and all(_same(one, other, scale) for one, other in zip(right, found, strict=True))
        )
    if isinstance(right, float) and isinstance(found, (int, float)) and not isinstance(found, bool):
        return math.isclose(right, found, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE * scale)
    return type(right) is type(found) and bool(right == found)
