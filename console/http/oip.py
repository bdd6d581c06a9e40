"""The Open Inference Protocol, version 2, over HTTP: health, metadata, statistics, the repository and inference."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from console import __version__
from console.engine.api import EngineApi
from console.errors import UsageError
from console.http.answers import SCORES
from console.http.json_body import json_response, read_json
from console.http.json_text import encode
from console.http.messages import BINARY, JSON, Request, Response
from console.http.named import find_version, model_name, newest_first, version_of
from console.http.oip_infer import infer
from console.http.oip_records import (
    IndexEntry,
    IndexHead,
    InferAnswerHead,
    InferHead,
    Live,
    Loaded,
    LoadHead,
    ModelMetadata,
    ModelReady,
    ModelStats,
    Ready,
    ServerMetadata,
    TensorMetadata,
)
from console.http.oip_statistics import model_stats
from console.http.operations import ASKED, Operation
from console.http.routing import Needs, Route
from console.records import ServedModel, ServedState, ServedVersion, Tensor

EXTENSIONS = ["binary_tensor_data", "model_repository", "model_repository(unload_dependents)", "statistics"]
NOT_READY = 503
_INDEX = msgspec.json.Decoder(IndexHead)
_LOAD = msgspec.json.Decoder(LoadHead)
_STATES = {
    ServedState.START: "UNAVAILABLE",
    ServedState.LOADING: "LOADING",
    ServedState.AVAILABLE: "READY",
    ServedState.UNLOADING: "UNLOADING",
    ServedState.END: "UNAVAILABLE",
}


async def server(request: Request, engine: EngineApi) -> Response:
    """GET v2."""
    return json_response(ServerMetadata("model-console", __version__, EXTENSIONS))


async def live(request: Request, engine: EngineApi) -> Response:
    """GET v2/health/live."""
    return json_response(Live(True))


async def ready(request: Request, engine: EngineApi) -> Response:
    """GET v2/health/ready: whether all that is served from the start answers; what failed is left out, since it keeps
    nobody else from being answered."""
    waited = [model.name for model in await engine.serving.models() if _starts(model)]
    if not waited:
        return json_response(Ready(True))
    return json_response(Ready(False, f"{len(waited)} models are still loading"), NOT_READY)


def _starts(model: ServedModel) -> bool:
    loading = any(version.state in (ServedState.START, ServedState.LOADING) for version in model.versions)
    return model.settings.load == "start" and loading and not model.ready


async def metadata(request: Request, engine: EngineApi) -> Response:
    """GET v2/models/{name}[/versions/{version}]."""
    model = await engine.serving.model(model_name(request))
    find_version(model, version_of(request))
    return json_response(
        ModelMetadata(
            model.name,
            platform_of(model),
            [_input(model, tensor) for tensor in model.inputs],
            [_output(model, tensor) for tensor in model.outputs],
            [version.version for version in reversed(newest_first(model))],
            _parameters(model),
        )
    )


def platform_of(model: ServedModel) -> str:
    """The library and the format, as in sklearn_joblib."""
    library, dot, _rest = (model.model_class or "").partition(".")
    return f"{library}_{model.format}" if dot and library != model.format else model.format


def _parameters(model: ServedModel) -> dict[str, str]:
    found = {"methods": encode(model.methods).decode(), "verdict": model.verdict, "load": model.settings.load}
    if model.model_class:
        found["class"] = model.model_class
    if model.signature.classes is not None:
        found["classes"] = encode(model.signature.classes).decode()
    return found


def _input(model: ServedModel, tensor: Tensor) -> TensorMetadata:
    names = model.signature.feature_names
    shown = names is not None and len(model.inputs) == 1 and len(names) == tensor.shape[-1]
    parameters = {"columns": encode(names).decode()} if shown else None
    return TensorMetadata(tensor.name, tensor.datatype, tensor.shape, parameters)


def _output(model: ServedModel, tensor: Tensor) -> TensorMetadata:
    classes = model.signature.classes
    shown = classes is not None and tensor.name in SCORES and tensor.shape[-1:] == (len(classes),)
    return TensorMetadata(
        tensor.name, tensor.datatype, tensor.shape, {"classes": encode(classes).decode()} if shown else None
    )


async def model_ready(request: Request, engine: EngineApi) -> Response:
    """GET v2/models/{name}[/versions/{version}]/ready."""
    model = await engine.serving.model(model_name(request))
    version = find_version(model, version_of(request))
    if version is None:
        answers, reason = model.ready, model.reason
    else:
        on_demand = version.current and version.state is ServedState.START and model.ready
        answers, reason = version.state is ServedState.AVAILABLE or on_demand, version.reason
    reason = reason or ("" if answers else "it is not loaded")
    return json_response(ModelReady(model.name, answers, reason), 200 if answers else NOT_READY)


async def statistics(request: Request, engine: EngineApi) -> Response:
    """GET v2/models[/{name}[/versions/{version}]]/stats."""
    name = request.params.get("name", "")
    found = await engine.serving.statistics(name)
    if version := version_of(request):
        find_version(await engine.serving.model(name), version)
        found = tuple(item for item in found if item.version == version)
    return json_response(model_stats(found))


async def index(request: Request, engine: EngineApi) -> Response:
    """POST v2/repository/index; clients send no body, an empty object or what they want."""
    head = read_json(request.body, _INDEX) if request.body.strip() else IndexHead()
    entries = (entry for model in await engine.serving.models() for entry in _entries(model))
    return json_response([entry for entry in entries if not head.ready or entry.state == "READY"])


def _entries(model: ServedModel) -> Iterable[IndexEntry]:
    if not model.versions:
        yield IndexEntry(model.name, "", "UNAVAILABLE", model.reason or "it is not loaded")
    for version in reversed(newest_first(model)):
        state = _STATES[version.state]
        yield IndexEntry(model.name, version.version, state, _reason(model, version, state))


def _reason(model: ServedModel, version: ServedVersion, state: str) -> str:
    if state == "READY":
        return ""
    return version.reason or (model.reason if version.current else "") or f"it is {version.state.value}"


async def load(request: Request, engine: EngineApi) -> Response:
    """POST v2/repository/models/{name}/load."""
    version = _asked_version(request)
    model = await engine.serving.load(model_name(request), version)
    return json_response(Loaded(model.name, load=True, versions=list(_entries(model))))


async def unload(request: Request, engine: EngineApi) -> Response:
    """POST v2/repository/models/{name}/unload."""
    version = _asked_version(request)
    model = await engine.serving.unload(model_name(request), version)
    return json_response(Loaded(model.name, unload=True, versions=list(_entries(model))))


def _asked_version(request: Request) -> str:
    """The version in the parameters; what else they may say of loading, this server cannot do."""
    head = read_json(request.body, _LOAD) if request.body.strip() else LoadHead()
    parameters: dict[str, Any] = dict(head.parameters or {})
    parameters.pop("unload_dependents", None)
    version = parameters.pop("version", "")
    if parameters:
        raise UsageError(
            f"A model is loaded as its store and recipe have it; the parameter {next(iter(parameters))[:60]!r} is not "
            "taken."
        )
    return str(version)


def _routes(
    pattern: str, handler: Any, operation: Operation, method: str = "GET", needs: Needs = "view"
) -> list[Route]:
    """A route for a model, and for each version of it."""
    return [
        Route(method, f"/v2/models/{{name}}{part}{pattern}", handler, needs, operation)
        for part in ("", "/versions/{version}")
    ]


_TAG = "Open Inference Protocol"
_INFER = Operation(
    "Ask a model: tensors in JSON, or behind a JSON head as bytes",
    _TAG,
    body={JSON: InferHead, BINARY: None},
    answers={JSON: InferAnswerHead, BINARY: None},
    statuses=ASKED,
)
_REPOSITORY = (400, *ASKED[1:], 409)
ROUTES: tuple[Route, ...] = (
    Route("GET", "/v2", server, "", Operation("The server and its extensions", _TAG, answers={JSON: ServerMetadata})),
    Route("GET", "/v2/health/live", live, "", Operation("Whether the server answers", _TAG, answers={JSON: Live})),
    Route(
        "GET",
        "/v2/health/ready",
        ready,
        "",
        Operation("Whether it is ready", _TAG, answers={JSON: Ready}, others=(NOT_READY,)),
    ),
    *_routes("", metadata, Operation("What a model is, loaded or not", _TAG, answers={JSON: ModelMetadata})),
    *_routes(
        "/ready",
        model_ready,
        Operation("Whether a model answers", _TAG, answers={JSON: ModelReady}, others=(NOT_READY,)),
    ),
    *_routes("/infer", infer, _INFER, "POST", "infer"),
    Route(
        "GET", "/v2/models/stats", statistics, "view", Operation("Statistics of all", _TAG, answers={JSON: ModelStats})
    ),
    *_routes("/stats", statistics, Operation("Statistics of a model", _TAG, answers={JSON: ModelStats})),
    Route(
        "POST",
        "/v2/repository/index",
        index,
        "view",
        Operation(
            "All models and versions, with the reasons why they are not ready",
            _TAG,
            body={JSON: IndexHead},
            required=False,
            answers={JSON: list[IndexEntry]},
            statuses=(400, *ASKED[1:]),
        ),
    ),
    *(
        Route(
            "POST",
            f"/v2/repository/models/{{name}}/{verb}",
            handler,
            "operate",
            Operation(summary, _TAG, {JSON: LoadHead}, required=False, answers={JSON: Loaded}, statuses=_REPOSITORY),
        )
        for verb, handler, summary in (
            ("load", load, "Have a model answer"),
            ("unload", unload, "Have a model answer no more"),
        )
    ),
)
