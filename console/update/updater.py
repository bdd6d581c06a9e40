"""One update after another: train, judge, measure both on the same rows, gate; then the candidate waits for a word."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from console.errors import Conflict, ConsoleError, Failed
from console.events import Bus
from console.loading.facts import Facts, Judged
from console.loading.questions import open_data_file
from console.loading.recipes import Recipes
from console.loading.record import Book
from console.loading.starting import Starter, place_in
from console.loading.unsealing import Unsealing
from console.records import Comparison, FileIdentity, GateResult, Mode, UpdatePlan, UpdateProgress, Verdict, Version
from console.store.recipe import Recipe
from console.store.sealed import SealedBytes, digest_of, identity_of
from console.update.compare import Side, changes, describe
from console.update.gate import judge_gate, main_metric
from console.update.keeping import as_kept, check_sealable
from console.update.making import Made, admit, admit_candidate, make
from console.update.measuring import Measurement, Rows, measure
from console.update.plan import plan_update
from console.update.replacing import Replacing
from console.worker.launcher import Launcher

__all__ = ["Updater"]

_TELL_EVERY_S = 0.1


@dataclass(slots=True)
class _Waiting:
    """A candidate that waits for promote or discard; `replaces` is the digest it was compared with."""

    comparison: Comparison
    content: SealedBytes
    at: str
    replaces: str


@dataclass(frozen=True, slots=True)
class _Data:
    """The open data files of one update: training rows and the rows both models are measured on."""

    train: int
    measured: int
    name: str
    own_holdout: bool
    opened: tuple[FileIdentity, FileIdentity]

    def check_unchanged(self) -> None:
        """Raise Conflict when somebody wrote to a data file since it was opened."""
        if self.opened != (identity_of(os.fstat(self.train)), identity_of(os.fstat(self.measured))):
            raise Conflict(f"{self.name} or the training rows changed while they were used", hint="update again")


class Updater:
    """The updates of one store: for each path at most one runs and one candidate waits."""

    def __init__(
        self,
        root: Path,
        facts: Facts,
        starter: Starter,
        recipes: Recipes,
        book: Book,
        launcher: Launcher,
        replacing: Replacing,
        unsealing: Unsealing,
        bus: Bus,
    ) -> None:
        self._root = root
        self._facts = facts
        self._starter = starter
        self._recipes = recipes
        self._book = book
        self._launcher = launcher
        self._replacing = replacing
        self._unsealing = unsealing
        self._bus = bus
        self._running: dict[str, asyncio.Task[Comparison]] = {}
        self._progress: dict[str, UpdateProgress] = {}
        self._told: dict[str, float] = {}
        self._waiting: dict[str, _Waiting] = {}

    # seen from outside

    def plan(self, path: str, data: str | None = None, target: str | None = None, at: str = "") -> UpdatePlan:
        """What an update of the model at `at` would do, from the recipe and what was named. Raises Usage, BadInput."""
        return plan_update(path, self._recipes.of(path), data=data, target=target, at=at)

    def progress(self, path: str) -> UpdateProgress | None:
        """Where an update stands, None where none runs."""
        return self._progress.get(path)

    def pending(self, path: str) -> Comparison | None:
        """The candidate that waits for a word."""
        waiting = self._waiting.get(path)
        return None if waiting is None else waiting.comparison

    async def run(self, plan: UpdatePlan) -> Comparison:
        """Make a candidate and compare it; it waits for `promote` or `discard`, an earlier one is let go.

        Raises NeedsReview, Refused, BadInput, Conflict, Failed (also when it was cancelled).
        """
        path = plan.path
        if path in self._running:
            raise Failed(f"{path} is being updated already", hint="wait, or cancel that update")
        task = asyncio.ensure_future(self._update(plan))
        self._running[path] = task
        try:
            return await task
        except asyncio.CancelledError:
            if not task.done():
                task.cancel()
                with suppress(asyncio.CancelledError, ConsoleError):
                    await task
                raise
            error = Failed(f"the update of {path} was cancelled; nothing was changed")
            await self._failed(path, error)
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
        """Put the waiting candidate in place of what it was compared with. Raises Refused, Conflict, Failed."""
        waiting = self._candidate(path)
        comparison = waiting.comparison
        judgement = comparison.candidate.judgement
        reviewed = judgement is not None and judgement.verdict is Verdict.REVIEW
        if reviewed and judgement is not None:
            await self._book.consent(
                path, judgement, comparison.candidate.digest, why or "an update of accepted content"
            )
        version = await self._replacing.promote(
            path,
            waiting.content,
            at=waiting.at,
            replaces=waiting.replaces,
            why=why,
            metrics=comparison.candidate.metrics,
            replaced_metrics=comparison.current.metrics if comparison.current else {},
            accepted=reviewed,
        )
        self._let_go(path)
        return version

    async def discard(self, path: str) -> None:
        """Let go of the waiting candidate. Raises Failed when there is none."""
        waiting = self._candidate(path)
        await self._book.note("discard", path, waiting.content.digest, "done")
        self._let_go(path)
        self._bus.emit("update.discarded", path, f"the candidate for {path} was discarded")

    async def close(self) -> None:
        """End what runs and let go of the candidates."""
        for path in list(self._running):
            await self.cancel(path)
        for path in list(self._waiting):
            self._let_go(path)

    # one update

    async def _update(self, plan: UpdatePlan) -> Comparison:
        path = plan.path
        await self._book.refresh()
        recipe = self._recipes.of(path)
        python = self._recipes.python(path)
        self._show(path, "judging the current model")
        current = await self._facts.seal(path)
        with current.bytes, _open_data(plan) as data:
            admit(path, current)
            check_sealable(plan, current, self._unsealing.recipients)
            assert current.inspection is not None
            digest = current.bytes.digest
            if digest is None:
                digest = await asyncio.to_thread(digest_of, current.bytes)
            await self._starter.admission.demanded(path, digest)
            at = plan.at or place_in(path, current.inspection)
            await self._book.note("update", path, digest, "intent", mode=str(plan.mode), data=plan.data)
            hold_back = not data.own_holdout and plan.mode is not Mode.COMMAND
            made = await self._make(plan, python, current, at, data.train, hold_back)
            content = await as_kept(made, current, self._unsealing)
            try:
                comparison = await self._compare(
                    plan, recipe, current, digest, made, content.digest or "", at, data, hold_back
                )
                data.check_unchanged()
            except BaseException:
                content.close()
                raise
            finally:
                if content is not made.content:
                    made.content.close()
        self._let_go(path)
        self._waiting[path] = _Waiting(comparison, content, at, digest)
        await self._told_outcome(comparison)
        return comparison

    async def _make(
        self, plan: UpdatePlan, python: str | None, current: Judged, at: str, table: int, hold_back: bool
    ) -> Made:
        self._show(plan.path, "starting the trainer")

        def on_progress(phase: str, done: int | None, total: int | None, text: str) -> None:
            self._show(plan.path, _PHASES.get(phase, phase), done, total, text)

        return await make(
            self._launcher,
            self._root,
            plan,
            current,
            at,
            table,
            python=python,
            mandatory=self._book.policy.mandatory,
            hold_back=hold_back,
            on_progress=on_progress,
        )

    async def _compare(
        self,
        plan: UpdatePlan,
        recipe: Recipe,
        current: Judged,
        digest: str,
        made: Made,
        made_digest: str,
        at: str,
        data: _Data,
        hold_back: bool,
    ) -> Comparison:
        path = plan.path
        self._show(path, "judging the candidate")
        candidate = await self._facts.judge_bytes(made.content)
        admit_candidate(path, current, candidate)
        self._show(path, "measuring both models")
        rows = Rows(data.measured, data.name, plan.target, hold_back)
        before, after = await measure(self._starter, path, current, candidate, at, rows, recipe.gate.metric)
        old = describe(_side(current, digest, before), at)
        new = describe(_side(candidate, made_digest, after), at)
        results, passed = judge_gate(recipe.gate, old, new)
        if new.digest == digest:
            same = GateResult("another content", False, "training gave exactly the bytes that are in place already")
            results, passed = (*results, same), False
        return Comparison(
            path=path,
            when=time.time(),
            task=after.task,
            rows=after.rows,
            current=old,
            candidate=new,
            gate=results,
            passed=passed,
            held_out=data.own_holdout,
            changed=changes(old, new),
            metric=main_metric(recipe.gate, new),
            seconds=made.trained.seconds if made.trained else time.time() - self._progress[path].started,
        )

    # telling

    def _show(self, path: str, phase: str, done: int | None = None, total: int | None = None, note: str = "") -> None:
        before = self._progress.get(path)
        started = before.started if before is not None else time.time()
        self._progress[path] = UpdateProgress(path, phase, started, done, total, note)
        now = time.monotonic()
        same = before is not None and (before.phase, before.total) == (phase, total)
        if same and now - self._told.get(path, 0.0) < _TELL_EVERY_S:
            return
        self._told[path] = now
        count = f" {done} of {total}" if done is not None and total is not None else ""
        self._bus.emit("update.progress", path, f"{path}: {phase}{count}", done=done, total=total, note=note)

    async def _told_outcome(self, comparison: Comparison) -> None:
        path = comparison.path
        result = "gate passed" if comparison.passed else "gate not passed"
        await self._book.note("update", path, comparison.candidate.digest, f"compared: {result}")
        text = f"the candidate for {path} waits: {result}"
        self._bus.emit("update.compared", path, text, severity="ok" if comparison.passed else "attention")

    async def _failed(self, path: str, error: ConsoleError) -> None:
        self._bus.emit("update.failed", path, f"the update of {path} failed: {error.message}", severity="failure")
        with suppress(ConsoleError):
            await self._book.note("update", path, None, error.code)

    def _candidate(self, path: str) -> _Waiting:
        waiting = self._waiting.get(path)
        if waiting is None:
            raise Failed(f"no candidate for {path} is waiting", hint="update it first")
        return waiting

    def _let_go(self, path: str) -> None:
        waiting = self._waiting.pop(path, None)
        if waiting is not None:
            waiting.content.close()


_PHASES = {
    "load": "loading the current model",
    "read": "reading the training rows",
    "check": "checking the training rows",
    "fit": "training",
    "save": "writing the candidate",
    "command": "running the training command",
}
"""What the trainer's phases are called on the screen."""


def _side(judged: Judged, digest: str, measured: Measurement) -> Side:
    assert judged.inspection is not None
    return Side(
        digest, judged.bytes.size, judged.inspection, judged.judgement, measured.metrics, tuple(measured.latencies)
    )


@contextmanager
def _open_data(plan: UpdatePlan) -> Iterator[_Data]:
    """Both data files, opened once so that every process reads the same ones. Raises BadInput."""
    own = plan.holdout is not None and os.path.realpath(plan.holdout) != os.path.realpath(plan.data)
    measured_path = plan.holdout if own and plan.holdout is not None else plan.data
    train = open_data_file(plan.data)
    try:
        measured = open_data_file(measured_path)
        try:
            opened = (identity_of(os.fstat(train)), identity_of(os.fstat(measured)))
            yield _Data(train, measured, os.path.basename(measured_path), own, opened)
        finally:
            os.close(measured)
    finally:
        os.close(train)
