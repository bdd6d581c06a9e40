"""Everything that changes an artifact, by path: updates, promotion, history, rollback, conversion."""

from __future__ import annotations

import asyncio
from pathlib import Path

from console.events import Bus
from console.loading.admission import Signers
from console.loading.facts import Facts
from console.loading.fleet import Fleet
from console.loading.recipes import Recipes
from console.loading.record import Book
from console.loading.starting import Starter
from console.loading.unsealing import Unsealing
from console.records import Comparison, Json, UpdatePlan, UpdateProgress, Version
from console.store import recovery
from console.update.accelerating import Accelerating
from console.update.converting import Converting
from console.update.replacing import Replacing
from console.update.updater import Updater
from console.worker.launcher import Launcher


class Updates:
    """One store's updates: at most one runs and one candidate waits for each path."""

    def __init__(
        self,
        root: Path,
        facts: Facts,
        starter: Starter,
        recipes: Recipes,
        book: Book,
        launcher: Launcher,
        fleet: Fleet,
        unsealing: Unsealing,
        signed: Signers,
        bus: Bus,
    ) -> None:
        self._root = root
        self._bus = bus
        self._book = book
        self._replacing = Replacing(root, facts, starter, recipes, book, fleet, signed, bus)
        self.accelerating = Accelerating(root, starter, recipes.or_default, book.note)
        self._converting = Converting(root, facts, starter, recipes.or_default, book.note)
        self._updater = Updater(root, facts, starter, recipes, book, launcher, self._replacing, unsealing, bus)

    async def recover(self) -> None:
        """Settle what a crash left half done, before anything else is changed."""
        for done in await asyncio.to_thread(recovery.recover, self._root):
            self._bus.emit("history.recovered", done.path, f"{done.path}: {done.text}", severity="attention")

    async def close(self) -> None:
        """End what runs and let go of the candidates."""
        await self.accelerating.close()
        await self._updater.close()

    def plan(self, path: str, data: str | None, target: str | None, at: str = "") -> UpdatePlan:
        """What an update would do, from the recipe and what was named. Raises Usage, BadInput."""
        return self._updater.plan(path, data, target, at)

    async def run(self, plan: UpdatePlan) -> Comparison:
        """Make a candidate and compare it. Raises NeedsReview, Refused, BadInput, Conflict, Failed."""
        return await self._updater.run(plan)

    async def cancel(self, path: str) -> None:
        """End an update that runs."""
        await self._updater.cancel(path)

    async def promote(self, path: str, why: str) -> Version:
        """Put the waiting candidate in place. Raises Refused, Conflict, Failed."""
        return await self._updater.promote(path, why)

    async def discard(self, path: str) -> None:
        """Let go of the waiting candidate. Raises Failed when there is none."""
        await self._updater.discard(path)

    def progress(self, path: str) -> UpdateProgress | None:
        """Where an update stands, None where none runs."""
        return self._updater.progress(path)

    def pending(self, path: str) -> Comparison | None:
        """The candidate that waits for a word."""
        return self._updater.pending(path)

    async def history(self, path: str) -> tuple[Version, ...]:
        """The versions of an artifact, newest first. Raises BadInput, Failed."""
        return await self._replacing.history(path)

    async def rollback(self, path: str, version: int | None) -> Version:
        """Promote an old version (None: the one before). Raises BadInput, Conflict, Refused, Failed."""
        return await self._replacing.rollback(path, version)

    async def convert(self, path: str, to: str, out: Path, *, at: str, accept: str | None) -> dict[str, Json]:
        """Write the model in another format to a new file. Raises NeedsReview, Refused, BadInput, Failed."""
        done = await self._converting.convert(path, to, out, at=at, accept=accept)
        await self._book.note("convert", path, str(done["digest"]), f"written as {to}", out=str(out))
        return done
