"""Routes of the front: which handler answers a method and path, and what of the path are its variables."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote_to_bytes

from console.engine.api import EngineApi
from console.http.errors import Refused
from console.http.messages import Request, Response
from console.http.operations import Operation

Handler = Callable[[Request, EngineApi], Awaitable[Response]]
Needs = Literal["", "view", "infer", "operate", "administer"]
ROLES: tuple[str, ...] = ("", "view", "infer", "operate", "administer")
"""Roles over HTTP, each with the rights of those before it; "" = nothing is needed."""

_SLASH = "\0"
"""A slash that was percent-encoded: part of a name, never a separator of the route's own words."""
_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_VARIABLE = re.compile(r"\{(\w+)\}")
_KEPT = 512
_KEPT_LENGTH = 256


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a pattern of paths with the handler that answers them.

    `{name}` in a pattern stands for the name of a model, over slashes too; any other variable for one segment, as in
    `/v2/models/{name}/versions/{version}/infer` and `/v1/models/{name}:predict`. `needs` is the least role.
    `operation` is what OpenAPI tells of it.
    """

    method: str
    pattern: str
    handler: Handler
    needs: Needs = "infer"
    operation: Operation | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """The routes of a path by method, its variables, and its decoded segments."""

    methods: Mapping[str, Route]
    params: Mapping[str, str]
    path: tuple[str, ...]

    @property
    def allow(self) -> str:
        """The methods that are answered, as the header Allow has them."""
        return ", ".join(sorted({*self.methods, "OPTIONS"}))

    def route(self, method: str) -> Route:
        """The route of a method; HEAD is answered as GET is. Raises Refused (405)."""
        route = self.methods.get("GET" if method == "HEAD" else method)
        if route is None:
            raise Refused(405, f"{method} is not answered here", headers=(("Allow", self.allow),))
        return route


class Router:
    """All routes; patterns with more words of their own come first. What was found for a path is kept."""

    def __init__(self, routes: Iterable[Route]) -> None:
        table: dict[str, dict[str, Route]] = {}
        for route in routes:
            methods = table.setdefault(route.pattern, {})
            if route.method in methods:
                raise ValueError(f"two routes for {route.method} {route.pattern}")
            methods[route.method] = route
        for methods in table.values():
            if "GET" in methods:
                methods["HEAD"] = methods["GET"]
        self._table = [(_compiled(pattern), table[pattern]) for pattern in sorted(table, key=_order)]
        self._kept: dict[bytes, Match] = {}

    def find(self, raw: bytes) -> Match:
        """The match of a path as it was sent, without its query. Raises Refused (400, 404)."""
        match = self._kept.get(raw)
        if match is None:
            match = self._search(raw)
            if len(raw) <= _KEPT_LENGTH:
                if len(self._kept) >= _KEPT:
                    self._kept.clear()
                self._kept[raw] = match
        return match

    def _search(self, raw: bytes) -> Match:
        segments = decoded(raw)
        path = "/" + "/".join(segments)
        for pattern, methods in self._table:
            if found := pattern.fullmatch(path):
                params = {name: value.replace(_SLASH, "/") for name, value in found.groupdict().items()}
                return Match(methods, params, tuple(one.replace(_SLASH, "/") for one in segments))
        raise Refused(404, "nothing is at this path")


def decoded(raw: bytes) -> list[str]:
    """The segments of a path, decoded once each; an encoded slash stays apart from a separator. Raises Refused."""
    if not raw.startswith(b"/"):
        raise Refused(400, "the path does not begin with a slash")
    if b"#" in raw or _ESCAPE.search(raw):
        raise Refused(400, "the path is not encoded as a URL is")
    try:
        text = [unquote_to_bytes(segment).decode("utf-8") for segment in raw[1:].split(b"/")]
    except UnicodeDecodeError:
        raise Refused(400, "the path is not UTF-8") from None
    if any(_CONTROLS.search(segment) for segment in text):
        raise Refused(400, "the path has control characters")
    if len(text) > 1 and not text[-1]:
        text.pop()
    if text != [""] and any(part in ("", ".", "..") for segment in text for part in segment.split("/")):
        raise Refused(404, "nothing is at this path")
    return [segment.replace("/", _SLASH) for segment in text]


def _compiled(pattern: str) -> re.Pattern[str]:
    """The expression of a pattern."""
    parts = _VARIABLE.split(pattern)
    pieces = [re.escape(part) if at % 2 == 0 else _group(part) for at, part in enumerate(parts)]
    return re.compile("".join(pieces), re.DOTALL)


def _group(variable: str) -> str:
    return f"(?P<{variable}>.+)" if variable == "name" else f"(?P<{variable}>[^/{_SLASH}]+)"


def _order(pattern: str) -> tuple[int, int, str]:
    """Patterns with more characters of their own first."""
    words = _VARIABLE.sub("", pattern)
    return (-len(words), pattern.count("{"), pattern)
