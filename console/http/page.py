"""The page for a browser: which models there are and how they stand, and a form to ask one. It has no script."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from console.engine.api import EngineApi
from console.errors import ConsoleError, UsageError
from console.http.answers import outputs
from console.http.ask import Asked, ask
from console.http.errors import status_of
from console.http.inputs import Inputs, from_table
from console.http.json_body import read_json
from console.http.messages import Request, Response
from console.http.operations import ASKED, Operation
from console.http.page_html import FormAnswer, field_names, page
from console.http.page_style import POLICY
from console.http.routing import Route
from console.http.table_inputs import from_instances
from console.records import ServedModel

HTML = "text/html; charset=utf-8"
FORM = "application/x-www-form-urlencoded"
_HEADERS = (("Content-Security-Policy", POLICY),)
_MAX_FIELDS = 200
_ROWS: msgspec.json.Decoder[msgspec.Raw] = msgspec.json.Decoder(msgspec.Raw)
_HOST = re.compile(r"[\w.:\[\]-]{1,255}", re.ASCII)
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")


async def show(request: Request, engine: EngineApi) -> Response:
    """GET /."""
    return await _page(request, engine, FormAnswer(_host(request)))


async def submit(request: Request, engine: EngineApi) -> Response:
    """POST /: the form, asked of its model."""
    fields = _fields(request)
    try:
        model = await engine.serving.model(request.query.get("model", ""))
        asked = await _asked(request, engine, model, fields)
    except ConsoleError as error:
        asked = FormAnswer(_host(request), fields, error=error.message, hint=error.hint or "")
        return await _page(request, engine, asked, status_of(error))
    return await _page(request, engine, asked)


def _host(request: Request) -> str:
    host = request.headers.get(b"host", b"").decode("latin-1")
    return host if _HOST.fullmatch(host) else "localhost"


def _fields(request: Request) -> Mapping[str, str]:
    try:
        text = request.body.decode()
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict"))
    except ValueError as error:
        raise UsageError("The form is not one of this page.") from error


async def _asked(request: Request, engine: EngineApi, model: ServedModel, fields: Mapping[str, str]) -> FormAnswer:
    inputs = _inputs(model, fields)
    method = fields.get("method", "")
    answer = await ask(request, engine, Asked(model.name, methods=(method,) if method else ()), inputs)
    return FormAnswer(_host(request), fields, outputs(answer), answer.classes, answer.version, answer.model_ms)


def _inputs(model: ServedModel, fields: Mapping[str, str]) -> Inputs:
    """The rows of the text area, or where it is empty the one of the fields. Raises InputError, UsageError."""
    if fields.get("rows", "").strip():
        return from_instances(read_json(fields["rows"].encode(), _ROWS))
    names = field_names(model)
    values = [fields.get(f"f{at}", "").strip() for at in range(len(names))]
    if not any(values):
        raise UsageError("There are no values in the form; expected a row.")
    return from_table(names, [[_value(text) for text in values]])


def _value(text: str) -> Any:
    if not text:
        return None
    return float(text) if _NUMBER.fullmatch(text) else text


async def _page(request: Request, engine: EngineApi, asked: FormAnswer, status: int = 200) -> Response:
    models = sorted(await engine.serving.models(), key=lambda model: (not model.loaded, not model.ready, model.name))
    statistics = await engine.serving.statistics()
    wanted = request.query.get("model")
    chosen = next((model for model in models if model.name == wanted), None)
    if wanted is not None and chosen is None and not asked.error:
        asked, status = FormAnswer(_host(request), error=f"No model answers to {wanted[:80]!r}."), 404
    return Response(status, (page(models, statistics, chosen, asked),), HTML, _HEADERS)


_QUERY = {"model": "The model to show"}
ROUTES: tuple[Route, ...] = (
    Route(
        "GET",
        "/",
        show,
        "view",
        Operation("A page that shows the models", "Server", answers={HTML: None}, query=_QUERY, others=(404,)),
    ),
    Route(
        "POST",
        "/",
        submit,
        "infer",
        Operation(
            "The page's form", "Server", {FORM: None}, answers={HTML: None}, query=_QUERY, statuses=ASKED, others=ASKED
        ),
    ),
)
