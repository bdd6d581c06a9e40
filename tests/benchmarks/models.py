"""The models that are measured, in workers and in this process."""

from __future__ import annotations

import os
import pickle
import tempfile
from pathlib import Path
from typing import Any

from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from console.worker.launcher import Launcher
from console.worker.model import Worker


def inputs() -> tuple[Any, Any]:
    """569 rows of 30 numbers and their labels."""
    found: tuple[Any, Any] = load_breast_cancer(return_X_y=True)
    return found


def logistic_regression() -> Any:
    """The cheapest model to ask."""
    with threadpool_limits(1):
        return LogisticRegression(max_iter=10_000).fit(*inputs())


def forest() -> Any:
    """200 trees, on one thread."""
    return RandomForestClassifier(200, random_state=0).fit(*inputs())


async def served(launcher: Launcher, model: Any, name: str) -> Worker:
    """A sandboxed worker that holds the model."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "model.pkl"
        path.write_bytes(pickle.dumps(model))
        fd = os.open(path, os.O_RDONLY)
        try:
            worker = await Worker.start(launcher, name)
            await worker.load(fd, "pickle")
        finally:
            os.close(fd)
    return worker
