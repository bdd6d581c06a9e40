"""Files of the matrix, and each one's word of itself: its bytes, the rows it holds, what it lacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tests.matrix.subjects import Subject

__all__ = ["FILES", "Written", "changed", "csv", "file", "plain", "records"]

FILES: dict[str, Callable[[Subject], Written]] = {}
"""By name, what writes the rows of a model."""


@dataclass
class Written:
    """The bytes of one file and what is right for them.

    `rows` are those that a faithful reading gives the model, `truth` theirs; `sparse` = they lie in a sparse matrix.
    `lacks` says, as an expression that the message must match, why there is no answer; None where there is one.
    `told` must stand in what was decided; `odd` is a label in the truth that no model knows.
    """

    data: bytes
    rows: pd.DataFrame
    truth: pd.DataFrame
    suffix: str = "csv"
    target: str | tuple[str, ...] | None = None
    lacks: str | None = None
    sparse: bool = False
    told: str = ""
    odd: str = ""


def file(write: Callable[[Subject], Written]) -> Callable[[Subject], Written]:
    """Add a file to the matrix, under the name of the function that writes it."""
    FILES[write.__name__] = write
    return write


def csv(table: pd.DataFrame, **options: Any) -> str:
    """The table as text."""
    return str(table.to_csv(index=False, **options))


def records(subject: Subject) -> list[dict[str, Any]]:
    """The rows with their truth as objects."""
    names = [*subject.columns, *subject.targets]
    return [dict(zip(names, row, strict=True)) for row in subject.sheet.to_numpy(dtype=object).tolist()]


def plain(subject: Subject, data: str | bytes, **more: Any) -> Written:
    """A file that holds the rows with their truth, as they are."""
    targets = tuple(subject.targets)
    named = targets[0] if len(targets) == 1 else targets or None
    data = data.encode() if isinstance(data, str) else data
    return Written(data, **{"rows": subject.frame, "truth": subject.truth, "target": named} | more)


def changed(subject: Subject, at: int, spelled: Callable[[Any], Any]) -> tuple[pd.DataFrame, pd.DataFrame, str | None]:
    """The sheet and the rows with one cell in another spelling, and the column of numbers it is in.

    A model that takes no numbers gets its text so; there is no such column then.
    """
    frame = subject.frame.astype(object)
    name = subject.numbers[0] if subject.numbers else str(frame.columns[0])
    frame.loc[at, name] = spelled(frame.loc[at, name])
    return pd.concat([frame, subject.truth], axis="columns"), frame, name if subject.numbers else None
