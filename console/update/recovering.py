"""What a crash left half done is settled before anything else is changed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from console.events import Bus
from console.store.recovery import recover

__all__ = ["settle"]


async def settle(root: Path, bus: Bus) -> None:
    """Finish or take back each replacement in the store at `root` that was cut off, and tell of it.

    Raises Failed, BadInput where that cannot be told.
    """
    for done in await asyncio.to_thread(recover, root):
        bus.emit("history.recovered", done.path, f"{done.path}: {done.text}", severity="attention")
