"""Those who call an engine over a connection: for whom a call acts, and which files it may name."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any

from console.access.actor import Actor, acting
from console.engine.unix_socket import Peer, user_groups
from console.errors import AccessDeniedError, UsageError
from console.files.roots import owner_name
from console.records import Principal, ProbePlan, UpdatePlan

__all__ = ["Caller", "Principals", "may_name", "nobody", "user"]

Principals = Callable[[str], Principal | None]
_NAMED = ("data", "out", "key", "identity", "file", "typed", "holdout")
"""Arguments, and fields of plans, that are paths of the engine's machine."""
_MOST_PRINCIPALS = 1000


def nobody(handle: str) -> Principal | None:
    """The principal of a handle where no tokens are kept: whoever gives none is anonymous."""
    return None if handle else Principal("anonymous", "infer")


class Caller:
    """Who calls over one connection, and the contexts in which calls are made for them."""

    def __init__(self, actor: Actor | None, principals: Principals, *, trusted: bool) -> None:
        self._actor, self._principals = actor, principals
        self.trusted = trusted
        """Whether they may name any file that the engine reads: its own user."""
        self._context = _acting_as(actor)
        self._contexts: dict[str, tuple[Principal, Context]] = {}

    def context(self, handle: str) -> Context:
        """The context to make a call in. Raises AccessDeniedError for a handle that nobody has any more."""
        if self._actor is not None:
            return self._context.copy()
        principal = self._principals(handle)
        if principal is None:
            raise AccessDeniedError("whoever this call is made for may not ask any more")
        known = self._contexts.get(handle)
        if known is None or known[0] is not principal:
            if len(self._contexts) >= _MOST_PRINCIPALS:
                self._contexts.clear()
            known = principal, _acting_as(Actor(principal.name, -1, principal=principal))
            self._contexts[handle] = known
        return known[1].copy()


async def user(peer: Peer, principals: Principals) -> Caller:
    """The user at the other end of a unix socket."""
    groups, name = await asyncio.to_thread(lambda: (user_groups(peer), owner_name(peer.uid)))
    return Caller(Actor(name, peer.uid, groups), principals, trusted=peer.uid == os.geteuid())


def _acting_as(actor: Actor | None) -> Context:
    context = copy_context()
    context.run(acting.set, actor)
    return context


def names_files(arguments: dict[str, Any]) -> bool:
    """Whether a call names files, or a plan that does."""
    return any(value is not None for _, value in _named(arguments)) or bool(_plans(arguments))


async def may_name(arguments: dict[str, Any], root: str, engine: Any) -> None:
    """See that files named for others lie in the store, since the engine reads and writes with its own rights.

    Raises AccessDeniedError, UsageError.
    """
    named = [(name, str(value)) for name, value in _named(arguments) if value]
    outside = await asyncio.to_thread(lambda: [one for one in named if not _is_inside(*one, root)])
    if outside:
        raise AccessDeniedError(
            f"{outside[0][1]} is not in the store, and the engine, which is another user's, reads and writes no other "
            "files for you",
            hint="copy it into the store, or run the command without the engine",
        )
    for plan in _plans(arguments):
        if isinstance(plan, UpdatePlan) and plan.command:
            planned = await engine.updates.plan(plan.path, data=plan.data, target=plan.target, at=plan.at)
            if planned.command != plan.command:
                raise UsageError("the plan names another command than the recipe", hint="plan the update again")


def _plans(arguments: dict[str, Any]) -> list[UpdatePlan | ProbePlan]:
    return [value for value in arguments.values() if isinstance(value, (UpdatePlan, ProbePlan))]


def _named(arguments: dict[str, Any]) -> list[tuple[str, Any]]:
    found = [(name, arguments[name]) for name in _NAMED if name in arguments]
    for plan in _plans(arguments):
        found += [(name, getattr(plan, name)) for name in _NAMED if hasattr(plan, name)]
    return found


def _is_inside(name: str, path: str, root: str) -> bool:
    """Whether a path lies in the store, links followed; one that is being typed may be relative to it."""
    whole = os.path.join(root, path) if name == "typed" and not path.startswith("~") else path
    if not os.path.isabs(whole):
        return False
    return os.path.commonpath((os.path.realpath(whole), os.path.realpath(root))) == os.path.realpath(root)
