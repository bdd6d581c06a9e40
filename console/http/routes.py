"""All routes: the tables of the protocols, and what every socket answers."""

from __future__ import annotations

from console.http import health
from console.http.routing import Route

ROUTES: tuple[Route, ...] = (*health.ROUTES,)
METRICS: tuple[Route, ...] = health.ROUTES
"""The routes of a socket that is for metrics alone."""
