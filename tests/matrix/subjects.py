"""One model of the matrix with the rows it is asked, and the data that models are trained on."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["ASKED", "METHODS", "NAMES", "Subject", "as_array", "as_texts", "labels", "rows", "values"]

METHODS = ("predict", "predict_proba", "decision_function", "transform")
NAMES = ["größe", "p", "q"]
"""Columns of numbers; one of them is written differently in each encoding."""
ASKED = 24
TRAINED = 160

Given = Callable[[pd.DataFrame], Any]


@dataclass
class Subject:
    """A model, the rows it is asked and their truth.

    `frame` has the columns that the model was trained on, in its order; `named` = it keeps their names. `given` makes
    of such a frame what the library is asked with. `truth` has one column for each target, or none. `refused` says why
    the model can answer nothing at all here; `told` what must be told of every answer.
    """

    model: Any
    frame: pd.DataFrame
    truth: pd.DataFrame
    given: Given
    named: bool
    saved: bytes = b""
    at: str = ""
    asked: Any = None
    refused: str = ""
    told: str = ""
    answers: dict[str, Any] = field(default_factory=dict)
    """What the model answered where it was trained, for those that are not trained here."""

    def __post_init__(self) -> None:
        self.saved = self.saved or pickle.dumps(self.model)
        self.asked = self.model if self.asked is None else self.asked
        self.frame = self.frame.reset_index(drop=True)
        self.truth = self.truth.reset_index(drop=True)

    @property
    def columns(self) -> list[str]:
        """The names of the inputs."""
        return [str(name) for name in self.frame]

    @property
    def numbers(self) -> list[str]:
        """The columns of numbers."""
        return [name for name in self.columns if self.frame[name].dtype.kind in "iuf"]

    @property
    def sheet(self) -> pd.DataFrame:
        """The rows with their truth, as a table holds them."""
        return pd.concat([self.frame, self.truth], axis="columns")

    @property
    def targets(self) -> list[str]:
        """The columns of the truth."""
        return [str(name) for name in self.truth]


def rows(columns: list[str] | None = None, *, colour: bool = False, seed: int = 3) -> pd.DataFrame:
    """Rows of three numbers that every text form holds exactly, and a colour."""
    random = np.random.default_rng(seed)
    names = columns or NAMES
    frame = pd.DataFrame(random.integers(-40, 40, size=(TRAINED, len(names))) / 8.0, columns=names)
    frame[names[1]] += 0.125
    if colour:
        frame["colour"] = np.array(["red", "green", "NA"], dtype=object)[random.integers(0, 3, size=TRAINED)]
    return frame


def values(frame: pd.DataFrame) -> np.ndarray:
    """A number for each row that follows from its numbers, and a little from the colour."""
    numbers = frame.select_dtypes("number").to_numpy()
    found = numbers @ np.array([1.5, -0.5, 0.25][: numbers.shape[1]]) + 0.125
    return np.asarray(found + 0.5 * (frame["colour"] == "red") if "colour" in frame else found)


def labels(frame: pd.DataFrame, classes: list[Any]) -> np.ndarray:
    """One of the classes for each row, by its value; not all of them can be learnt."""
    found = values(frame) + np.random.default_rng(5).normal(size=len(frame))
    places = np.digitize(found, np.quantile(found, np.linspace(0, 1, len(classes) + 1)[1:-1]))
    return np.asarray(np.array(classes, dtype=object if isinstance(classes[0], str) else None)[places])


def as_array(frame: pd.DataFrame) -> Any:
    """The rows as an array of numbers."""
    return frame.to_numpy(dtype=float)


def as_texts(frame: pd.DataFrame) -> Any:
    """The one column as a list of texts."""
    return [str(text) for text in frame.iloc[:, 0]]
