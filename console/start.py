"""The start of the console as the command line names it: a screen, a model and a filter."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Start:
    """A name of `console/screen_table.py`, of a model where it is about one, and a filter (None = the kept one)."""

    screen: str = "home"
    model: str = ""
    filter: str | None = None
