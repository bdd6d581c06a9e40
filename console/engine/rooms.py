"""The rooms of one store, wired together.

Everything the rooms hand out is a plain record; what happens is told on `bus`. All of it runs on one event loop.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from console.access.admission import Admission
from console.access.control import AccessControl
from console.access.recipes import Recipes
from console.catalog.artifacts import Artifacts
from console.config import Settings
from console.engine.jobs import Jobs
from console.events import Bus
from console.files.roots import why_not_writable
from console.inspection.cache import InspectionCache
from console.inspection.decryption import Unsealing
from console.inspection.explaining import Explaining
from console.inspection.inspecting import inspect_directory_in, inspect_in, norms_in, plan_in
from console.inspection.previous_content import PreviousContent
from console.inspection.service import InspectionService
from console.recipes.chosen import Chosen
from console.records import (
    Artifact,
    Comparison,
    EngineFacts,
    Failure,
    Job,
    JobState,
    Permissions,
    ProbeState,
    Signature,
    StoreStatus,
    TrafficState,
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
    from console.access.principals import Principals
    from console.doctor.doctor import Doctor
    from console.engine.long_work import ExportJobs, UpdateJobs
    from console.monitor.exposition import Exposed
    from console.monitor.live import Live
    from console.monitor.traffic import Traffic
    from console.serving.model_data import DataOfModels
    from console.serving.service import Serving
    from console.update.encryption import Encryption
    from console.update.services import UpdateServices
    from console.update.signing import Signing

_PLACED = ("data", "signing", "at_rest", "doctor", "tokens", "_workshop")
"""Rooms made when they are first asked that work in the store's directory."""

_AT_OPENING = ("read_only", "seal_mb", "reconcile_s", "sample_hz", "probe_rate", "warm", "sealing", "engine_group")
"""Settings that rooms take over as they are made."""


class Rooms:
    """The rooms of one store; those that are properties are made, and their modules imported, when first asked.

    `artifacts` are what is there, `models` what is loaded, `serving` what of it answers other programs,
    `inference` what a loaded model is asked, `data` with which rows, `monitor` measures and probes it, `updates` and
    `acceleration` make something new of it, `signing` and `at_rest` keep it safe, `jobs` are what takes long of that;
    `book` tells who may do what and what was done, `failures` what went wrong, `recipes` what was written beside an
    artifact, and the `doctor` looks at all of it. Each room asks the book for leave itself.

    `moved` hears of it where the path that was given leads to another directory than before.
    """

    def __init__(
        self,
        given: Path,
        settings: Settings,
        *,
        read_only: bool,
        records: bool,
        restarts: bool,
        moved: Callable[[Path], None],
    ) -> None:
        self._given = given
        self.root = root = Path(os.path.realpath(given))
        self.settings = settings
        self.bus = Bus()
        self._asked_read_only = read_only
        self._restarts = restarts
        self.book = AccessControl(root, self.bus, why_read_only=self._why_read_only(), records=records)
        self._chosen = Chosen(root)
        self.recipes = Recipes(root, self.book.interpreters, self._chosen)
        self.failures = Failures(self.bus)
        self.jobs = Jobs(self.bus, self.book)
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
        self.artifacts = self._new_artifacts(moved)
        self.models = Models(self._fleet, self.book, lambda path: self.monitor.stop(path, "the model was unloaded"))
        self.inference = Inference(self._fleet, self.book, self.recipes.of, settings.deadline_s)
        self.began = time.time()
        self.facts: Callable[[], EngineFacts | None] = lambda: None
        """How the process stands that holds the store, where it is an engine's own."""
        self.settled: list[str] = []
        """Sentences on what a killed console had left, and how that was settled as this store was opened."""

    # rooms that are made when they are first asked

    @cached_property
    def monitor(self) -> Live:
        """The measurements and probes of what is loaded."""
        from console.monitor.live import Live

        rate, sample_hz = self.settings.probe_rate, self.settings.sample_hz
        return Live(self._fleet, self.inference, self.book, self.bus, self.exposed, rate=rate, sample_hz=sample_hz)

    @cached_property
    def traffic(self) -> Traffic:
        """Requests of other programs to models in service."""
        from console.monitor.traffic import Traffic

        return Traffic(self.monitor.recorder, self.failures.add_request)

    @cached_property
    def serving(self) -> Serving:
        """Models in service for other programs."""
        from console.serving.opening import opened

        found = opened(
            self._fleet,
            self._facts,
            self._launcher,
            self.book,
            self.recipes,
            self.artifacts,
            self.failures,
            self.bus,
            root=lambda: self.root,
            signed=lambda path, digest: self.signing.signed(path, digest),
            signature=self._signature,
            end_driver=lambda path: self.monitor.stop(path, "the model was unloaded"),
            deadline_s=self.settings.load_deadline_s,
            restarts=self._restarts,
            counting=self.traffic,
        )
        self.monitor.measure_versions(found.retained, found.retained_bus)
        return found

    @cached_property
    def data(self) -> DataOfModels:
        """Which data a model is driven with."""
        from console.serving.model_data import DataOfModels

        return DataOfModels(
            self.root, self._chosen, self.recipes, self._inspectors, self.book, self.bus, self._signature
        )

    @cached_property
    def updates(self) -> UpdateJobs:
        """Updates of artifacts, their versions, conversion."""
        from console.engine.long_work import UpdateJobs

        return UpdateJobs(self._workshop, self.jobs)

    @cached_property
    def acceleration(self) -> ExportJobs:
        """The export of models to ONNX."""
        from console.engine.long_work import ExportJobs

        return ExportJobs(self._workshop, self.jobs)

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
    def tokens(self) -> Principals:
        """Who may ask over HTTP."""
        from console.access.principals import Principals

        return Principals(self.root, self.book)

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
            self._inspectors,
            self._fleet,
            self._unsealing,
            self.signing.signed,
            self.bus,
            self.failures,
        )

    # what the rooms have, without making one

    def known_status(self) -> StoreStatus:
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
            self.facts(),
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

    def known_jobs(self, since: int) -> tuple[Job, ...]:
        """Those that changed with the event of this number or later."""
        return self.jobs.since(since)

    def known_probe(self, path: str) -> ProbeState | None:
        """The probe of one path that runs, or ran last."""
        return self.monitor.state(path) if "monitor" in self.__dict__ else None

    def known_traffic(self, path: str) -> TrafficState | None:
        """The requests of other programs to one path."""
        return self.traffic.state(path) if "traffic" in self.__dict__ else None

    async def exposed(self) -> Exposed:
        """Everything that a scraper is told, as it stands now."""
        from console.monitor.exposition import MOST_VERSIONS, Exposed, ProcessFacts

        views, facts = self.models.views(), self.facts()
        served = await self.serving.described({*views, *self.traffic.paths})
        jobs = sum(one.state is JobState.RUNNING for one in self.jobs.since(0))
        return Exposed(
            self.traffic.counts(MOST_VERSIONS),
            dict(self.traffic.strangers),
            self.monitor.probed(),
            views,
            {path: max(self.serving.pending(path), self._fleet.asked(path)) for path in views},
            self.known_rows(),
            served,
            ProcessFacts(self.began, self.failures.count, jobs, None if facts is None else facts.clients),
        )

    def known_update(self, path: str) -> tuple[UpdateProgress | None, Comparison | None]:
        """Where an update of one path stands, and the candidate that waits."""
        made = "updates" in self.__dict__
        return (self.updates.progress(path), self.updates.pending(path)) if made else (None, None)

    def configure(self, settings: Settings) -> tuple[str, ...]:
        """Go by other settings from now on; the names of those that count only once the store is opened again."""
        before, self.settings = self.settings, settings
        self._launcher.limits = Limits(memory=settings.memory_mb << 20)
        self._starter.deadline_s, self.inference.deadline_s = settings.load_deadline_s, settings.deadline_s
        differ = (name for name in settings.__struct_fields__ if getattr(before, name) != getattr(settings, name))
        return tuple(name for name in differ if name in _AT_OPENING)

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
            self.settings.seal_mb << 20,
        )

    def _new_artifacts(self, moved: Callable[[Path], None]) -> Artifacts:
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
            self._starter.forecaster,
            norms=norms_in(self._inspectors),
            width=self._inspectors.count,
            given=self._given,
            moved=moved,
        )

    def _signature(self, path: str) -> Signature | None:
        """The inputs of a model: as its worker tells them, else its file."""
        view, report = self.models.view(path), self.artifacts.known_report(path)
        if view is not None and view.state is WorkerState.READY:
            return view.signature
        return report.inspection.signature if report is not None and report.inspection is not None else None

    def _why_read_only(self) -> str:
        return "it was asked for" if self._asked_read_only else (why_not_writable(self.root) or "")

    def _turn_to(self, root: Path) -> None:
        """Have all rooms work in another directory."""
        self.root = root
        made = [part for name in _PLACED if (part := self.__dict__.get(name)) is not None]
        for room in (self.recipes, self._chosen, self._facts, *made):
            room.root = root
