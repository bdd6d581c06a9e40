"""The way of a request that was read: its id, its route, who asks, and the handler's answer or an error's."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from console.errors import ConsoleError, UnauthenticatedError
from console.http import bodies, browsers, errors
from console.http.callers import Caller, Callers
from console.http.connections import Origin
from console.http.errors import Refused
from console.http.limits import Held, Limits
from console.http.messages import Request, Response
from console.http.parsing import Message
from console.http.routing import Match, Route, Router
from console.records import Principal

_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_TRACE = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_MOST_FIELDS = 100
_LONGEST_WAIT_MS = 3_600_000.0
_WAIT = b"x-envoy-expected-rq-timeout-ms"
"""How a proxy says what its client waits; clients themselves say nothing in HTTP."""
_ON_RECORD = (401, 403, 429)
_NOBODY = Principal("", "")


@dataclass(slots=True)
class _Known:
    """Facts of a request as far as they are known."""

    id: str
    what: str = ""
    model: str = ""
    caller: Caller | None = None


class Application:
    """Answers requests with the handlers of a table, and with errors as JSON."""

    def __init__(self, router: Router, metrics: Router, callers: Callers, limits: Limits, held: Held) -> None:
        self._routers = (router, metrics)
        self._callers = callers
        self._limits, self._held = limits, held
        self._count = itertools.count(1)
        self._life = os.urandom(6).hex()

    async def answer(self, message: Message, origin: Origin, peer: str) -> tuple[Response, bytes]:
        """The response and the id of the request."""
        identity = self._identity(message.headers.get(b"x-request-id"))
        known = _Known(identity.decode("ascii"))
        try:
            browsers.check(message.headers, message.method, local=origin.local)
            response = await self._asked(message, origin, peer, known)
        except Exception as error:
            response = self._failed(error, known, peer)
        return response, identity

    def refuse(self, refused: Refused) -> tuple[Response, bytes]:
        """The response to what could not be read, and an id."""
        identity = self._identity(None)
        return refused.response(identity.decode("ascii")), identity

    async def _asked(self, message: Message, origin: Origin, peer: str, known: _Known) -> Response:
        """The answer of the handler, for whoever may ask it."""
        match = self._match(message, origin)
        if message.method == "OPTIONS":
            return Response(204, headers=(("Allow", match.allow),))
        route = match.route(message.method)
        known.model = match.params.get("name", "")
        known.what = f"{message.method} {route.pattern}"
        header = message.headers.get(b"authorization") if route.needs else None
        if route.needs:
            self._callers.admit(header, origin)
        known.caller = caller = self._callers.known(header) or await self._callers.ask(header, peer)
        caller.check(route.needs, known.model)
        return await self._handled(message, route, match, caller, known.id)

    def _failed(self, error: Exception, known: _Known, peer: str) -> Response:
        """The answer to what was raised; a refusal goes on record, a defect of ours to the log."""
        caller = known.caller
        if isinstance(error, Refused):
            if error.status in _ON_RECORD and known.what:
                self._callers.tell(error, caller, known.what, known.model, peer)
            return error.response(known.id)
        if isinstance(error, UnauthenticatedError):
            return self._callers.forget(caller, error).response(known.id)
        if isinstance(error, ConsoleError):
            return errors.response_to(error, known.id, _NOBODY if caller is None else caller.principal)
        if isinstance(error, (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)):
            return Refused(400, _unreadable(error), code="bad-input").response(known.id)
        sys.stderr.write(f"request {known.id}: {''.join(traceback.format_exception(error))}")
        return errors.defect(known.id)

    def _identity(self, sent: bytes | None) -> bytes:
        """The id that was sent, if it is one, else a new one."""
        if sent is not None and _ID.fullmatch(sent):
            return sent
        return b"%b-%x" % (self._life.encode("ascii"), next(self._count))

    def _match(self, message: Message, origin: Origin) -> Match:
        target = message.target
        if target == b"*" and message.method == "OPTIONS":
            return Match({}, {}, ())
        if not target.startswith(b"/"):
            target = _of_absolute(target)
        return self._routers[origin.metrics].find(target.partition(b"?")[0])

    async def _handled(self, message: Message, route: Route, match: Match, caller: Caller, identity: str) -> Response:
        """The answer of the handler to the body as it was before it was compressed."""
        body = b"" if message.parts is None else message.parts.whole()
        encoding = bodies.encoding_of(message.headers.get(b"content-encoding")) if body else ""
        if not encoding:
            return await route.handler(_request(message, match, caller, identity, body), caller.engine)
        body = await asyncio.to_thread(bodies.decompressed, body, encoding, self._limits.body)
        self._held.take(len(body))
        try:
            return await route.handler(_request(message, match, caller, identity, body), caller.engine)
        finally:
            self._held.give(len(body))


def _request(message: Message, match: Match, caller: Caller, identity: str, body: bytes) -> Request:
    headers = message.headers
    return Request(
        message.method,
        match.path,
        _query(message.target),
        headers,
        body,
        identity,
        _trace(headers.get(b"traceparent")),
        _wait(headers.get(_WAIT)),
        caller.principal,
        match.params,
    )


def _of_absolute(target: bytes) -> bytes:
    """The path of a target that proxies are sent, `http://host/path`. Raises Refused (400)."""
    if not target.lower().startswith((b"http://", b"https://")):
        raise Refused(400, "the target of the request is no path")
    try:
        found = urlsplit(target)
    except ValueError:
        raise Refused(400, "the target of the request is no URL") from None
    return (found.path or b"/") + (b"?" + found.query if found.query else b"")


def _query(target: bytes) -> Mapping[str, str]:
    """The fields after the question mark; the last of a name counts. Raises Refused (400)."""
    _, mark, query = target.partition(b"?")
    if not mark or not query:
        return {}
    try:
        text = query.decode("ascii")
        unquote(text, errors="strict")
        return dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise Refused(400, "the query of the URL cannot be read") from None


def _trace(sent: bytes | None) -> str:
    return sent.decode("ascii") if sent is not None and _TRACE.fullmatch(sent) else ""


def _wait(sent: bytes | None) -> float | None:
    if sent is None or not sent.isdigit() or len(sent) > 9:
        return None
    return min(float(sent), _LONGEST_WAIT_MS) or None


def _unreadable(error: Exception) -> str:
    """A sentence for a body that cannot be read."""
    if isinstance(error, RecursionError):
        return "the body is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "the body is not UTF-8"
    return f"the body cannot be read: {error}"
