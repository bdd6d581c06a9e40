"""Updates of artifacts, by path: candidates trained, compared, promoted or discarded; history, rollback, conversion."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from console.errors import ConsoleError, InputError, OperationError, UsageError
from console.files.opening import require_no_link
from console.recipes.recipe import Recipe
from console.records import (
    Comparison,
    FormatsProgress,
    Json,
    Mode,
    Target,
    UpdatePlan,
    UpdateProgress,
    UpdateStatus,
    Verdict,
    Version,
)
from console.reporting import reported
from console.update.converting import Converting
from console.update.formats import ComparingFormats
from console.update.promoter import Replacing
from console.update.recovering import settle, settle_or_tell
from console.update.run import UpdateRun, Waiting
from console.update.services import UpdateServices

_TELL_EVERY_S = 0.1


class Updates:
    """Updates of one store's artifacts: at most one update runs and one candidate waits for each path."""

    def __init__(self, services: UpdateServices) -> None:
        self._services = services
        self._access = services.access
        self._replacing = Replacing(services)
        self._converting = Converting(services)
        self._formats = ComparingFormats(services)
        self._running: dict[str, asyncio.Task[Comparison]] = {}
        self._progress: dict[str, UpdateProgress] = {}
        self._told: dict[str, float] = {}
        self._waiting: dict[str, Waiting] = {}

    async def close(self) -> None:
        """End what runs and let go of the candidates."""
        for path in list(self._running):
            await self._cancel(path)
        for path in list(self._waiting):
            self._let_go(path)

    async def plan(
        self, path: str, *, data: str | None = None, target: Target | None = None, at: str = ""
    ) -> UpdatePlan:
        """The plan of an update, from the recipe and the arguments. Raises InputError, UsageError."""
        require_no_link(self._services.root, path)
        return plan_update(path, self._services.recipes.of(path), data=data, target=target, at=at)

    async def run(self, plan: UpdatePlan) -> Comparison:
        """Retrain, judge and measure a candidate; it waits for `promote` or `discard`, an earlier one is let go.

        Raises NeedsReviewError, AccessDeniedError, InputError, UsageError, ConflictError, OperationError (also when it
        was cancelled).
        """
        await self._access.authorize("update", plan.path, writes=True)
        await settle(self._services.root, self._services.bus, plan.path)
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

    async def status(self, path: str) -> UpdateStatus:
        """How the update of an artifact stands."""
        return UpdateStatus(path, self.progress(path), self.pending(path))

    def progress(self, path: str) -> UpdateProgress | None:
        """Where an update stands, None where none runs."""
        return self._progress.get(path)

    async def cancel(self, path: str) -> None:
        """End an update that runs; nothing is changed by it. Raises AccessDeniedError."""
        await self._access.authorize("update", path)
        await self._cancel(path)

    def pending(self, path: str) -> Comparison | None:
        """The candidate that waits for a word."""
        waiting = self._waiting.get(path)
        return None if waiting is None else waiting.comparison

    async def promote(self, path: str, why: str) -> Version:
        """Put the waiting candidate in place, atomically; figures that measure nothing are not kept with its version.

        Raises AccessDeniedError, ConflictError, OperationError.
        """
        await self._access.authorize("promote", path, writes=True)
        waiting = self._candidate(path)
        comparison = waiting.comparison
        judgement = comparison.candidate.judgement
        reviewed = judgement is not None and judgement.verdict is Verdict.REVIEW
        if reviewed and judgement is not None:
            await self._access.accept(
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
        """Let go of the waiting candidate. Raises AccessDeniedError, and OperationError when there is none."""
        await self._access.authorize("discard", path)
        waiting = self._candidate(path)
        await self._access.record("discard", path, waiting.content.digest, "done")
        self._let_go(path)
        self._services.bus.emit("update.discarded", path, f"the candidate for {path} was discarded")

    async def history(self, path: str) -> tuple[Version, ...]:
        """The versions of an artifact, newest first, with what a crash left of it settled, or told where it cannot be.

        Raises InputError, OperationError.
        """
        refusal = self._access.refusal("rollback") or self._access.why_read_only
        await settle_or_tell(self._services.root, self._services.bus, path, refusal)
        return await self._replacing.history(path)

    async def rollback(self, path: str, version: int | None = None) -> Version:
        """Promote an old version (None: the one before). Raises AccessDeniedError, InputError, ConflictError,
        OperationError."""
        await self._access.authorize("rollback", path, writes=True)
        await asyncio.to_thread(require_no_link, self._services.root, path)
        await settle(self._services.root, self._services.bus, path)
        return await self._replacing.rollback(path, version)

    async def compare_formats(
        self, path: str, *, data: str | None = None, at: str = "", accept: str | None = None
    ) -> AsyncIterator[FormatsProgress]:
        """The formats that the model could be in, measured one after another; the last progress has the figures.

        Raises UsageError without rows, NeedsReviewError, AccessDeniedError, InputError, OperationError.
        """

        async def compared(tell: Callable[[FormatsProgress], None]) -> FormatsProgress:
            def hear(phase: str) -> None:
                tell(FormatsProgress(phase))

            found = await self._formats.compare(path, data=data, at=at, accept=accept, on_phase=hear)
            return FormatsProgress("compared", found)

        async for progress in reported(compared):
            yield progress

    async def convert(
        self, path: str, to: str, out: str | Path, *, at: str = "", accept: str | None = None
    ) -> dict[str, Json]:
        """Write the model to the new file `out` in another format, and check that it answers alike.

        Raises NeedsReviewError, AccessDeniedError, InputError, OperationError.
        """
        await self._access.authorize("convert", path)
        try:
            done = await self._converting.convert(path, to, Path(out), at=at, accept=accept)
        except FileExistsError:
            raise InputError(f"{out} is there already", hint="name another place with --out") from None
        await self._access.record("convert", path, str(done["digest"]), f"written as {to}", out=str(out))
        return done

    async def _cancel(self, path: str) -> None:
        """End an update that runs, and its trainer; nothing happens where none does."""
        task = self._running.get(path)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _update(self, plan: UpdatePlan) -> Comparison:
        waiting = await UpdateRun(self._services, plan, self._show).run()
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
        self._services.bus.emit("update.progress", now.path, text, done=now.done, total=now.total, note=now.note)

    async def _told_outcome(self, comparison: Comparison) -> None:
        path = comparison.path
        result = "gate passed" if comparison.passed else "gate not passed"
        if comparison.unmeasured:
            result = f"not measured: {comparison.unmeasured}"
        await self._access.record("update", path, comparison.candidate.digest, f"compared: {result}")
        text = f"the candidate for {path} waits: {result}"
        self._services.bus.emit("update.compared", path, text, severity="ok" if comparison.passed else "attention")

    async def _failed(self, path: str, error: ConsoleError) -> None:
        """Tell of a failure; the account of what failed in a child stays among the failures."""
        if error.failure is not None and not isinstance(error, InputError):
            self._services.failures.add(replace(error.failure, artifact=path))
        self._services.bus.emit(
            "update.failed", path, f"the update of {path} failed: {error.message}", severity="failure"
        )
        with suppress(ConsoleError):
            await self._access.record("update", path, None, error.code)

    def _candidate(self, path: str) -> Waiting:
        waiting = self._waiting.get(path)
        if waiting is None:
            raise OperationError(f"no candidate for {path} is waiting", hint="update it first")
        return waiting

    def _let_go(self, path: str) -> None:
        waiting = self._waiting.pop(path, None)
        if waiting is not None:
            waiting.content.close()


def plan_update(
    path: str,
    recipe: Recipe,
    *,
    data: str | None = None,
    target: Target | None = None,
    holdout: str | None = None,
    at: str = "",
) -> UpdatePlan:
    """The plan of an update of `path`; arguments go before the recipe. Raises UsageError that says what is missing.

    With training data of the operator's own the recipe's hold-out still counts: both models are measured on it.
    """
    train = _absolute(data) or recipe.data.train
    measured = _absolute(holdout) or recipe.data.holdout
    how = recipe.retrain.how
    if how is Mode.COMMAND:
        train = train or measured
    if train is None:
        raise UsageError(
            f"there is nothing to train {path} on: its recipe names no training data",
            hint="name a file with --data, or write [data] train = … into the recipe",
        )
    return UpdatePlan(
        path=path,
        data=train,
        target=target or recipe.data.target,
        holdout=measured,
        mode=how,
        command=recipe.retrain.command,
        at=at,
        options=recipe.data.options,
    )


def _absolute(path: str | None) -> str | None:
    return os.path.abspath(path) if path else None
