"""What is done with a request that was read: its id, its route, who asks, and the handler's answer or an error's."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import sys
import traceback
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from console.errors import ConsoleError
from console.http import bodies, browsers, errors
from console.http.callers import Caller, Callers
from console.http.connection import Origin
from console.http.errors import Refused
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


class Application:
    """Answers requests with the handlers of a table, and with errors as JSON."""

    def __init__(
        self, router: Router, metrics: Router, callers: Callers, *, body: int, origins: tuple[str, ...] = ()
    ) -> None:
        self._routers = (router, metrics)
        self._callers = callers
        self._body = body
        self._browsers = browsers.Browsers(origins)
        self._count = itertools.count(1)
        self._life = os.urandom(6).hex()

    async def answer(self, message: Message, origin: Origin, peer: str) -> tuple[Response, bytes]:
        """The response and the id of the request."""
        identity = self._identity(message.headers.get(b"x-request-id"))
        text = identity.decode("ascii")
        caller: Caller | None = None
        match: Match | None = None
        try:
            self._browsers.check(message.headers, message.method)
            match = self._match(message, origin)
            if message.method == "OPTIONS":
                return self._browsers.options(match.allow, message.headers), identity
            route = match.route(message.method)
            header = None
            if route.needs:
                header = message.headers.get(b"authorization")
                self._callers.admit(header, origin)
            caller = self._callers.known(header) or await self._callers.ask(header, peer)
            caller.check(route.needs, match.params.get("name", ""))
            response = await self._handled(message, route, match, caller, text)
        except Refused as refused:
            if refused.status in _ON_RECORD and match is not None:
                what = f"{message.method} {'/'.join(match.path)}"
                self._callers.tell(refused, caller, what, match.params.get("name", ""), peer)
            response = refused.response(text)
        except ConsoleError as error:
            response = errors.response_to(error, text, _NOBODY if caller is None else caller.principal)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            response = Refused(400, _unreadable(error), code="bad-input").response(text)
        except Exception:
            sys.stderr.write(f"request {text}: {traceback.format_exc()}")
            response = errors.defect(text)
        return self._browsers.marked(response, message.headers), identity

    def refuse(self, refused: Refused) -> tuple[Response, bytes]:
        """The response to what could not be read, and an id."""
        identity = self._identity(None)
        return refused.response(identity.decode("ascii")), identity

    def _identity(self, sent: bytes | None) -> bytes:
        """The id that was sent, if it is one, else a new one."""
        if sent is not None and _ID.fullmatch(sent):
            return sent
        return b"%b-%x" % (self._life.encode("ascii"), next(self._count))

    def _match(self, message: Message, origin: Origin) -> Match:
        target = message.target
        if not target.startswith(b"/"):
            target = _of_absolute(target, message.method)
        return self._routers[origin.metrics].find(target.partition(b"?")[0])

    async def _handled(self, message: Message, route: Route, match: Match, caller: Caller, identity: str) -> Response:
        """What the handler answers."""
        headers = message.headers
        body = b"" if message.parts is None else message.parts.whole()
        if body and (encoding := bodies.encoding_of(headers.get(b"content-encoding"))):
            body = await asyncio.to_thread(bodies.decompressed, body, encoding, self._body)
        request = Request(
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
        return await route.handler(request, caller.engine)


def _of_absolute(target: bytes, method: str) -> bytes:
    """The path of a target that proxies are sent, `http://host/path`."""
    if target == b"*" and method == "OPTIONS":
        return b"/"
    if not target.lower().startswith((b"http://", b"https://")):
        raise Refused(400, "the target of the request is no path")
    found = urlsplit(target)
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
