"""Whoever the engine acts for: a user of this machine who is attached, or the bearer of a token."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass

from console.records import Principal


@dataclass(frozen=True, slots=True)
class Actor:
    """A user by number and groups, or (with a `principal`) whoever asks over HTTP."""

    name: str
    uid: int
    groups: frozenset[int] = frozenset()
    principal: Principal | None = None


acting: ContextVar[Actor | None] = ContextVar("acting", default=None)
"""Whoever asked for what runs in this context; None = the user of this process. Tasks inherit it."""
