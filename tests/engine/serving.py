"""Requests and contents for tests of models in service."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.dummy import DummyRegressor

from console.records import InferAnswer, InferRequest, Tensor


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
