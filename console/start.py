"""The start of the console as the command line names it: a screen, a model and a filter."""

from __future__ import annotations

from dataclasses import dataclass

OF_STORE: tuple[str, ...] = ("home", "charts", "events", "errors", "sandbox", "help")
"""Screens that need no model."""
OF_MODEL: tuple[str, ...] = (
    "model",
    "live",
    "try",
    "output",
    "versions",
    "history",
    "trust",
    "update",
    "errors",
    "sandbox",
)
"""Screens that can be about one model."""
SCREENS: tuple[str, ...] = (*OF_STORE, *(name for name in OF_MODEL if name not in OF_STORE))


@dataclass(frozen=True, slots=True)
class Start:
    """One of SCREENS, the name of a model where it is about one, and a filter (None = the one that was kept)."""

    screen: str = "home"
    model: str = ""
    filter: str | None = None
