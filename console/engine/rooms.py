"""The rooms of one store, made and ended together. What clients see of them is `console.engine.api`.

Everything the rooms hand out is a plain record; what happens is told on `bus`. All of it runs on one event loop.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from console import event_loop
from console.access.admission import Admission
from console.access.control import AccessControl
from console.access.recipes import Recipes
from console.catalog.artifacts import Artifacts
from console.closing import close_each
from console.config import Settings
from console.errors import ConsoleError
from console.events import Bus
from console.files.roots import why_not_writable
from console.inspection.cache import InspectionCache
from console.inspection.decryption import Unsealing
from console.inspection.explaining import Explaining
from console.inspection.inspecting import inspect_directory_in, inspect_in, plan_in
from console.inspection.previous_content import PreviousContent
from console.inspection.service import InspectionService
from console.recipes.chosen import Chosen
from console.records import (
    Artifact,
    Comparison,
    Event,
    Failure,
    Permissions,
    ProbeState,
    Signature,
    StoreStatus,
    UpdateProgress,
    WorkerState,
    WorkerView,
)
from console.serving.failures import Failures
from console.serving.inference import Inference
from console.serving.loader import ModelLoader
from console.serving.models import Models
from console.serving.supervisor import Supervisor
from console.worker.inspector import Inspectors
from console.worker.launcher import Launcher
from console.worker.limits import Limits

if TYPE_CHECKING:
    from console.doctor.doctor import Doctor
    from console.monitor.live import Live
    from console.serving.model_data import DataOfModels
    from console.update.accelerating import Accelerating
    from console.update.encryption import Encryption
    from console.update.service import Updates
    from console.update.services import UpdateServices
    from console.update.signing import Signing

_PLACED = ("model_data", "signing", "at_rest", "doctor", "_workshop")
"""Rooms made when they are first asked that work in the store's directory."""


class Engine:
    """One store, opened. Make it with `open`, end it with `close`; in between its rooms are asked.

    `artifacts` are what is there, `models` what is loaded, `questions` what a loaded model is asked, `model_data` with
    which rows, `live` measures and probes it, `updates` and `accelerating` make something new of it, `signing` and
    `at_rest` keep it safe; `book` tells who may do what and what was done, `failures` what went wrong, `recipes` what
    was written beside an artifact, and the `doctor` looks at all of it. Each room asks the book for leave itself.

    Where the path that was given leads to another directory than before, all rooms turn to that one: what is loaded
    stays, and is held against what lies there.

    Rooms that the first screen needs nothing of are made, and their modules imported, when they are first asked.
    """

    def __init__(self, given: Path, settings: Settings, *, read_only: bool, records: bool, restarts: bool) -> None:
        self._given = given
        self.root = root = Path(os.path.realpath(given))
        self.settings = settings
        self.bus = Bus()
        self._asked_read_only = read_only
        self.book = AccessControl(root, self.bus, why_read_only=self._why_read_only(), records=records)
        self._chosen = Chosen(root)
        self.recipes = Recipes(root, self.book.interpreters, self._chosen)
        self.failures = Failures(self.bus)
        self._launcher = Launcher(Limits(memory=settings.memory_mb << 20))
        self._inspectors = Inspectors(self._launcher)
        self._unsealing = Unsealing(self._launcher, settings.sealing)
        self._facts = self._new_facts()
        self._starter = self._new_starter()
        self._fleet = Supervisor(
            self._starter,
            self.failures,
            self.bus,
            lambda path: self.recipes.or_default(path).reload.policy == "availability",
            restarts=restarts,
        )
        self.artifacts = self._new_artifacts()
        self.models = Models(self._fleet, self.book, lambda path: self.live.stop(path, "the model was unloaded"))
        self.questions = Inference(self._fleet, self.book, self.recipes.of, settings.deadline_s)
        self.settled: list[str] = []
        """Sentences on what a killed console had left, and how that was settled as this store was opened."""
        self._on_failure: Callable[[Exception], None] = lambda _: None
        self._background: list[asyncio.Task[None]] = []
        self._unsubscribe = self.bus.subscribe(self._hear)

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
        on_failure: Callable[[Exception], None] = lambda _: None,
    ) -> Engine:
        """Open the store at `root`. With `watch` it is scanned, followed and surveyed in the background.

        Until `begin` is called (which is done here unless told otherwise) only the first rows of the index are known.
        `on_failure` hears of what nobody expected in the background, where nobody waits for it.

        Without `records` nothing is written to the store by itself, neither to its audit log nor to settle what a crash
        left. Raises InputError for a policy that cannot be read, AccessDeniedError where this user has no role in the
        store.
        """
        event_loop.make_do()
        engine = cls(root, settings, read_only=read_only, records=records, restarts=watch)
        engine._on_failure = on_failure
        await engine.book.authorize("look")
        if not watch:
            await engine._end_abandoned()
            if records and not engine.book.read_only:
                await engine._settle()
            await engine.book.announce()
        else:
            await asyncio.gather(engine.artifacts.remember(), asyncio.to_thread(engine._chosen.load))
            if begin:
                engine.begin()
        return engine

    def begin(self) -> None:
        """Start what runs in the background; a second call does nothing."""
        if not self._background:
            self._go(self._begin())

    async def close(self) -> None:
        """End everything that was started; never raises."""
        self._unsubscribe()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        made = [part for name in ("live", "accelerating", "updates") if (part := self.__dict__.get(name)) is not None]
        await close_each(*made, self.artifacts, self._starter, self._fleet, self._inspectors, self._launcher)

    # rooms that are made when they are first asked

    @cached_property
    def live(self) -> Live:
        """The measurements and probes of what is loaded."""
        from console.monitor.live import Live

        rate, sample_hz = self.settings.probe_rate, self.settings.sample_hz
        return Live(self._fleet, self.questions, self.book, self.bus, rate=rate, sample_hz=sample_hz)

    @cached_property
    def model_data(self) -> DataOfModels:
        """Which data a model is driven with."""
        from console.serving.model_data import DataOfModels

        return DataOfModels(
            self.root, self._chosen, self.recipes, self._inspectors, self.book, self.bus, self._signature
        )

    @cached_property
    def updates(self) -> Updates:
        """Updates of artifacts, their versions, conversion."""
        from console.update.service import Updates

        return Updates(self._workshop)

    @cached_property
    def accelerating(self) -> Accelerating:
        """The export of models to ONNX."""
        from console.update.accelerating import Accelerating

        return Accelerating(self._workshop)

    @cached_property
    def signing(self) -> Signing:
        """Who vouches for an artifact."""
        from console.update.signing import Signing

        return Signing(self.root, self.book)

    @cached_property
    def at_rest(self) -> Encryption:
        """Who can read an artifact on the disk."""
        from console.update.encryption import Encryption

        return Encryption(self.root, self._unsealing, self.book)

    @cached_property
    def doctor(self) -> Doctor:
        """The examination of the machine and the store."""
        from console.doctor.doctor import Doctor

        return Doctor(self.root, self._launcher, self.book)

    @cached_property
    def _workshop(self) -> UpdateServices:
        from console.update.services import UpdateServices

        return UpdateServices(
            self.root,
            self.artifacts,
            self._facts,
            self._starter,
            self.recipes,
            self.book,
            self._launcher,
            self._fleet,
            self._unsealing,
            self.signing.signed,
            self.bus,
            self.failures,
        )

    # what the rooms have, without making one

    def status(self) -> StoreStatus:
        """How the store stands."""
        artifacts, sealing = self.artifacts, self.settings.sealing
        return StoreStatus(
            str(self.root),
            Permissions(self.book.role, self.book.refusals(), self.book.why_read_only),
            artifacts.scanning,
            artifacts.offline,
            artifacts.uninspected,
            tuple(self.settled),
            sealing.recipients,
            bool(sealing.identity),
        )

    def known_rows(self) -> tuple[Artifact, ...]:
        """All rows, in order of path."""
        return self.artifacts.rows()

    def known_row(self, path: str) -> Artifact | None:
        """One row."""
        return self.artifacts.row(path)

    def known_workers(self) -> dict[str, WorkerView]:
        """Workers that are loaded, loading or dead, by path."""
        return self.models.views()

    def known_failures(self, since: int) -> tuple[Failure, ...]:
        """Those that came, or came again, with the event of this number or later."""
        return self.failures.since(since)

    def known_probe(self, path: str) -> ProbeState | None:
        """The probe of one path that runs, or ran last."""
        return self.live.state(path) if "live" in self.__dict__ else None

    def known_update(self, path: str) -> tuple[UpdateProgress | None, Comparison | None]:
        """Where an update of one path stands, and the candidate that waits."""
        made = "updates" in self.__dict__
        return (self.updates.progress(path), self.updates.pending(path)) if made else (None, None)

    # rooms behind these

    def _new_facts(self) -> InspectionService:
        book, unsealing = self.book, self._unsealing
        return InspectionService(
            self.root,
            inspect_in(self._inspectors),
            inspect_directory_in(self._inspectors),
            InspectionCache(plan_in(self._inspectors)),
            book.judge,
            lambda: f"{book.fingerprint()}-{unsealing.fingerprint()}",
            book.pins,
            digest_first=book.digest_first,
            unseals=unsealing.unsealed,
            limit=self.settings.seal_mb << 20,
        )

    def _new_starter(self) -> ModelLoader:
        return ModelLoader(
            self._facts,
            self._launcher,
            Admission(self.book, lambda path, digest: self.signing.signed(path, digest)),
            self.book.record,
            self.recipes.python,
            self.settings.load_deadline_s,
        )

    def _new_artifacts(self) -> Artifacts:
        self._past = PreviousContent(self.root, inspect_in(self._inspectors), self.book.judge, self._unsealing.unsealed)
        return Artifacts(
            self.root,
            self._facts,
            Explaining(self._past, self.book.explain, self.bus),
            self._fleet,
            self.recipes,
            self.book,
            self._launcher,
            self.bus,
            width=self._inspectors.count,
            given=self._given,
            moved=self._move,
        )

    def _signature(self, path: str) -> Signature | None:
        """The inputs of a model: as its worker tells them, else its file."""
        view, report = self.models.view(path), self.artifacts.known_report(path)
        if view is not None and view.state is WorkerState.READY:
            return view.signature
        return report.inspection.signature if report is not None and report.inspection is not None else None

    # in the background

    def _go(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        task.add_done_callback(self._gone)
        self._background.append(task)

    def _gone(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self._on_failure(error)

    async def _end_abandoned(self) -> None:
        """End what a console that was killed left running."""
        ended = await asyncio.to_thread(self._launcher.end_abandoned)
        if ended:
            processes = f"{ended} process{'es' if ended > 1 else ''}"
            self._tell_settled(
                "", f"{processes} that a killed console had left running {'were' if ended > 1 else 'was'} ended"
            )

    async def _settle(self) -> None:
        """Settle what a crash left, for a command; one that replaces something goes by the journal itself."""
        from console.update.recovering import settle

        try:
            self.settled += await settle(self.root, self.bus)
        except ConsoleError as error:
            self.settled.append(error.message)

    def _tell_settled(self, path: str, text: str) -> None:
        self.settled.append(text)
        self.bus.emit("store.settled", path, text, severity="attention")

    async def _begin(self) -> None:
        await self._end_abandoned()
        await self.artifacts.remember_all()
        await self._arrive()
        self.artifacts.follow(self.settings.reconcile_s)
        self._go(self.artifacts.survey())
        if self.settings.warm:
            self._launcher.stand_by()
        await asyncio.to_thread(import_module, "console.monitor.live")

    async def _recover(self) -> None:
        """Settle what a crash left; where that cannot be told, nothing may be changed."""
        from console.update.recovering import settle

        try:
            self.settled += await settle(self.root, self.bus)
        except ConsoleError as error:
            self.book.why_read_only = error.message
            self.bus.emit("store.unsettled", "", f"{error.message}; nothing can be changed", severity="failure")

    def _why_read_only(self) -> str:
        return "it was asked for" if self._asked_read_only else (why_not_writable(self.root) or "")

    def _move(self, root: Path) -> None:
        """The store is another directory from now on; what lies there is judged by its own policy."""
        self.root = root
        made = [part for name in _PLACED if (part := self.__dict__.get(name)) is not None]
        for room in (self.recipes, self._chosen, self._facts, *made):
            room.root = root
        self._go(asyncio.to_thread(self._chosen.load))
        self._go(self._past.move(root))
        try:
            self.book.move(root, why_read_only=self._why_read_only())
        except ConsoleError as error:
            self.bus.emit("trust.policy", "", error.message, severity="failure")
        else:
            self._go(self._arrive())

    async def _arrive(self) -> None:
        """Settle what was left half done in the store that is new here, and put its policy on record."""
        if not self.book.read_only:
            await self._recover()
        try:
            await self.book.announce()
        except ConsoleError as error:
            self.bus.emit("store.unrecorded", "", error.message, severity="failure")

    def _hear(self, event: Event) -> None:
        self.artifacts.hear(event)
        if event.kind.startswith("worker.") or "live" in self.__dict__:
            self.live.hear(event)
