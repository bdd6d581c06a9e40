"""Those who call an engine over a connection: for whom a call acts, and which files it may name."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import replace
from functools import cache
from typing import Any, get_args, get_type_hints

from console.access.actor import Actor, acting
from console.config import STORE_DIR
from console.engine.api import EngineApi
from console.engine.protocol import Method
from console.engine.unix_socket import Peer, user_groups
from console.errors import AccessDeniedError, UnauthenticatedError, UsageError
from console.files.roots import owner_name
from console.records import ANYBODY, ErrorRecord, ExceptionInfo, Failure, Principal, ProbePlan, UpdatePlan

__all__ = ["Caller", "Principals", "as_told", "may_name", "names_files", "nobody", "user"]

Principals = Callable[[str], Principal | None]
_NAMED = ("data", "out", "key", "identity", "file", "holdout")
"""Arguments, and fields of plans, that are paths of the engine's machine."""
_BENEATH = ("path", "beneath", "paths")
"""Those that are paths in the store."""
_PLANS = (UpdatePlan, ProbePlan)
_MOST_PRINCIPALS = 1000
_OPERATE = ("operate", "administer")
_OF_A_FAILURE = ("artifact", "phase", "code", "message", "differences", "differing", "request", "trace", "version")
"""What every bearer is told of a failure."""
_OF_THE_FRONT = frozenset({"status", "monitor.exposition", "tokens.principal", "tokens.refused"})
"""What the front, which parses hostile bytes, may call beside the room of models in service."""


def nobody(handle: str) -> Principal | None:
    """The principal of a handle where no tokens are kept: whoever gives none is anonymous."""
    return None if handle else ANYBODY


class Caller:
    """Who calls over one connection, and the contexts in which calls are made for them."""

    def __init__(self, actor: Actor | None, principals: Principals, *, trusted: bool) -> None:
        self._actor, self._principals = actor, principals
        self.trusted = trusted
        """Whether they may name any file that the engine reads: its own user."""
        self.shut_out = ""
        """Why they may not even look, where they may not."""
        self._context = _acting_as(actor)
        self._contexts: dict[str, tuple[Principal, Context]] = {}

    def require(self, method: Method) -> None:
        """Raise AccessDeniedError for what the front may not call, whoever it calls for."""
        if self._actor is None and method.room != "serving" and method.name not in _OF_THE_FRONT:
            raise AccessDeniedError(f"{method.name} is not for callers over HTTP", hint="use the console or a command")

    def context(self, handle: str) -> Context:
        """The context to make a call in. Raises UnauthenticatedError for a handle that nobody has any more,
        AccessDeniedError for those who may not even look."""
        if self.shut_out:
            raise AccessDeniedError(self.shut_out, hint="ask somebody who has that role")
        if self._actor is not None:
            return self._context.copy()
        principal = self._principals(handle)
        if principal is None:
            raise UnauthenticatedError("whoever this call is made for may not ask any more")
        known = self._contexts.get(handle)
        if known is None or known[0] is not principal:
            if len(self._contexts) >= _MOST_PRINCIPALS:
                self._contexts.clear()
            known = principal, _acting_as(Actor(principal.name, -1, principal=principal))
            self._contexts[handle] = known
        return known[1].copy()


async def user(peer: Peer, principals: Principals, engine: EngineApi) -> Caller:
    """The user at the other end of a unix socket."""
    groups, name = await asyncio.to_thread(lambda: (user_groups(peer), owner_name(peer.uid)))
    caller = Caller(Actor(name, peer.uid, groups), principals, trusted=peer.uid == os.geteuid())
    if not caller.trusted:
        status = await asyncio.get_running_loop().create_task(engine.status(), context=caller.context(""))
        caller.shut_out = status.permissions.refusal("look") or ""
    return caller


def as_told(error: ErrorRecord) -> ErrorRecord:
    """An error as the bearer it is for may hear of it: where the model raised, and its worker's last words, are for
    those who may operate."""
    actor, failure = acting.get(), error.failure
    if failure is None or actor is None or actor.principal is None or actor.principal.role in _OPERATE:
        return error
    last = tuple(ExceptionInfo(one.type, "") for one in failure.chain[-1:])
    kept = {name: getattr(failure, name) for name in _OF_A_FAILURE}
    return replace(error, failure=Failure(0, failure.when, **kept, chain=last))


def _acting_as(actor: Actor | None) -> Context:
    context = copy_context()
    context.run(acting.set, actor)
    return context


@cache
def names_files(method: Method) -> bool:
    """Whether calls of a method name files, or plans that do."""
    hints = get_type_hints(method.takes)
    plans = any(plan is hint or plan in get_args(hint) for plan in _PLANS for hint in hints.values())
    return plans or not hints.keys().isdisjoint((*_NAMED, *_BENEATH))


async def may_name(arguments: dict[str, Any], root: str, engine: Any) -> None:
    """See that files named for others lie in the store, since the engine reads and writes with its own rights.

    Raises AccessDeniedError, UsageError.
    """
    named = [str(value) for value in _named(arguments, _NAMED) if value]
    outside = [path for path in _beneath(arguments) if not _is_beneath(path)]
    if named and not outside:
        outside = await asyncio.to_thread(lambda: [path for path in named if not _is_inside(path, root)])
    if outside:
        raise AccessDeniedError(
            f"{outside[0]} is not in the store, and the engine reads and writes no other files for you",
            hint="copy it into the store: the engine runs as another user, who may more or less than you",
        )
    for plan in _plans(arguments):
        if isinstance(plan, UpdatePlan) and plan.command:
            planned = await engine.updates.plan(plan.path, data=plan.data, target=plan.target, at=plan.at)
            if planned.command != plan.command:
                raise UsageError("the plan names another command than the recipe", hint="plan the update again")


def _plans(arguments: dict[str, Any]) -> list[UpdatePlan | ProbePlan]:
    return [value for value in arguments.values() if isinstance(value, _PLANS)]


def _named(arguments: dict[str, Any], names: tuple[str, ...]) -> list[Any]:
    found = [arguments[name] for name in names if name in arguments]
    return found + [getattr(plan, name) for plan in _plans(arguments) for name in names if hasattr(plan, name)]


def _beneath(arguments: dict[str, Any]) -> list[str]:
    found = _named(arguments, _BENEATH)
    return [path for one in found for path in ((one,) if isinstance(one, str) else one)]


def _is_beneath(path: str) -> bool:
    """Whether a path of the store names nothing outside of it; where links in it lead is seen to as it is opened."""
    return not os.path.isabs(path) and ".." not in path.split("/")


def _is_inside(path: str, root: str) -> bool:
    """Whether a path lies in the store, links followed, and not among the console's own files there."""
    if not os.path.isabs(path) or "\0" in path:
        return False
    inside = os.path.relpath(os.path.realpath(path), os.path.realpath(root)).split("/")
    return inside[0] not in ("..", STORE_DIR)
