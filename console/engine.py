"""The one thing that screens and commands talk to: it composes the rooms below, owns their lifetimes, decides nothing.

Everything it hands out is a plain record; what happens is told on `bus`. All of it runs on one event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from console.config import Settings
from console.errors import BadInput, ConsoleError, Refused
from console.events import Bus
from console.loading.admission import Admission
from console.loading.compiled import Compiled
from console.loading.explaining import Explaining
from console.loading.facts import Facts
from console.loading.failures import Failures
from console.loading.fleet import Fleet
from console.loading.inspecting import inspect_in, plan_in
from console.loading.past import Past
from console.loading.preparing import Preparing
from console.loading.questions import Questions
from console.loading.recipes import Recipes
from console.loading.record import Book
from console.loading.remedies import next_steps
from console.loading.remembered import Remembered
from console.loading.shelf import Shelf
from console.loading.starting import Starter
from console.loading.survey import Survey
from console.loading.sweep import sweep
from console.loading.unsealing import Unsealing
from console.loading.watching import Watching
from console.records import (
    Artifact,
    Comparison,
    DataFile,
    Event,
    Explanation,
    Failure,
    Json,
    Layer,
    Memory,
    Outcome,
    ProbePlan,
    ProbeState,
    Report,
    Standing,
    Twinned,
    UpdatePlan,
    UpdateProgress,
    Verdict,
    Version,
    WorkerView,
)
from console.store.recipe import Recipe
from console.store.roots import why_not_writable
from console.worker.inspector import Inspectors
from console.worker.launcher import Launcher
from console.worker.limits import Limits

if TYPE_CHECKING:
    from console.loading.sealing import AtRest
    from console.loading.signing import Signing
    from console.monitor.live import Live
    from console.monitor.series import Recorder
    from console.trust.audit import AuditCheck, AuditEntry
    from console.trust.policy import Policy
    from console.trust.roles import Permission
    from console.update.service import Updates


class Engine:
    """One store, opened. Make it with `open`, end it with `close`.

    Rooms that the first screen needs nothing of are made, and their modules imported, when they are first asked.
    """

    def __init__(self, root: Path, settings: Settings, *, read_only: bool, records: bool, restarts: bool) -> None:
        self.root = root
        self.settings = settings
        self.bus = Bus()
        self.why_read_only = "it was asked for" if read_only else (why_not_writable(root) or "")
        self.read_only = bool(self.why_read_only)
        self._launcher = Launcher(Limits(memory=settings.memory_mb << 20))
        self._inspectors = Inspectors(self._launcher)
        self._book = Book(root, self.bus, writable=records and not self.read_only)
        self._recipes = Recipes(root, self._book.interpreters)
        self._unsealing = Unsealing(self._launcher, settings.sealing)
        self._shelf = Shelf()
        self._failures = Failures(self.bus)
        self._facts = Facts(
            root,
            inspect_in(self._inspectors),
            Remembered(plan_in(self._inspectors)),
            self._book.judge,
            self.fingerprint,
            self._book.pins,
            digest_first=self._book.digest_first,
            unseals=self._unsealing.unsealed,
            limit=settings.seal_mb << 20,
        )
        past = Past(root, inspect_in(self._inspectors), self._book.judge, self._unsealing.unsealed)
        self._explaining = Explaining(past, self._book.explain, self.bus)
        starter = self._starter = Starter(
            self._facts,
            self._launcher,
            Admission(self._book, lambda path, digest: self._signing.signed(path, digest)),
            self._book.note,
            self._recipes.python,
            settings.load_deadline_s,
            Compiled(root).give,
        )
        self._fleet = Fleet(
            starter,
            self._failures,
            self.bus,
            lambda path: self._recipes.or_default(path).reload.policy == "availability",
            restarts=restarts,
        )
        self._questions = Questions(self._fleet, self._recipes.of, settings.deadline_s)
        self._watching = Watching(root, self._shelf, self._facts, self._fleet, self._recipes, self.bus)
        self._survey = Survey(self._shelf, self.report, width=self._inspectors.count)
        self._preparing = Preparing(self._shelf, self._facts.seal)
        self._background: list[asyncio.Task[None]] = []
        self._unsubscribe = self.bus.subscribe(self._hear)

    @cached_property
    def _live(self) -> Live:
        from console.monitor.live import Live

        return Live(self._fleet, self._questions, self.bus, self._fleet.measured)

    @cached_property
    def _signing(self) -> Signing:
        from console.loading.signing import Signing

        return Signing(self.root, self._book.keys, self._book.note)

    @cached_property
    def _at_rest(self) -> AtRest:
        from console.loading.sealing import AtRest

        return AtRest(self.root, self._unsealing, self._book.note)

    @cached_property
    def _updates(self) -> Updates:
        from console.update.service import Updates
        from console.update.workshop import Workshop

        return Updates(
            Workshop(
                self.root,
                self._facts,
                self._starter,
                self._recipes,
                self._book,
                self._launcher,
                self._fleet,
                self._unsealing,
                self._signing.signed,
                self.bus,
            )
        )

    @classmethod
    async def open(
        cls,
        root: Path,
        settings: Settings,
        *,
        read_only: bool = False,
        watch: bool = True,
        records: bool = True,
        begin: bool = True,
    ) -> Engine:
        """Open the store at `root`. With `watch` it is scanned, followed and surveyed in the background.

        Until `begin` is called (which is done here unless told otherwise) only the first rows of the index are known.

        Without `records` nothing is written to the store's audit log. Raises BadInput for a policy that cannot be read,
        Refused where this user has no role in the store.
        """
        engine = cls(root, settings, read_only=read_only, records=records, restarts=watch)
        await engine._book.allow("look")
        if not watch:
            await engine._book.opened()
        else:
            await engine._watching.remember(engine.fingerprint())
            if begin:
                engine.begin()
        return engine

    def begin(self) -> None:
        """Start what runs in the background; a second call does nothing."""
        if not self._background:
            self._background.append(asyncio.ensure_future(self._begin()))

    async def _begin(self) -> None:
        await self._watching.remember_all()
        if not self.read_only:
            await self._recover()
        try:
            await self._book.opened()
        except ConsoleError as error:
            self.bus.emit("store.unrecorded", "", error.message, severity="failure")
        self._watching.start(self.settings.reconcile_s)
        self._background.append(asyncio.ensure_future(self._survey.run()))
        if self.settings.warm:
            self._launcher.stand_by()
        await asyncio.to_thread(import_module, "console.monitor.live")

    async def close(self) -> None:
        """End everything that was started; never raises."""
        self._unsubscribe()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        made = [part for name in ("_live", "_updates") if (part := self.__dict__.get(name)) is not None]
        parts = (*made, self._preparing, self._watching, self._explaining, self._starter, self._fleet)
        for part in (*parts, self._inspectors, self._launcher):
            with suppress(ConsoleError, OSError):
                await part.close()

    async def _recover(self) -> None:
        """Settle what a crash left; where that cannot be told, nothing may be changed."""
        from console.update.recovering import settle

        try:
            await settle(self.root, self.bus)
        except ConsoleError as error:
            self.read_only, self.why_read_only = True, error.message
            self.bus.emit("store.unsettled", "", f"{error.message}; nothing can be changed", severity="failure")

    # who may do what

    @property
    def permission(self) -> Permission:
        """The role of this user, and where it comes from."""
        return self._book.permission

    @property
    def role(self) -> str:
        """What this user may do, in a word: view, operate or administer."""
        return self._book.permission.role.word

    def refusal(self, action: str) -> str | None:
        """Why an action is not this user's, as a sentence; None where it is."""
        return self._book.permission.refusal(action)

    def policy(self) -> Policy:
        """What the policy files say, which of them count, and what is mandatory."""
        return self._book.policy

    # what is there

    @property
    def revision(self) -> int:
        """Grows with every change of what `artifacts` and `workers` show."""
        return self._shelf.revision

    @property
    def scanning(self) -> bool:
        """Whether the first scan still runs, or is to come."""
        return self._watching.scanning

    @property
    def uninspected(self) -> int:
        """How many artifacts wait for their inspection in the background."""
        return self._survey.waiting

    @property
    def offline(self) -> str | None:
        """Why the store cannot be seen at the moment."""
        return self._watching.offline

    @property
    def coverage(self) -> str:
        """How changes on the disk are noticed, in a sentence."""
        return self._watching.coverage

    def artifacts(self) -> tuple[Artifact, ...]:
        """All rows, in order of path."""
        return self._shelf.rows()

    def artifact(self, path: str) -> Artifact | None:
        """One row."""
        return self._shelf.get(path)

    async def scan(self) -> tuple[Artifact, ...]:
        """One look at the whole store with every artifact inspected. Raises StoreOffline."""
        await self._watching.scan(self.fingerprint())
        await self._survey.drain()
        return self._shelf.rows()

    async def report(self, path: str, *, digest: bool = False) -> Report:
        """What is known of one artifact, inspected when it is not. Raises BadInput."""
        report = await self._facts.report(await self._watching.row(path), digest=digest)
        self._watching.learn(report.artifact, self.fingerprint())
        self._explaining.take(report)
        if report.inspection is not None and report.judgement.verdict is Verdict.SAFE:
            self._launcher.expect(use.module for use in report.inspection.names)
        return report

    async def explain(self, path: str) -> Explanation:
        """A verdict in plain words, and how the content differs from the one before it. Raises BadInput."""
        with suppress(BadInput):
            await self._book.refresh()
        return await self._explaining.of(await self.report(path))

    def known_explanation(self, path: str) -> Explanation | None:
        """The same without looking at the disk; None where nothing is known."""
        report = self.known_report(path)
        return None if report is None else self._explaining.known(report)

    def known_report(self, path: str) -> Report | None:
        """The same without looking at the disk; None where it is not known."""
        row = self._shelf.get(path)
        return None if row is None else self._facts.known(path, row.identity)

    def inspect_beneath(self, path: str = "", *, digest: bool = False) -> AsyncIterator[Report]:
        """Every artifact in a directory and those beneath it, inspected in parallel, in order. Raises BadInput.

        The disk is looked at as it is: what a recipe calls data counts as well, and nothing is kept of it all.
        """
        return sweep(self.root, path, partial(self._facts.report, digest=digest), 4 * self._inspectors.count)

    def explained(self, report: Report) -> Explanation:
        """A report's verdict in plain words, without looking at the disk."""
        return self._explaining.known(report)

    def look_at(self, paths: Sequence[str]) -> None:
        """These rows are on the screen: inspect them before the others."""
        self._survey.look_at(paths)

    def stand_on(self, path: str) -> None:
        """The operator's cursor is on this row: what it takes to load it is found out beforehand."""
        self._preparing.look_at(path)

    def recipe(self, path: str) -> Recipe:
        """The recipe of one artifact. Raises BadInput with file and line."""
        return self._recipes.of(path)

    # run

    def workers(self) -> dict[str, WorkerView]:
        """What is loaded, loading or dead, by path."""
        return self._fleet.views()

    def worker(self, path: str) -> WorkerView | None:
        """The same of one path."""
        return self._fleet.view(path)

    async def load(self, path: str, *, at: str = "", accept: str | None = None) -> WorkerView:
        """Load an artifact; `accept` is why the operator says yes to one under review.

        Raises NeedsReview, Refused, BadInput, Failed.
        """
        await self._may("load", path)
        return await self._fleet.load(path, at=at, accept=accept)

    async def set_copies(self, path: str, count: int) -> WorkerView:
        """Have this many workers answer for a loaded artifact. Raises Usage, Failed, and what `load` raises."""
        await self._may("load", path)
        return await self._fleet.set_copies(path, count)

    async def unload(self, path: str) -> None:
        """End the workers of an artifact."""
        await self._may("unload", path)
        await self._live.stop(path)
        await self._fleet.unload(path)

    async def reload(self, path: str, *, accept: str | None = None) -> WorkerView:
        """Load what the file holds now in place of what is loaded. Raises like `load`."""
        await self._may("reload", path)
        return await self._fleet.reload(path, accept=accept)

    async def retry(self, path: str) -> WorkerView:
        """Start a worker again that died, or that was left alone. Raises like `load`."""
        await self._may("reload", path)
        return await self._fleet.reload(path)

    async def open_data(self, path: str, data: str | None, target: str | None = None) -> DataFile:
        """Open a data file (None: the recipe's) in the worker. Raises BadInput with the differences of the columns."""
        return (await self._questions.table(path, data, target)).file

    async def predict(
        self,
        path: str,
        *,
        data: str | None = None,
        rows: Sequence[Json] | None = None,
        start: int = 0,
        stop: int | None = None,
        methods: Sequence[str] = (),
        target: str | None = None,
    ) -> Outcome:
        """Answers for rows of a data file, or for typed `rows`. Raises BadInput, Usage, Failed."""
        return await self._questions.predict(
            path, data=data, rows=rows, start=start, stop=stop, methods=methods, target=target
        )

    async def sample_rows(self, path: str, data: str | None, start: int, count: int) -> list[dict[str, Json]]:
        """Rows of a data file as they go into the model, by column."""
        return await self._questions.sample(path, data, start, count)

    async def evaluate(
        self, path: str, *, data: str | None = None, target: str | None = None
    ) -> tuple[str, int, dict[str, float]]:
        """Task, rows and metrics of a loaded artifact on a data file. Raises Usage, BadInput, Failed."""
        await self._may("evaluate", path)
        metric = self._recipes.of(path).gate.metric
        return await self._questions.evaluate(path, data, target, metric)

    async def convert(
        self, path: str, to: str, out: Path, *, at: str = "", accept: str | None = None
    ) -> dict[str, Json]:
        """Write the loaded artifact to `out` in another format and check that it answers alike."""
        await self._may("convert", path)
        return await self._updates.convert(path, to, out, at=at, accept=accept)

    async def accelerate(
        self,
        path: str,
        *,
        data: str | None = None,
        at: str = "",
        accept: str | None = None,
        on_phase: Callable[[str], None] = lambda phase: None,
    ) -> Twinned:
        """Make an ONNX twin of an artifact and compare it; it waits for `keep_twin` or `discard_twin`.

        `on_phase` hears what is being done.
        Raises Usage, NeedsReview, Refused, BadInput, Failed.
        """
        await self._may("accelerate", path, writes=True)
        return await self._updates.accelerating.compare(path, data=data, at=at, accept=accept, on_phase=on_phase)

    async def keep_twin(self, path: str) -> None:
        """Have the twin that waits answer where it is faster, from the next load on. Raises Failed."""
        await self._may("accelerate", path, writes=True)
        await self._updates.accelerating.keep(path)

    async def discard_twin(self, path: str) -> None:
        """Let go of the twin that waits."""
        await self._updates.accelerating.discard(path)

    async def drop_twin(self, path: str) -> bool:
        """Remove the twin of what an artifact holds now; whether there was one. Raises BadInput, Failed."""
        await self._may("accelerate", path, writes=True)
        report = await self.report(path, digest=True)
        return await self._updates.accelerating.drop(path, report.artifact.digest or "")

    # who vouches for it, who can read it

    async def sign(self, path: str, key: Path) -> tuple[str, dict[str, str]]:
        """Sign an artifact, or all of a directory ("" = the store), with the private key in that file.

        Returns its public line and path to digest. Raises Refused, BadInput, Failed.
        """
        await self._may("sign", path, writes=True)
        return await self._signing.sign(path, key)

    async def verify(self, path: str, keys: Sequence[str] = ()) -> tuple[Standing, ...]:
        """How an artifact, or each of a directory, stands with its signatures by `keys` (none: the policy's).

        Raises Usage, BadInput, Failed.
        """
        return await self._signing.verify(path, keys)

    async def seal(
        self, path: str, recipients: Sequence[str], out: Path | None = None, *, replace: bool = False
    ) -> tuple[Path, str]:
        """Write an artifact encrypted for its recipients, beside it or to `out`; the file and its digest.

        `replace` removes the artifact afterwards. Raises Refused, BadInput, Conflict, Failed.
        """
        await self._may("seal", path, writes=True)
        return await self._at_rest.seal(path, recipients, out, replace=replace)

    async def unseal(self, path: str, identity: Path | None, out: Path) -> int:
        """Write what a sealed artifact holds to a new file; its size. Raises Refused, BadInput, Failed."""
        await self._may("unseal", path, writes=True)
        return await self._at_rest.unseal(path, identity, out)

    # probe

    async def start_probe(self, path: str, plan: ProbePlan | None = None, seconds: float | None = None) -> ProbeState:
        """Drive a loaded artifact with rows of a data file. Raises Usage, BadInput, Failed."""
        await self._may("probe", path)
        if plan is None:
            data, target = self._questions.data_of(path, None, None)
            plan = ProbePlan(data, rate=self.settings.probe_rate, target=target)
        return await self._live.start(path, plan, seconds)

    def set_probe(self, path: str, *, rate: float | None = None, batch: int | None = None) -> None:
        """Change a probe while it runs. Raises Failed."""
        self._live.set(path, rate=rate, batch=batch)

    async def stop_probe(self, path: str) -> ProbeState | None:
        """End a probe; its summary."""
        return await self._live.stop(path)

    async def probe_finished(self, path: str) -> ProbeState:
        """Wait until a probe ends by itself; its summary. Raises Failed."""
        return await self._live.finished(path)

    async def memory(self, path: str) -> Memory | None:
        """The memory of what is loaded, read now; None where nothing is."""
        from console.monitor.memory import read_once

        view = self._fleet.view(path)
        return None if view is None else await asyncio.to_thread(read_once, *view.pids)

    def probe(self, path: str) -> ProbeState | None:
        """The probe that runs, or ran last."""
        return self._live.probe(path)

    def series(self, path: str) -> Recorder | None:
        """The live measurements of one artifact, kept over reloads."""
        return self._live.recorder(path)

    # what went wrong, what was done

    def failures(self) -> tuple[Failure, ...]:
        """What went wrong, newest last."""
        return self._failures.all()

    def audit_entries(self) -> tuple[AuditEntry, ...]:
        """The audit log of the store, oldest first. Raises BadInput, Failed."""
        return self._book.entries()

    def audit_verify(self) -> AuditCheck:
        """Check the chain of the audit log."""
        return self._book.verify()

    def sandbox_remedies(self, layers: Mapping[str, Layer]) -> dict[str, str]:
        """What would give each layer that is missing, by its name."""
        return next_steps(layers)

    async def doctor(self) -> dict[str, Json]:
        """Versions, sandbox layers with their evidence, limits and paths."""
        from console.loading.doctor import examine, policy_shown

        found = await examine(self.root, self._launcher, self.why_read_only)
        return {**found, "policy": policy_shown(self._book.policy, self._book.permission)}

    # update

    async def plan_update(
        self, path: str, *, data: str | None = None, target: str | None = None, at: str = ""
    ) -> UpdatePlan:
        """What an update would do, from the recipe and what was named. Raises Usage that says what is missing."""
        return self._updates.plan(path, data, target, at=at)

    async def update(self, plan: UpdatePlan) -> Comparison:
        """Retrain, judge and measure a candidate; it waits for `promote` or `discard`.

        Raises Refused, BadInput, Usage, Failed.
        """
        await self._may("update", plan.path, writes=True)
        return await self._updates.run(plan)

    def progress(self, path: str) -> UpdateProgress | None:
        """Where an update stands, None where none runs."""
        return self._updates.progress(path)

    async def cancel_update(self, path: str) -> None:
        """End an update that runs; nothing is changed by it."""
        await self._may("update", path)
        await self._updates.cancel(path)

    def pending(self, path: str) -> Comparison | None:
        """The candidate that waits for a word."""
        return self._updates.pending(path)

    async def promote(self, path: str, why: str) -> Version:
        """Put the waiting candidate in place, atomically. Raises Refused, Conflict, Failed."""
        await self._may("promote", path, writes=True)
        return await self._updates.promote(path, why)

    async def discard(self, path: str) -> None:
        """Let go of the waiting candidate."""
        await self._may("discard", path)
        await self._updates.discard(path)

    async def history(self, path: str) -> tuple[Version, ...]:
        """The versions of an artifact, newest first. Raises BadInput, Failed."""
        return await self._updates.history(path)

    async def rollback(self, path: str, version: int | None = None) -> Version:
        """Promote an old version (None: the one before). Raises Refused, BadInput, Conflict, Failed."""
        await self._may("rollback", path, writes=True)
        return await self._updates.rollback(path, version)

    # inside

    def fingerprint(self) -> str:
        """Changes whenever what is known of an unchanged file could."""
        return f"{self._book.fingerprint()}-{self._unsealing.fingerprint()}"

    async def _may(self, action: str, path: str, *, writes: bool = False) -> None:
        """Raises Refused where the user's role, or read-only mode, says no."""
        await self._book.allow(action, path)
        if writes and self.read_only:
            raise Refused(f"this console is read-only: {self.why_read_only}")

    def _hear(self, event: Event) -> None:
        if event.kind.startswith(("artifact.", "store.")):
            self._survey.wake()
        if event.kind == "worker.ready":
            view = self._fleet.view(event.subject)
            row = self._shelf.get(event.subject)
            if view is not None and row is not None:
                self._shelf.mark_changed(event.subject, row.digest is not None and row.digest != view.digest)
        if event.kind == "artifact.changed" and (report := self.known_report(event.subject)) is not None:
            self._explaining.take(report)
        if event.kind.startswith("worker."):
            self._shelf.touch()
        if event.kind.startswith("worker.") or "_live" in self.__dict__:
            self._live.hear(event)
