"""An engine that serves three models of plain arithmetic, for tests of the protocols."""

from __future__ import annotations

import math
import struct
from array import array
from dataclasses import dataclass, field, replace
from typing import Any, cast

from backends.core.inspection import Signature
from console.engine.api import EngineApi
from console.engine.api_service import ServingApi
from console.errors import InputError, NotReadyError, NotServedError
from console.http.tensors_json import CODES
from console.records import (
    Durations,
    InferAnswer,
    InferRequest,
    ModelStatistics,
    Quantiles,
    RequestOutcome,
    ServedModel,
    ServedState,
    ServedVersion,
    ServeSettings,
    Tensor,
)

NAMES = ("age", "income", "visits")
CLASSES = ("stays", "leaves")
_RECENT = Quantiles(1.25, 2.5, 3.0, 3.5, 5)


def churn(state: ServedState = ServedState.AVAILABLE) -> ServedModel:
    """A classifier of three columns, in two versions."""
    return ServedModel(
        name="churn/lr",
        path="churn/lr.joblib",
        format="joblib",
        model_class="sklearn.linear_model._logistic.LogisticRegression",
        verdict="safe",
        settings=ServeSettings("churn/lr", load="start"),
        versions=(
            ServedVersion("1", ServedState.END, "it was replaced", labels=()),
            ServedVersion("2", state, current=True, labels=("stable",), weight=1.0),
        ),
        signature=Signature(3, NAMES, 1, CLASSES),
        methods=("predict", "predict_proba"),
        inputs=(Tensor("inputs", "FP64", (-1, 3)),),
        outputs=(Tensor("predict", "BYTES", (-1,)), Tensor("predict_proba", "FP64", (-1, 2))),
        ready=state is ServedState.AVAILABLE,
        reason="" if state is ServedState.AVAILABLE else "it is loading",
    )


def total() -> ServedModel:
    """A regressor that sums a row."""
    return replace(
        churn(),
        name="sum",
        path="sum.onnx",
        format="onnx",
        model_class=None,
        signature=Signature(4, None, 1, None),
        methods=("predict",),
        inputs=(Tensor("inputs", "FP64", (-1, 4)),),
        outputs=(Tensor("predict", "FP64", (-1,)),),
        versions=(ServedVersion("1", ServedState.AVAILABLE, current=True),),
    )


def broken() -> ServedModel:
    """A model that did not load."""
    return replace(
        total(),
        name="<b>broken</b>",
        verdict="blocked",
        versions=(ServedVersion("1", ServedState.END, "names os.system"),),
        ready=False,
        reason="names os.system",
        settings=ServeSettings("<b>broken</b>", load="start"),
    )


@dataclass
class Standin:
    """ServingApi by hand; what was asked is kept."""

    served: list[ServedModel] = field(default_factory=lambda: [churn(), total(), broken()])
    asked: list[InferRequest] = field(default_factory=list)
    answers: InferAnswer | None = None

    async def models(self) -> tuple[ServedModel, ...]:
        return tuple(self.served)

    async def model(self, name: str) -> ServedModel:
        for model in self.served:
            if model.name == name:
                return model
        raise NotServedError(f"Nothing answers to {name}.")

    async def infer(self, request: InferRequest) -> InferAnswer:
        self.asked.append(request)
        model = await self.model(request.model)
        if not model.ready:
            raise NotReadyError(f"{model.name} is not ready: {model.reason}.")
        if self.answers is not None:
            return self.answers
        rows = table(request)
        width = model.signature.n_features
        if any(len(row) != width for row in rows):
            raise InputError(f"Expected {width} columns, found {len(rows[0])}.")
        sums = [math.fsum(float(value or 0) for value in row) for row in rows]
        if model.name == "sum":
            return _numbers(model, "predict", sums, (len(sums),))
        answer = InferAnswer(model.name, "2", rows=len(rows), classes=CLASSES)
        methods = request.methods or ("predict",)
        if unknown := [method for method in methods if method not in model.methods]:
            raise InputError(f"{model.name} has no method {unknown[0]}; it has {', '.join(model.methods)}.")
        if "predict_proba" in methods:
            scores = [share for value in sums for share in (1 - value / 100, value / 100)]
            answer = _numbers(model, "predict_proba", scores, (len(sums), 2))
        if "predict" in methods:
            labels: Any = [CLASSES[value > 50] for value in sums]
            answer = replace(answer, values={"predict": labels})
        return answer

    async def load(self, name: str, version: str = "") -> ServedModel:
        return await self.model(name)

    async def unload(self, name: str, version: str = "") -> ServedModel:
        return await self.model(name)

    async def configure(self, name: str, settings: ServeSettings) -> ServedModel:
        return replace(await self.model(name), settings=settings)

    async def statistics(self, name: str = "") -> tuple[ModelStatistics, ...]:
        took = Durations(3, 9_000_000)
        found = ModelStatistics("churn/lr", "2", 1.5, 5, 3, took, Durations(), took, took, {}, {1: took}, _RECENT)
        return (found,) if name in ("", "churn/lr") else ()

    async def worst(self, name: str) -> tuple[RequestOutcome, ...]:
        return ()


def table(request: InferRequest) -> list[list[Any]]:
    """The rows of a request."""
    if request.rows is not None:
        return [list(cast("list[Any]", row)) for row in request.rows]
    if len(request.tensors) > 1:
        raise InputError("each of several inputs is a column of the table")
    (tensor,) = request.tensors
    count, width = tensor.shape
    values = struct.unpack(f"<{count * width}{CODES[tensor.datatype]}", request.body)
    return [list(values[at * width : at * width + width]) for at in range(count)]


def _numbers(model: ServedModel, name: str, values: list[float], shape: tuple[int, ...]) -> InferAnswer:
    version = next(version.version for version in model.versions if version.current)
    classes = model.signature.classes
    body = array("d", values).tobytes()
    return InferAnswer(model.name, version, (Tensor(name, "FP64", shape),), body, classes=classes, rows=shape[0])


class StandinEngine:
    """An engine that has nothing but models in service."""

    def __init__(self, serving: ServingApi | None = None) -> None:
        self.serving: ServingApi = serving if serving is not None else Standin()


def engine_of(serving: ServingApi | None = None) -> EngineApi:
    """The stand-in as handlers take it."""
    return cast(EngineApi, StandinEngine(serving))
