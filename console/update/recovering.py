"""What a crash left half done is settled before anything else is changed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from console.events import Bus
from console.store import leavings

__all__ = ["settle"]


async def settle(root: Path, bus: Bus) -> list[str]:
    """Finish or take back what was cut off in the store at `root`, and tell of it, in sentences.

    Raises Failed, BadInput where that cannot be told.
    """
    replaced, others = await asyncio.to_thread(leavings.settle, root)
    for done in replaced:
        bus.emit("history.recovered", done.path, f"{done.path}: {done.text}", severity="attention")
    for text in others:
        bus.emit("store.settled", "", text, severity="attention")
    return [done.text for done in replaced] + others
