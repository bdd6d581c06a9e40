"""MLflow's scoring protocol: tables and arrays in JSON or CSV to /invocations, and the predictions back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from console import __version__
from console.engine.api import EngineApi
from console.errors import NotServedError, UsageError
from console.http.answers import outputs
from console.http.ask import Asked, ask
from console.http.csv_table import read_csv
from console.http.errors import Refused
from console.http.inputs import Inputs, from_objects, from_table
from console.http.json_body import aside, json_response, read_json
from console.http.messages import JSON, TEXT, Request, Response
from console.http.operations import ASKED, Operation, one_of
from console.http.routing import Route
from console.http.table_inputs import from_inputs, from_instances

TARGET_HEADER = b"x-amzn-sagemaker-target-model"
"""How SageMaker's clients, whose protocol this is too, name one of several models."""
_FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
_KINDS = (b"application/json", b"text/csv", b"application/x-www-form-urlencoded")
"""What is taken; the last is what curl calls whatever it sends, and is read as JSON."""


_HEADER_HINT = "send the header Content-Type: application/json, or text/csv for a table in CSV"


class SplitTable(msgspec.Struct):
    """A table: the names of its columns, and its rows; an index is not looked at."""

    data: list[list[Any]]
    columns: list[Any] | None = None
    index: list[Any] | None = None


class InvocationHead(msgspec.Struct):
    """A request to predict, in one of the forms."""

    dataframe_split: SplitTable | msgspec.UnsetType = msgspec.UNSET
    dataframe_records: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET
    instances: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    inputs: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    params: dict[str, Any] | None = None


class InvocationAnswer(msgspec.Struct):
    """The predictions, an entry for each row; not-a-number is null."""

    predictions: list[Any]


_HEAD = msgspec.json.Decoder(InvocationHead)


async def invocations(request: Request, engine: EngineApi) -> Response:
    """POST invocations, POST models/{name}/invocations."""
    inputs = await aside(len(request.body), _inputs, request)
    answer = await ask(request, engine, Asked(await _model(request, engine)), inputs)
    found = outputs(answer, nan=None)
    return json_response(InvocationAnswer(next(iter(found.values()))))


async def _model(request: Request, engine: EngineApi) -> str:
    """The model that is named, or the only one that is served."""
    name = request.params.get("name") or request.query.get("model")
    if name is None and (target := request.headers.get(TARGET_HEADER)):
        name = target.decode("utf-8", "replace")
    if name is not None:
        return name
    models = await engine.serving.models()
    served = [model.name for model in models if model.loaded]
    served = served or [model.name for model in models if model.settings.load != "never"]
    if len(served) == 1:
        return served[0]
    if not served:
        raise NotServedError("No model is served here.")
    shown = ", ".join(name[:60] for name in served[:8]) + (" …" if len(served) > 8 else "")
    raise UsageError(
        f"{len(served)} models are served here, and the request names none of them: {shown}.",
        hint="POST /models/NAME/invocations, or add ?model=NAME",
    )


def _inputs(request: Request) -> Inputs:
    kind = request.headers.get(b"content-type", b"application/json").partition(b";")[0].strip().lower()
    if kind not in _KINDS:
        shown = kind[:60].decode("latin-1")
        raise Refused(415, f"Expected a body of application/json or text/csv, found {shown!r}.", hint=_HEADER_HINT)
    if kind == b"text/csv":
        return from_table(*read_csv(request.body))
    head = _head(request.body, unnamed=kind != b"application/json")
    if head.params:
        name = next(iter(head.params))[:60]
        raise UsageError(f"This model takes no params; found {name!r}.", hint="leave params out")
    return _from_head(head)


def _head(body: bytes, *, unnamed: bool) -> InvocationHead:
    """The request in JSON. Raises UsageError, which tells whoever did not name a content type how to send CSV."""
    try:
        return read_json(body, _HEAD)
    except UsageError as error:
        error.hint = error.hint or (_HEADER_HINT if unnamed else None)
        raise


def _from_head(head: InvocationHead) -> Inputs:
    given = [form for form in _FORMS if getattr(head, form) is not msgspec.UNSET]
    if len(given) != 1:
        found = " and ".join(given) or "none of them"
        raise UsageError(f"Expected one of {', '.join(_FORMS)} in the request, found {found}.")
    if isinstance(head.instances, msgspec.Raw):
        return from_instances(head.instances)
    if isinstance(head.inputs, msgspec.Raw):
        return from_inputs(head.inputs)
    if isinstance(head.dataframe_split, SplitTable):
        return _from_split(head.dataframe_split)
    return _from_records(head.dataframe_records or [])


def _from_split(table: SplitTable) -> Inputs:
    columns = None if table.columns is None else [str(name) for name in table.columns]
    width = len(columns) if columns is not None else len(table.data[0]) if table.data else 0
    if not table.data:
        raise UsageError("There are no rows in dataframe_split; expected at least one.")
    unnamed = columns == [str(at) for at in range(width)]
    return from_table(None if unnamed else columns, table.data)


def _from_records(records: list[Mapping[str, Any]] | list[dict[str, Any]]) -> Inputs:
    if not records:
        raise UsageError("There are no rows in dataframe_records; expected at least one.")
    return from_objects(records)


async def ping(request: Request, engine: EngineApi) -> Response:
    """GET ping, GET health."""
    return Response(200, (b"\n",))


async def version(request: Request, engine: EngineApi) -> Response:
    """GET version."""
    return Response(200, (__version__.encode(),), TEXT)


_TAG = "MLflow scoring"
_INVOKE = Operation(
    "Predict the rows of a table",
    _TAG,
    body={JSON: Annotated[InvocationHead, one_of(*_FORMS)], "text/csv": None},
    answers={JSON: InvocationAnswer},
    statuses=(*ASKED, 415),
)
ROUTES: tuple[Route, ...] = (
    Route("POST", "/invocations", invocations, "infer", _INVOKE),
    Route("POST", "/models/{name}/invocations", invocations, "infer", _INVOKE),
    *(
        Route("GET", path, ping, "", Operation("Whether the server answers", _TAG, answers={JSON: None}))
        for path in ("/ping", "/health")
    ),
    Route("GET", "/version", version, "", Operation("The server's version", _TAG, answers={TEXT: None})),
)
