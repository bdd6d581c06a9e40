"""TensorFlow Serving's REST API: status, metadata, predict, classify and regress."""

from __future__ import annotations

import math
from typing import Annotated, Any

import msgspec

from console.engine.api import EngineApi
from console.errors import InputError, NotServedError, UsageError
from console.http.answers import outputs
from console.http.ask import Asked, ask
from console.http.inputs import Inputs
from console.http.json_body import aside, json_response, read_json
from console.http.messages import JSON, Request, Response
from console.http.named import find_version, model_name, newest_first, version_of
from console.http.operations import ASKED, Operation, one_of
from console.http.routing import Needs, Route
from console.http.table_inputs import from_examples, from_inputs, from_instances
from console.http.tfserving_metadata import MetadataAnswer, StatusAnswer, metadata_of, version_status
from console.records import InferAnswer, ServedModel

DEFAULT_SIGNATURE = "serving_default"
_SCORING = ("predict_proba", "decision_function")


class PredictHead(msgspec.Struct):
    """A request to predict: `instances` by row, or `inputs` by column. A signature is a method of the model."""

    signature_name: str = ""
    instances: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    inputs: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class ExamplesHead(msgspec.Struct):
    """A request to classify or to regress; features in `context` belong to each example."""

    examples: list[dict[str, Any]]
    signature_name: str = ""
    context: dict[str, Any] = {}


class PredictAnswer(msgspec.Struct, omit_defaults=True):
    """`predictions` by row, or `outputs` by column; objects by output where there are several."""

    predictions: list[Any] | msgspec.UnsetType = msgspec.UNSET
    outputs: Any = msgspec.UNSET


class Results(msgspec.Struct):
    """For each example its pairs of label and score, or its value."""

    results: list[Any]


_BODY = Annotated[PredictHead, one_of("instances", "inputs")]
_PREDICT = msgspec.json.Decoder(PredictHead)
_EXAMPLES = msgspec.json.Decoder(ExamplesHead)


async def status(request: Request, engine: EngineApi) -> Response:
    """GET v1/models/{name}[/versions/{version}|/labels/{label}]."""
    model = await engine.serving.model(model_name(request))
    versions = newest_first(model)
    if (version := find_version(model, version_of(request))) is not None:
        versions = [version]
    elif label := request.params.get("label"):
        versions = [version for version in versions if label in version.labels]
        if not versions:
            raise NotServedError(f"{model.name} has no version with the label {label[:60]!r}.")
    return json_response(StatusAnswer([version_status(version) for version in versions]))


async def metadata(request: Request, engine: EngineApi) -> Response:
    """GET …/metadata."""
    model = await engine.serving.model(model_name(request))
    version = find_version(model, version_of(request))
    return json_response(metadata_of(model, version.version if version is not None else None))


async def predict(request: Request, engine: EngineApi) -> Response:
    """POST …:predict."""
    inputs, methods, by_row = await aside(len(request.body), _given, request.body)
    answer = await _asked(request, engine, inputs, methods)
    return json_response(by_rows(answer) if by_row else by_columns(answer))


def _given(body: bytes) -> tuple[Inputs, tuple[str, ...], bool]:
    """Inputs, methods, and whether they were given row by row."""
    head = read_json(body, _PREDICT)
    by_row = head.instances is not msgspec.UNSET
    if by_row == (head.inputs is not msgspec.UNSET):
        raise UsageError("Expected either 'instances' or 'inputs' in the request, found both or none.")
    if isinstance(head.instances, msgspec.Raw):
        inputs = from_instances(head.instances)
    else:
        assert isinstance(head.inputs, msgspec.Raw)
        inputs = from_inputs(head.inputs)
    return inputs, _signature(head.signature_name), by_row


def _signature(name: str) -> tuple[str, ...]:
    return () if name in ("", DEFAULT_SIGNATURE) else (name,)


async def _asked(request: Request, engine: EngineApi, inputs: Inputs, methods: tuple[str, ...]) -> InferAnswer:
    whom = Asked(model_name(request), version_of(request), request.params.get("label", ""), methods)
    return await ask(request, engine, whom, inputs)


def by_rows(answer: InferAnswer) -> PredictAnswer:
    """The answer in row form."""
    found = outputs(answer)
    if len(found) == 1:
        return PredictAnswer(next(iter(found.values())))
    return PredictAnswer([dict(zip(found, values, strict=True)) for values in zip(*found.values(), strict=True)])


def by_columns(answer: InferAnswer) -> PredictAnswer:
    """The answer in column form."""
    found = outputs(answer)
    return PredictAnswer(outputs=next(iter(found.values())) if len(found) == 1 else found)


def _examples(body: bytes) -> tuple[Inputs, tuple[str, ...]]:
    head = read_json(body, _EXAMPLES)
    return from_examples(head.examples, head.context), _signature(head.signature_name)


async def classify(request: Request, engine: EngineApi) -> Response:
    """POST …:classify."""
    inputs, methods = await aside(len(request.body), _examples, request.body)
    methods = methods or _scoring(await engine.serving.model(model_name(request)))
    answer = await _asked(request, engine, inputs, methods)
    (scores,) = outputs(answer).values()
    return json_response(Results([_pairs(answer, row) for row in scores]))


def _scoring(model: ServedModel) -> tuple[str, ...]:
    """The method that scores classes; those of a model that is not loaded are not known."""
    for method in _SCORING:
        if method in model.methods or not model.methods:
            return (method,)
    known = ", ".join(model.methods)
    raise UsageError(f"{model.name} does not score classes; its methods are {known}.", hint="ask :predict or :regress")


def _pairs(answer: InferAnswer, row: Any) -> list[tuple[str, Any]]:
    """Labels with scores; a single score is that of the second of two classes."""
    scores = row if isinstance(row, list) else [row]
    classes = answer.classes or ()
    if len(classes) == 2 and len(scores) == 1:
        classes = classes[1:]
    if len(classes) != len(scores):
        classes = tuple(range(len(scores)))
    if not all(isinstance(score, int | float | str) for score in scores):
        raise UsageError("This signature does not score classes.", hint="ask :predict")
    return [(str(label), score) for label, score in zip(classes, scores, strict=True)]


async def regress(request: Request, engine: EngineApi) -> Response:
    """POST …:regress."""
    inputs, methods = await aside(len(request.body), _examples, request.body)
    answer = await _asked(request, engine, inputs, methods or ("predict",))
    (found,) = outputs(answer).values()
    return json_response(Results([_number(value) for value in found]))


def _number(value: Any) -> Any:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if value in ("NaN", "Infinity", "-Infinity") or (isinstance(value, int | float) and math.isfinite(value)):
        return value
    raise InputError(f"The model does not answer one number for each example, but {str(value)[:60]}.")


_TAG = "TensorFlow Serving"
_PLACES = ("", "/versions/{version}", "/labels/{label}")


def _routes(pattern: str, handler: Any, operation: Operation, method: str, needs: Needs) -> list[Route]:
    """A route for a model, for each version of it and for each label."""
    return [Route(method, f"/v1/models/{{name}}{place}{pattern}", handler, needs, operation) for place in _PLACES]


ROUTES: tuple[Route, ...] = (
    *_routes("", status, Operation("States of a model's versions", _TAG, answers={JSON: StatusAnswer}), "GET", "view"),
    *_routes(
        "/metadata", metadata, Operation("Signatures of a model", _TAG, answers={JSON: MetadataAnswer}), "GET", "view"
    ),
    *_routes(
        ":predict",
        predict,
        Operation("Predict rows or columns", _TAG, {JSON: _BODY}, answers={JSON: PredictAnswer}, statuses=ASKED),
        "POST",
        "infer",
    ),
    *_routes(
        ":classify",
        classify,
        Operation("Classify examples", _TAG, {JSON: ExamplesHead}, answers={JSON: Results}, statuses=ASKED),
        "POST",
        "infer",
    ),
    *_routes(
        ":regress",
        regress,
        Operation("Regress examples", _TAG, {JSON: ExamplesHead}, answers={JSON: Results}, statuses=ASKED),
        "POST",
        "infer",
    ),
)
