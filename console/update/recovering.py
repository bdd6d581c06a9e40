"""What a crash left half done is settled before anything else is read or changed, or told where it cannot be."""

from __future__ import annotations

import asyncio
from pathlib import Path

from console.errors import ConsoleError
from console.events import Bus
from console.store.recovery import damaged, recover, unsettled

__all__ = ["settle", "settle_or_tell"]


async def settle(root: Path, bus: Bus, path: str | None = None) -> None:
    """Finish or take back each replacement in the store at `root`, or of one artifact, that was cut off, and tell of
    it, and of what the journal cannot tell any more.

    Raises Failed, BadInput where that cannot be told.
    """
    for done in await asyncio.to_thread(recover, root, path):
        bus.emit("history.recovered", done.path, done.text, severity="attention")
    lines = await asyncio.to_thread(damaged, root)
    if lines and path is None:
        text = f"the journal has {len(lines)} damaged lines, the first is line {lines[0]}; what they said is lost"
        bus.emit("history.damaged", "", text, severity="attention")


async def settle_or_tell(root: Path, bus: Bus, path: str, why_not: str) -> None:
    """Settle what a crash left of one artifact, for who only reads: nothing is written where `why_not` says so.

    What stays unsettled is told; the history counts it as it will be settled. Raises Failed, BadInput where the
    journal cannot be read.
    """
    if not why_not:
        try:
            await settle(root, bus, path)
        except ConsoleError as error:
            why_not = error.message
    if await asyncio.to_thread(unsettled, root, path):
        text = f"an update of {path} was interrupted or is at work: {why_not or 'another process is at it'}"
        bus.emit("history.unsettled", path, f"{text}; its history is shown as it will be", severity="attention")
