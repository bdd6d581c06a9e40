"""All routes: the tables of the protocols, and what every socket answers."""

from __future__ import annotations

from console.http import health, mlflow, oip, page, tfserving
from console.http.openapi import openapi_route
from console.http.routing import Route

_TABLES = (*health.ROUTES, *oip.ROUTES, *tfserving.ROUTES, *mlflow.ROUTES, *page.ROUTES)
ROUTES: tuple[Route, ...] = (*_TABLES, openapi_route(_TABLES))
METRICS: tuple[Route, ...] = health.ROUTES
"""The routes of a socket that is for metrics alone."""
