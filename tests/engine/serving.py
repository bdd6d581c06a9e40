"""Requests and contents for tests of models in service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.dummy import DummyRegressor

from console.engine.local import Engine
from console.files.opening import open_artifact
from console.files.snapshot import digest_of, seal
from console.records import InferAnswer, InferRequest, RequestOutcome, Tensor, Version
from tests.engine.conftest import until

PATIENT = "[serve]\ndeadline_ms = 600_000\n"
"""A recipe for tests that a busy machine does not fail."""


def asking(rows: Any, model: str = "a", **more: Any) -> InferRequest:
    """A request with these rows of numbers as one tensor."""
    array = np.asarray(rows, dtype="<f8")
    return InferRequest(model, tensors=(Tensor("x", "FP64", array.shape),), body=array.tobytes(), **more)


def numbers(answer: InferAnswer) -> Any:
    """The only output of an answer."""
    (one,) = answer.tensors
    return np.frombuffer(answer.body, "<i8" if one.datatype == "INT64" else "<f8").reshape(one.shape)


def constant(value: float) -> DummyRegressor:
    """A model of three inputs that always answers the same."""
    return DummyRegressor(strategy="constant", constant=value).fit(np.zeros((2, 3)), [value, value])


class Told:
    """Keeps how requests went."""

    def __init__(self) -> None:
        self.outcomes: list[RequestOutcome] = []

    def record(self, outcome: RequestOutcome) -> None:
        """Keep one."""
        self.outcomes.append(outcome)


async def scanned(engine: Engine) -> None:
    """Wait until the rows of a store are there."""
    await until(engine, lambda: not engine.artifacts.scanning)


async def promoted(engine: Engine, path: str, model: Any) -> Version:
    """Put another content in place of an artifact."""
    beside = Path(engine.root).parent / "new"
    beside.mkdir(exist_ok=True)
    joblib.dump(model, beside / "new.joblib")
    with open_artifact(engine.root, path) as there:
        replaces = digest_of(there)
    with open_artifact(beside, "new.joblib") as file, seal(file) as content:
        return await engine.updates._replacing.promote(
            path, content, at="", replaces=replaces, why="a test", metrics={}, replaced_metrics={}
        )
