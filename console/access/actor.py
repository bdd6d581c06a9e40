"""Whoever the engine acts for: a user of this machine who is attached, or the bearer of a token."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from console.files.roots import user_name
from console.records import ANONYMOUS, Json, Principal


@dataclass(frozen=True, slots=True)
class Actor:
    """A user by number and groups, or (with a `principal`) whoever asks over HTTP."""

    name: str
    uid: int
    groups: frozenset[int] = frozenset()
    principal: Principal | None = None

    @property
    def who(self) -> str:
        """The name in records and events; a bearer is never taken for a user of that name."""
        if self.principal is None:
            return self.name
        return ANONYMOUS if self.principal.name == ANONYMOUS else f"token {self.principal.name}"

    def recorded(self) -> dict[str, Json]:
        """The `who` of a line in the audit log."""
        if self.principal is None:
            return {"login": None, "uid": self.uid, "user": self.name}
        return {"login": None, "uid": None, "user": self.who, "role": self.principal.role}


acting: ContextVar[Actor | None] = ContextVar("acting", default=None)
"""Whoever asked for what runs in this context; None = the user of this process. Tasks inherit it."""


def who() -> str:
    """The name of whoever asked for what runs here."""
    actor = acting.get()
    return user_name() if actor is None else actor.who


@contextmanager
def acting_as(actor: Actor | None) -> Iterator[None]:
    """Act for this one (None = the user of this process) meanwhile."""
    token = acting.set(actor)
    try:
        yield
    finally:
        acting.reset(token)
