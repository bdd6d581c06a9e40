"""Feeds screens with real records where a whole engine would be in the way: many rows, hostile names, frozen times."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from console.config import Settings
from console.errors import ConsoleError, InputError, UsageError
from console.events import Bus
from console.records import (
    Artifact,
    Comparison,
    DataFile,
    DataSource,
    Differences,
    EngineFacts,
    Event,
    Explanation,
    Failure,
    Job,
    JobState,
    Json,
    Layer,
    MemoryForecast,
    ModelData,
    ModelStatistics,
    OnnxComparison,
    Permissions,
    Prediction,
    ProbeState,
    RecipeFacts,
    Report,
    RequestOutcome,
    ServedModel,
    StoreStatus,
    Target,
    TrafficState,
    UpdatePlan,
    UpdateProgress,
    Version,
    WorkerView,
    target_words,
)
from console.serving.worker_logs import WorkerLog
from console.trust.explain import explain
from console.trust.policy import Policy
from console.trust.roles import NEEDS, Permission, Role


class Feeder:
    """Holds records and tells of them like an engine; what is asked of it is noted in `asked`."""

    def __init__(self, artifacts: Iterable[Artifact] = (), *, root: Path = Path("/srv/models")) -> None:
        self.root = root
        self.read_only = False
        self.why_read_only = ""
        self.permission = Permission(Role.ADMINISTER, "ada", {}, "the permissions of the files")
        self.settings = Settings()
        self.bus = Bus()
        self.scanning = False
        self.uninspected = 0
        self.offline: str | None = None
        self.revision = 0
        self.rows = {artifact.path: artifact for artifact in artifacts}
        self.reports: dict[str, Report] = {}
        self.forecasts: dict[str, MemoryForecast] = {}
        self.views: dict[str, WorkerView] = {}
        self.probes: dict[str, ProbeState] = {}
        self.traffic: dict[str, TrafficState] = {}
        self.served: tuple[ServedModel, ...] = ()
        self.statistics: tuple[ModelStatistics, ...] = ()
        self.worst: tuple[RequestOutcome, ...] = ()
        self.recorders: dict[str, Any] = {}
        self.explanations: dict[str, Explanation] = {}
        self.logs: dict[str, WorkerLog] = {}
        self.layers: dict[str, Layer] = {}
        self.remedy = "start it where control groups can be written"
        self.failed: list[Failure] = []
        self.jobs: list[Job] = []
        self.engine: EngineFacts | None = None
        self.versions: dict[str, tuple[Version, ...]] = {}
        self.driven_with: dict[str, str] | None = None
        self.plans: dict[str, UpdatePlan | ConsoleError] = {}
        self.progresses: dict[str, UpdateProgress] = {}
        self.compared: dict[str, Comparison] = {}
        self.chosen_data: dict[str, ModelData] = {}
        self.asked: list[tuple[str, ...]] = []
        self.closed = False
        self.looked_at: tuple[str, ...] = ()
        self.differences = Differences("", "", (), (), 0, measured=False)

    # what changes, as an engine tells it

    def known_status(self) -> StoreStatus:
        refusals = {action: why for action in NEEDS if (why := self.permission.refusal(action)) is not None}
        why_read_only = self.why_read_only or ("it was asked for" if self.read_only else "")
        return StoreStatus(
            str(self.root),
            Permissions(self.permission.role.word, refusals, why_read_only if self.read_only else ""),
            self.scanning,
            self.offline,
            self.uninspected,
            recipients=self.settings.sealing.recipients,
            decrypts=bool(self.settings.sealing.identity),
            engine=self.engine,
        )

    def known_rows(self) -> tuple[Artifact, ...]:
        return tuple(self.rows.values())

    def known_row(self, path: str) -> Artifact | None:
        return self.rows.get(path)

    def known_workers(self) -> dict[str, WorkerView]:
        return dict(self.views)

    def known_probe(self, path: str) -> ProbeState | None:
        return self.probes.get(path)

    def known_traffic(self, path: str) -> TrafficState | None:
        return self.traffic.get(path)

    def known_update(self, path: str) -> tuple[UpdateProgress | None, Comparison | None]:
        return self.progresses.get(path), self.compared.get(path)

    def known_failures(self, since: int) -> tuple[Failure, ...]:
        return tuple(self.failed)

    def known_jobs(self, since: int) -> tuple[Job, ...]:
        return tuple(sorted(self.jobs, key=lambda one: -one.id))

    # what it is asked

    def begin(self) -> None:
        self.begun = True

    async def close(self) -> None:
        self.closed = True

    def put(self, artifact: Artifact, kind: str = "artifact.inspected", text: str = "", severity: str = "info") -> None:
        """Change a row and say so."""
        self.rows[artifact.path] = artifact
        self.say(kind, artifact.path, text, severity)

    def say(self, kind: str, subject: str, text: str = "", severity: str = "info") -> Event:
        self.revision += 1
        return self.bus.emit(kind, subject, text, severity=severity)

    def put_job(self, job: Job, kind: str, text: str = "", severity: str = "info") -> None:
        """Change a job and say so."""
        self.jobs = [*(one for one in self.jobs if one.id != job.id), job]
        self.say(kind, job.artifact, text or f"{job.kind} of {job.artifact}: {job.state}", severity)

    def cancel_job(self, number: int) -> Job:
        self.asked.append(("cancel-job", str(number)))
        found = next(one for one in self.jobs if one.id == number)
        job = replace(found, state=JobState.CANCELLED, ended=found.started + 1)
        self.put_job(job, "job.cancelled")
        return job

    def known_report(self, path: str) -> Report | None:
        return self.reports.get(path)

    async def report(self, path: str, *, digest: bool = False, at: str = "") -> Report:
        if path not in self.reports:
            raise InputError(f"nothing is known of {path}")
        return self.reports[path]

    async def inspect(self, path: str) -> Report:
        self.asked.append(("inspect", path))
        return await self.report(path)

    def known_explanation(self, path: str) -> Explanation | None:
        """The feeder's own, or what the verdict of its report is under an empty policy."""
        report = self.reports.get(path)
        if path in self.explanations or report is None:
            return self.explanations.get(path)
        return explain(report.inspection, report.judgement, Policy())

    async def explain(self, path: str) -> Explanation:
        found = self.known_explanation(path)
        if found is None:
            raise InputError(f"there is no {path}")
        return found

    def remedies(self, layers: Mapping[str, Layer]) -> dict[str, str]:
        return {name: self.remedy for name, layer in layers.items() if not layer.active}

    async def examine(self) -> dict[str, Json]:
        return {
            "sandbox": {name: {"active": one.active, "evidence": one.evidence} for name, one in self.layers.items()}
        }

    def probe(self, path: str) -> ProbeState | None:
        return self.probes.get(path)

    def recipe(self, path: str) -> RecipeFacts:
        return RecipeFacts()

    async def data_of(self, path: str) -> ModelData:
        recipe = {path: f"{path}.csv"} if self.driven_with is None else self.driven_with
        named = ModelData(DataSource.RECIPE, recipe[path]) if path in recipe else ModelData(DataSource.NONE)
        return self.chosen_data.get(path, named)

    def chosen(self, path: str) -> ModelData:
        return self.chosen_data.get(path, ModelData(DataSource.NONE))

    async def history(self, path: str) -> tuple[Version, ...]:
        return self.versions.get(path, ())

    def plan(self, path: str, *, data: str | None = None, target: Target | None = None) -> UpdatePlan:
        plan = self.plans.get(path, UsageError(f"there is nothing to train {path} on"))
        if isinstance(plan, ConsoleError):
            raise plan
        return plan

    async def check_seal(self) -> None:
        """Nothing is missing."""

    async def seal(self, path: str, recipients: Sequence[str], *, replace: bool = False) -> None:
        self.asked.append(("seal", path, *recipients, "replace" if replace else "keep"))

    async def update(self, plan: UpdatePlan) -> None:
        self.asked.append(("update", plan.path, plan.data, target_words(plan.target)))

    async def load(self, path: str, *, at: str = "", accept: str | None = None, anyway: bool = False) -> None:
        self.asked.append(("load", path, at, accept or "", *(["anyway"] if anyway else [])))

    async def unload(self, path: str) -> None:
        self.asked.append(("unload", path))

    async def reload(self, path: str) -> None:
        self.asked.append(("reload", path))

    async def start_probe(self, path: str, plan: Any = None) -> None:
        self.asked.append(("start_probe", path))

    async def stop_probe(self, path: str) -> None:
        self.asked.append(("stop_probe", path))

    async def promote(self, path: str, why: str) -> None:
        self.asked.append(("promote", path))

    async def discard(self, path: str) -> None:
        self.asked.append(("discard", path))

    async def rollback(self, path: str, version: int | None = None) -> None:
        self.asked.append(("rollback", path, str(version)))

    async def cancel_update(self, path: str) -> None:
        self.asked.append(("cancel", path))

    async def set_copies(self, path: str, count: int) -> None:
        self.asked.append(("set_copies", path, str(count)))

    def set_probe(self, path: str, *, rate: float | None = None, batch: int | None = None) -> None:
        self.asked.append(("set_probe", str(rate), str(batch)))

    async def open_data(self, path: str, data: str | None, target: str | None = None) -> DataFile:
        raise InputError(f"nothing is known of the data of {path}")

    async def sample(self, path: str, data: str | None, start: int, count: int) -> list[dict[str, Json]]:
        return []

    async def predict(self, path: str, **wanted: Any) -> Prediction:
        raise InputError(f"{path} answers nothing")

    async def accelerate(
        self,
        path: str,
        *,
        at: str = "",
        accept: str | None = None,
        on_phase: Callable[[str], None] = lambda phase: None,
    ) -> OnnxComparison:
        raise InputError(f"{path} has no export")

    async def write_export(self, path: str) -> Version:
        raise InputError(f"{path} has no export")

    async def discard_export(self, path: str) -> None:
        self.asked.append(("discard_export", path))
