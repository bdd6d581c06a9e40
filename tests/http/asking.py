"""Requests to the handlers of the protocols through their routes; each answer is checked against its description."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from console.engine.api import EngineApi
from console.errors import ConsoleError
from console.http.errors import Refused, response_to
from console.http.messages import JSON, Request, Response
from console.http.operations import Operation
from console.http.routes import ROUTES
from console.http.routing import Router


@dataclass
class Answered:
    """An answer as a client has it."""

    status: int
    content_type: str
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Asking:
    """A client of the handlers of an engine."""

    def __init__(self, engine: EngineApi) -> None:
        self._engine = engine
        self._router = Router(ROUTES)

    async def get(self, target: str) -> Answered:
        return await self.ask("GET", target)

    async def post(
        self, target: str, body: bytes | str | object = b"", headers: Mapping[str, str] | None = None
    ) -> Answered:
        """A request with a body, which is sent as JSON where it is neither bytes nor text."""
        if not isinstance(body, bytes):
            body = (body if isinstance(body, str) else json.dumps(body)).encode()
        return await self.ask("POST", target, body, headers)

    async def ask(
        self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answered:
        path, _, query = target.partition("?")
        match = self._router.find(path.encode())
        route = match.route(method)
        sent = {name.lower().encode(): value.encode() for name, value in (headers or {}).items()}
        request = Request(method, match.path, dict(parse_qsl(query)), sent, body, "r-1", params=match.params)
        try:
            response = await route.handler(request, self._engine)
        except Refused as refused:
            response = refused.response("r-1")
        except ConsoleError as error:
            response = response_to(error, "r-1", request.principal)
        assert route.operation is not None
        _check(route.operation, response)
        whole = b"".join(response.body)
        return Answered(response.status, response.content_type, whole, dict(response.headers))


def _check(operation: Operation, response: Response) -> None:
    """The description of a route says that it answers so."""
    assert response.status in (200, *operation.others, *operation.statuses), f"{response.status} is not described"
    if response.status != 200 and response.status not in operation.others:
        return
    answers = operation.answers or {}
    assert response.content_type in answers or response.status in operation.statuses
    kind = answers.get(response.content_type)
    if kind is not None and response.content_type == JSON and response.status == 200:
        msgspec.json.decode(b"".join(response.body), type=kind)
