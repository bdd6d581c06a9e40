"""The OpenAPI description, version 3.1, made from the routes that are answered."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from console import __version__
from console.engine.api import EngineApi
from console.http.errors import REASONS
from console.http.messages import JSON, Request, Response
from console.http.operations import Operation
from console.http.routing import Route

_VARIABLE = re.compile(r"\{(\w+)\}")
_VARIABLES = {
    "name": "The name of a model; a slash in it is sent as %2F, or as it is",
    "version": "The number of a version",
    "label": "A label of a version",
}
_REFERENCE = "#/components/schemas/{name}"


class ErrorAnswer(msgspec.Struct):
    """Why there is no answer: a sentence, its code, what to try, and the request's id."""

    error: str
    code: str
    hint: str | None
    request_id: str | None


def description(routes: Iterable[Route]) -> dict[str, Any]:
    """The description of these routes."""
    routes = [route for route in routes if route.operation is not None]
    types = [ErrorAnswer, *(kind for route in routes for kind in _types(route.operation))]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    by_type = {_key(kind): schema for kind, schema in zip(types, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.pattern, {})[route.method.lower()] = _operation(route, by_type)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "model-console",
            "version": __version__,
            "description": "Models in service, by the Open Inference Protocol, TensorFlow Serving's and MLflow's.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _key(kind: Any) -> str:
    return repr(kind)


def _types(operation: Operation | None) -> list[Any]:
    """All types that an operation names."""
    if operation is None:
        return []
    contents = (operation.body or {}, operation.answers or {})
    return [kind for content in contents for kind in content.values() if kind is not None]


def _operation(route: Route, schemas: Mapping[str, Any]) -> dict[str, Any]:
    operation = route.operation
    assert operation is not None
    told: dict[str, Any] = {
        "operationId": _identifier(route),
        "summary": operation.summary,
        "responses": _responses(operation, schemas, needs=bool(route.needs)),
    }
    if operation.tag:
        told["tags"] = [operation.tag]
    if parameters := _parameters(route, operation):
        told["parameters"] = parameters
    if operation.body:
        told["requestBody"] = {"required": operation.required, "content": _content(operation.body, schemas)}
    if route.needs:
        told["security"] = [{"token": []}, {}]
        told["description"] = f"Needs the role {route.needs}."
    return told


def _identifier(route: Route) -> str:
    words = re.sub(r"\W+", "_", route.pattern).strip("_")
    return f"{route.method.lower()}_{words}" if words else f"{route.method.lower()}_root"


def _parameters(route: Route, operation: Operation) -> list[dict[str, Any]]:
    found = [
        _parameter(name, "path", _VARIABLES.get(name, name), required=True) for name in _VARIABLE.findall(route.pattern)
    ]
    found += [_parameter(name, "query", words, required=False) for name, words in (operation.query or {}).items()]
    return found


def _parameter(name: str, place: str, words: str, *, required: bool) -> dict[str, Any]:
    return {
        "name": name,
        "in": place,
        "required": required,
        "description": words,
        "schema": {"type": "string", "minLength": 1},
    }


def _responses(operation: Operation, schemas: Mapping[str, Any], *, needs: bool) -> dict[str, Any]:
    """Each status with what it is answered with: the answer, an error, or either."""
    own = _content(operation.answers or {}, schemas)
    error = {JSON: {"schema": schemas[_key(ErrorAnswer)]}}
    errors = set(operation.statuses) - (set() if needs else {401, 403})
    found: dict[str, Any] = {}
    for status in sorted({200, *operation.others, *errors}):
        content = own if status == 200 or status in operation.others else {}
        if status in errors:
            content = _either(content, error)
        found[str(status)] = {"description": REASONS[status], "content": content}
    return {**found, "default": {"description": "Any other refusal of the server", "content": error}}


def _either(content: Mapping[str, Any], error: Mapping[str, Any]) -> dict[str, Any]:
    """Contents of which one may be an error in the stead of its own schema."""
    if "schema" not in content.get(JSON, {}):
        return {**content, **error}
    return {**content, JSON: {"schema": {"anyOf": [content[JSON]["schema"], error[JSON]["schema"]]}}}


def _content(content: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    return {kind: {} if schema is None else {"schema": schemas[_key(schema)]} for kind, schema in content.items()}


def openapi_route(routes: Iterable[Route]) -> Route:
    """The route that answers with the description of these routes and itself."""
    known = tuple(routes)
    body: list[bytes] = []

    async def openapi(request: Request, engine: EngineApi) -> Response:
        """GET openapi.json."""
        if not body:
            body.append(msgspec.json.encode(description((*known, route))))
        return Response(200, (body[0],))

    operation = Operation("This description", "Server", answers={JSON: None})
    route = Route("GET", "/openapi.json", openapi, "", operation)
    return route
