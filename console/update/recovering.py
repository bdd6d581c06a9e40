"""Settling of what a crash left half done, before anything else is read or changed; told where it cannot be done."""

from __future__ import annotations

import asyncio
from pathlib import Path

from console.errors import ConsoleError
from console.events import Bus
from console.versions import recovery
from console.versions.recovery import damaged, damaged_words, recover, unsettled


async def settle(root: Path, bus: Bus, path: str | None = None) -> list[str]:
    """Finish or take back what was cut off in the store at `root`, or each replacement of one artifact, and tell of
    it, in sentences, and of what the journal cannot tell any more.

    Raises OperationError, InputError where that cannot be told.
    """
    others: list[str] = []
    if path is None:
        replaced, others = await asyncio.to_thread(recovery.settle, root)
    else:
        replaced = await asyncio.to_thread(recover, root, path)
    for done in replaced:
        bus.emit("history.recovered", done.path, done.text, severity="attention")
    for text in others:
        bus.emit("store.settled", "", text, severity="attention")
    lines = () if path is not None else await asyncio.to_thread(damaged, root)
    if lines:
        text = f"{damaged_words(lines)} in the journal; what was told there is lost"
        bus.emit("history.damaged", "", text, severity="attention")
    return [done.text for done in replaced] + others


async def settle_or_tell(root: Path, bus: Bus, path: str, why_not: str) -> None:
    """Settle what a crash left of one artifact, for who only reads: nothing is written where `why_not` says so.

    What stays unsettled is told; the history counts it as it will be settled. Raises OperationError, InputError where
    the journal cannot be read.
    """
    if not why_not:
        try:
            await settle(root, bus, path)
        except ConsoleError as error:
            why_not = error.message
    if await asyncio.to_thread(unsettled, root, path):
        text = f"an update of {path} was interrupted or is at work: {why_not or 'another process is at it'}"
        bus.emit("history.unsettled", path, f"{text}; its history is shown as it will be", severity="attention")
