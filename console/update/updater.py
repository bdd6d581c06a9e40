"""One update after another: for each path at most one runs, and one candidate waits for a word."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import replace

from console.errors import ConsoleError, InputError, OperationError
from console.records import Comparison, Target, UpdatePlan, UpdateProgress, Verdict, Version
from console.update.plan import plan_update
from console.update.promoter import Replacing
from console.update.run import UpdateRun, Waiting
from console.update.services import UpdateServices

__all__ = ["Updater"]

_TELL_EVERY_S = 0.1


class Updater:
    """The updates of one store: for each path at most one runs and one candidate waits."""

    def __init__(self, shop: UpdateServices, replacing: Replacing) -> None:
        self._shop = shop
        self._replacing = replacing
        self._running: dict[str, asyncio.Task[Comparison]] = {}
        self._progress: dict[str, UpdateProgress] = {}
        self._told: dict[str, float] = {}
        self._waiting: dict[str, Waiting] = {}

    def plan(self, path: str, data: str | None = None, target: Target | None = None, at: str = "") -> UpdatePlan:
        """What an update of the model at `at` would do, from the recipe and what was named. Raises UsageError,
        InputError."""
        return plan_update(path, self._shop.recipes.of(path), data=data, target=target, at=at)

    def progress(self, path: str) -> UpdateProgress | None:
        """Where an update stands, None where none runs."""
        return self._progress.get(path)

    def pending(self, path: str) -> Comparison | None:
        """The candidate that waits for a word."""
        waiting = self._waiting.get(path)
        return None if waiting is None else waiting.comparison

    async def run(self, plan: UpdatePlan) -> Comparison:
        """Make a candidate and compare it; it waits for `promote` or `discard`, an earlier one is let go.

        Raises NeedsReviewError, AccessDeniedError, InputError, ConflictError, OperationError (also when it was
        cancelled).
        """
        path = plan.path
        if path in self._running:
            raise OperationError(f"{path} is being updated already", hint="wait, or cancel that update")
        task = asyncio.ensure_future(self._update(plan))
        self._running[path] = task
        try:
            return await task
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            interrupted = not task.done() or (caller is not None and bool(caller.cancelling()))
            if not task.done():
                task.cancel()
                with suppress(asyncio.CancelledError, ConsoleError):
                    await task
            error = OperationError(f"the update of {path} was cancelled; nothing was changed")
            await self._failed(path, error)
            if interrupted:
                raise
            raise error from None
        except ConsoleError as error:
            await self._failed(path, error)
            raise
        finally:
            del self._running[path]
            self._progress.pop(path, None)
            self._told.pop(path, None)

    async def cancel(self, path: str) -> None:
        """End an update that runs, and its trainer; nothing happens where none does."""
        task = self._running.get(path)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def promote(self, path: str, why: str) -> Version:
        """Put the waiting candidate in place of what it was compared with. Raises AccessDeniedError, ConflictError,
        OperationError.

        Figures that measure nothing are not kept with its version.
        """
        waiting = self._candidate(path)
        comparison = waiting.comparison
        judgement = comparison.candidate.judgement
        reviewed = judgement is not None and judgement.verdict is Verdict.REVIEW
        if reviewed and judgement is not None:
            await self._shop.book.consent(
                path, judgement, comparison.candidate.digest, why or "an update of accepted content"
            )
        counts = not comparison.unmeasured
        version = await self._replacing.promote(
            path,
            waiting.content,
            at=waiting.at,
            replaces=waiting.replaces,
            why=why,
            metrics=comparison.candidate.metrics if counts else {},
            replaced_metrics=comparison.current.metrics if comparison.current and counts else {},
            accepted=reviewed,
        )
        self._let_go(path)
        return version

    async def discard(self, path: str) -> None:
        """Let go of the waiting candidate. Raises OperationError when there is none."""
        waiting = self._candidate(path)
        await self._shop.book.note("discard", path, waiting.content.digest, "done")
        self._let_go(path)
        self._shop.bus.emit("update.discarded", path, f"the candidate for {path} was discarded")

    async def close(self) -> None:
        """End what runs and let go of the candidates."""
        for path in list(self._running):
            await self.cancel(path)
        for path in list(self._waiting):
            self._let_go(path)

    async def _update(self, plan: UpdatePlan) -> Comparison:
        waiting = await UpdateRun(self._shop, plan, self._show).run()
        self._let_go(plan.path)
        self._waiting[plan.path] = waiting
        await self._told_outcome(waiting.comparison)
        return waiting.comparison

    def _show(self, now: UpdateProgress) -> None:
        """Keep where an update stands, and tell it, within a phase not more often than a screen can show."""
        before = self._progress.get(now.path)
        self._progress[now.path] = now
        same = before is not None and (before.phase, before.total) == (now.phase, now.total)
        if same and time.monotonic() - self._told.get(now.path, 0.0) < _TELL_EVERY_S:
            return
        self._told[now.path] = time.monotonic()
        count = f" {now.done} of {now.total}" if now.done is not None and now.total is not None else ""
        text = f"{now.path}: {now.phase}{count}"
        self._shop.bus.emit("update.progress", now.path, text, done=now.done, total=now.total, note=now.note)

    async def _told_outcome(self, comparison: Comparison) -> None:
        path = comparison.path
        result = "gate passed" if comparison.passed else "gate not passed"
        if comparison.unmeasured:
            result = f"not measured: {comparison.unmeasured}"
        await self._shop.book.note("update", path, comparison.candidate.digest, f"compared: {result}")
        text = f"the candidate for {path} waits: {result}"
        self._shop.bus.emit("update.compared", path, text, severity="ok" if comparison.passed else "attention")

    async def _failed(self, path: str, error: ConsoleError) -> None:
        """Tell of a failure; the account of what failed in a child stays among the failures."""
        if error.failure is not None and not isinstance(error, InputError):
            self._shop.failures.add(replace(error.failure, artifact=path))
        self._shop.bus.emit("update.failed", path, f"the update of {path} failed: {error.message}", severity="failure")
        with suppress(ConsoleError):
            await self._shop.book.note("update", path, None, error.code)

    def _candidate(self, path: str) -> Waiting:
        waiting = self._waiting.get(path)
        if waiting is None:
            raise OperationError(f"no candidate for {path} is waiting", hint="update it first")
        return waiting

    def _let_go(self, path: str) -> None:
        waiting = self._waiting.pop(path, None)
        if waiting is not None:
            waiting.content.close()
