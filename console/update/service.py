"""Everything that changes an artifact, by path: updates, promotion, history, rollback, conversion."""

from __future__ import annotations

import asyncio
from pathlib import Path

from console.errors import InputError
from console.files.links import require_no_link
from console.records import Comparison, Json, Target, UpdatePlan, UpdateProgress, UpdateStatus, Version
from console.update.converting import Converting
from console.update.promoter import Replacing
from console.update.recovering import settle, settle_or_tell
from console.update.services import UpdateServices
from console.update.updater import Updater


class Updates:
    """What an operator may have changed in one store: at most one update runs and one candidate waits for each path."""

    def __init__(self, shop: UpdateServices) -> None:
        self._shop = shop
        self._book = shop.book
        self._replacing = Replacing(shop)
        self._converting = Converting(shop)
        self._updater = Updater(shop, self._replacing)

    async def close(self) -> None:
        """End what runs and let go of the candidates."""
        await self._updater.close()

    async def plan(
        self, path: str, *, data: str | None = None, target: Target | None = None, at: str = ""
    ) -> UpdatePlan:
        """What an update would do, from the recipe and what was named. Raises InputError, UsageError."""
        require_no_link(self._shop.root, path)
        return self._updater.plan(path, data, target, at)

    async def run(self, plan: UpdatePlan) -> Comparison:
        """Retrain, judge and measure a candidate; it waits for `promote` or `discard`.

        Raises NeedsReviewError, AccessDeniedError, InputError, UsageError, ConflictError, OperationError.
        """
        await self._book.allow("update", plan.path, writes=True)
        await settle(self._shop.root, self._shop.bus, plan.path)
        return await self._updater.run(plan)

    async def status(self, path: str) -> UpdateStatus:
        """How the update of an artifact stands."""
        return UpdateStatus(path, self.progress(path), self.pending(path))

    def progress(self, path: str) -> UpdateProgress | None:
        """Where an update stands, None where none runs."""
        return self._updater.progress(path)

    async def cancel(self, path: str) -> None:
        """End an update that runs; nothing is changed by it. Raises AccessDeniedError."""
        await self._book.allow("update", path)
        await self._updater.cancel(path)

    def pending(self, path: str) -> Comparison | None:
        """The candidate that waits for a word."""
        return self._updater.pending(path)

    async def promote(self, path: str, why: str) -> Version:
        """Put the waiting candidate in place, atomically. Raises AccessDeniedError, ConflictError, OperationError."""
        await self._book.allow("promote", path, writes=True)
        return await self._updater.promote(path, why)

    async def discard(self, path: str) -> None:
        """Let go of the waiting candidate. Raises AccessDeniedError, and OperationError when there is none."""
        await self._book.allow("discard", path)
        await self._updater.discard(path)

    async def history(self, path: str) -> tuple[Version, ...]:
        """The versions of an artifact, newest first, with what a crash left of it settled, or told where it cannot be.

        Raises InputError, OperationError.
        """
        refusal = self._book.refusal("rollback") or self._book.why_read_only
        await settle_or_tell(self._shop.root, self._shop.bus, path, refusal)
        return await self._replacing.history(path)

    async def rollback(self, path: str, version: int | None = None) -> Version:
        """Promote an old version (None: the one before). Raises AccessDeniedError, InputError, ConflictError,
        OperationError."""
        await self._book.allow("rollback", path, writes=True)
        await asyncio.to_thread(require_no_link, self._shop.root, path)
        await settle(self._shop.root, self._shop.bus, path)
        return await self._replacing.rollback(path, version)

    async def convert(
        self, path: str, to: str, out: str | Path, *, at: str = "", accept: str | None = None
    ) -> dict[str, Json]:
        """Write the model to the new file `out` in another format, and check that it answers alike.

        Raises NeedsReviewError, AccessDeniedError, InputError, OperationError.
        """
        await self._book.allow("convert", path)
        try:
            done = await self._converting.convert(path, to, Path(out), at=at, accept=accept)
        except FileExistsError:
            raise InputError(f"{out} is there already", hint="name another place with --out") from None
        await self._book.note("convert", path, str(done["digest"]), f"written as {to}", out=str(out))
        return done
