"""Everything that changes an artifact, by path: updates, promotion, history, rollback, conversion."""

from __future__ import annotations

from pathlib import Path

from console.records import Comparison, Json, UpdatePlan, UpdateProgress, Version
from console.update.accelerating import Accelerating
from console.update.converting import Converting
from console.update.replacing import Replacing
from console.update.updater import Updater
from console.update.workshop import Workshop


class Updates:
    """One store's updates: at most one runs and one candidate waits for each path."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        self._replacing = Replacing(shop)
        self.accelerating = Accelerating(shop)
        self._converting = Converting(shop)
        self._updater = Updater(shop, self._replacing)

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
        await self._shop.book.note("convert", path, str(done["digest"]), f"written as {to}", out=str(out))
        return done
