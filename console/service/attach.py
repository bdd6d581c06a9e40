"""Clients of the engine that serves a store: found by its lock, reached over its socket."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from console.engine.remote import RemoteEngine
from console.errors import OperationError
from console.service.runtime import RunningEngine, hidden, running

_START_S = 10.0
"""How long an engine that has just begun is waited for."""
_LOOK_S = 0.02


async def attach(root: Path) -> RemoteEngine | None:
    """The engine that serves the store at `root`; None where none does that this user may see. Raises OperationError
    for one that does not answer."""
    found = await _listening(root)
    return None if found is None else await RemoteEngine.connect(Path(found.socket), store=root)


async def require(root: Path) -> RemoteEngine:
    """The same. Raises OperationError where there is none."""
    engine = await attach(root)
    if engine is not None:
        return engine
    place = await asyncio.to_thread(hidden, root)
    if place is not None:
        raise OperationError(
            f"no engine that you may attach to serves {root}: {place} is closed to you",
            hint="ask its owner for the group that may: model-console serve STORE --group NAME",
        )
    raise OperationError(f"no engine serves {root}", hint=f"start one: model-console serve {root}")


async def _listening(root: Path) -> RunningEngine | None:
    until = time.monotonic() + _START_S
    while (found := await asyncio.to_thread(running, root)) is not None and not found.listening:
        if time.monotonic() > until:
            raise OperationError(f"process {found.pid}, which serves {root}, does not listen yet", hint="try again")
        await asyncio.sleep(_LOOK_S)
    return found
