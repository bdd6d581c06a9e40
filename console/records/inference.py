"""Rows on their way to a model, and answers on their way back."""

from __future__ import annotations

from dataclasses import dataclass, field

from console.records.workers import DataFile, Prediction


@dataclass(frozen=True, slots=True)
class DataReading:
    """How far a data file is read: rows, and the share of the file; `file` is there once it is read."""

    rows: int = 0
    share: float = 0.0
    file: DataFile | None = None


@dataclass(frozen=True, slots=True)
class AnswerFile:
    """Answers in the form of a file: what kind of answers, and the bytes."""

    kind: str
    content: memoryview


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers for the next rows of a data file, as values and in the forms that were asked for."""

    outcome: Prediction
    files: dict[str, AnswerFile] = field(default_factory=dict)
