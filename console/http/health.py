"""Health of the engine behind the front, and its metrics."""

from __future__ import annotations

from typing import Any

from console.engine.api import EngineApi
from console.http.messages import JSON, Request, Response
from console.http.oip_records import Live, Ready
from console.http.operations import Operation
from console.http.routing import Route

_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
_OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


async def healthz(request: Request, engine: EngineApi) -> Response:
    """Whether this process runs."""
    return Response(body=(b'{"live":true}',))


async def readyz(request: Request, engine: EngineApi) -> Response:
    """Whether the engine answers. Raises EngineGoneError."""
    await engine.status()
    return Response(body=(b'{"ready":true}',))


async def metrics(request: Request, engine: EngineApi) -> Response:
    """All figures, in the format that was asked for."""
    openmetrics = b"application/openmetrics-text" in request.headers.get(b"accept", b"")
    monitor: Any = engine.monitor
    text: str = await monitor.exposition(openmetrics=openmetrics)
    return Response(body=(text.encode("utf-8", "replace"),), content_type=_OPENMETRICS if openmetrics else _PROMETHEUS)


ROUTES = (
    Route("GET", "/healthz", healthz, "", Operation("Whether the server runs", "Server", answers={JSON: Live})),
    Route("GET", "/readyz", readyz, "", Operation("Whether its engine answers", "Server", answers={JSON: Ready})),
    Route(
        "GET",
        "/metrics",
        metrics,
        "view",
        Operation("All figures", "Server", answers={_PROMETHEUS: None, _OPENMETRICS: None}),
    ),
)
