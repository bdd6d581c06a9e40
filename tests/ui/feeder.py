"""Feeds screens with real records where a whole engine would be in the way: many rows, hostile names, frozen times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from console.config import Settings
from console.errors import BadInput, ConsoleError, Usage
from console.events import Bus
from console.loading.worker_logs import WorkerLog
from console.records import (
    Artifact,
    Comparison,
    DataSource,
    Event,
    Explanation,
    Failure,
    Json,
    Layer,
    ModelData,
    ProbeState,
    Report,
    UpdatePlan,
    UpdateProgress,
    Version,
    WorkerView,
    target_words,
)
from console.store.recipe import Recipe
from console.trust.explain import explain
from console.trust.policy import Policy
from console.trust.roles import Permission, Role

ROOMS: dict[str, dict[str, str]] = {
    "book": {},
    "artifacts": {"rows": "all_artifacts", "row": "artifact"},
    "models": {"views": "all_workers", "view": "worker"},
    "questions": {},
    "model_data": {"of": "data_of", "known": "chosen"},
    "live": {"start": "start_probe", "stop": "stop_probe", "set": "set_probe", "recorder": "series"},
    "updates": {"run": "update", "cancel": "cancel_update"},
    "accelerating": {"compare": "accelerate", "write": "write_export", "discard": "discard_export"},
    "recipes": {"of": "recipe"},
    "failures": {"all": "all_failures"},
    "doctor": {},
    "at_rest": {"check": "check_seal"},
}
"""The engine's rooms, and what a feeder calls what they are asked, where it has another word."""


class Room:
    """One room of the engine, as far as a feeder can stand for it: `calls` are the feeder's own words for its names."""

    def __init__(self, feeder: Feeder, **calls: str) -> None:
        self._feeder = feeder
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        return getattr(self._feeder, self._calls.get(name, name))


class Feeder:
    """Holds records and hands them out in rooms like the engine's; what is asked of it is noted in `asked`."""

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
        self.views: dict[str, WorkerView] = {}
        self.probes: dict[str, ProbeState] = {}
        self.recorders: dict[str, Any] = {}
        self.explanations: dict[str, Explanation] = {}
        self.logs: dict[str, WorkerLog] = {}
        self.layers: dict[str, Layer] = {}
        self.remedy = "start it where control groups can be written"
        self.failed: list[Failure] = []
        self.versions: dict[str, tuple[Version, ...]] = {}
        self.driven_with: dict[str, str] | None = None
        self.plans: dict[str, UpdatePlan | ConsoleError] = {}
        self.progresses: dict[str, UpdateProgress] = {}
        self.compared: dict[str, Comparison] = {}
        self.chosen_data: dict[str, ModelData] = {}
        self.asked: list[tuple[str, ...]] = []
        self.closed = False

    def __getattr__(self, name: str) -> Room:
        if name in ROOMS:
            return Room(self, **ROOMS[name])
        raise AttributeError(name)

    @property
    def role(self) -> str:
        return self.permission.role.word

    async def settled(self, path: str) -> None:
        """Nothing takes long here."""

    def refusal(self, action: str) -> str | None:
        return self.permission.refusal(action)

    def begin(self) -> None:
        self.begun = True

    async def close(self) -> None:
        self.closed = True

    def all_artifacts(self) -> tuple[Artifact, ...]:
        return tuple(self.rows.values())

    def artifact(self, path: str) -> Artifact | None:
        return self.rows.get(path)

    def put(self, artifact: Artifact, kind: str = "artifact.inspected", text: str = "", severity: str = "info") -> None:
        """Change a row and say so."""
        self.rows[artifact.path] = artifact
        self.say(kind, artifact.path, text, severity)

    def say(self, kind: str, subject: str, text: str = "", severity: str = "info") -> Event:
        self.revision += 1
        return self.bus.emit(kind, subject, text, severity=severity)

    def known_report(self, path: str) -> Report | None:
        return self.reports.get(path)

    async def report(self, path: str, *, digest: bool = False, at: str = "") -> Report:
        if path not in self.reports:
            raise BadInput(f"nothing is known of {path}")
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
            raise BadInput(f"there is no {path}")
        return found

    def remedies(self, layers: Mapping[str, Layer]) -> dict[str, str]:
        return {name: self.remedy for name, layer in layers.items() if not layer.active}

    async def examine(self) -> dict[str, Json]:
        return {
            "sandbox": {name: {"active": one.active, "evidence": one.evidence} for name, one in self.layers.items()}
        }

    def look_at(self, paths: Sequence[str]) -> None:
        self.looked_at = tuple(paths)

    def stand_on(self, path: str) -> None:
        """Nothing is prepared here."""

    def all_workers(self) -> dict[str, WorkerView]:
        return dict(self.views)

    def worker(self, path: str) -> WorkerView | None:
        return self.views.get(path)

    def log(self, path: str) -> WorkerLog | None:
        return self.logs.get(path)

    def probe(self, path: str) -> ProbeState | None:
        return self.probes.get(path)

    def series(self, path: str) -> Any:
        return self.recorders.get(path)

    def recipe(self, path: str) -> Recipe:
        return Recipe()

    async def data_of(self, path: str) -> ModelData:
        recipe = {path: f"{path}.csv"} if self.driven_with is None else self.driven_with
        named = ModelData(DataSource.RECIPE, recipe[path]) if path in recipe else ModelData(DataSource.NONE)
        return self.chosen_data.get(path, named)

    def shortened(self, data: str) -> str:
        return data

    def chosen(self, path: str) -> ModelData:
        return self.chosen_data.get(path, ModelData(DataSource.NONE))

    def all_failures(self) -> tuple[Failure, ...]:
        return tuple(self.failed)

    def progress(self, path: str) -> UpdateProgress | None:
        return self.progresses.get(path)

    def pending(self, path: str) -> Comparison | None:
        return self.compared.get(path)

    async def history(self, path: str) -> tuple[Version, ...]:
        return self.versions.get(path, ())

    def plan(self, path: str, *, data: str | None = None, target: str | None = None) -> UpdatePlan:
        plan = self.plans.get(path, Usage(f"there is nothing to train {path} on"))
        if isinstance(plan, ConsoleError):
            raise plan
        return plan

    async def check_seal(self) -> None:
        """Nothing is missing."""

    async def seal(self, path: str, recipients: Sequence[str], *, replace: bool = False) -> None:
        self.asked.append(("seal", path, *recipients, "replace" if replace else "keep"))

    async def update(self, plan: UpdatePlan) -> None:
        self.asked.append(("update", plan.path, plan.data, target_words(plan.target)))

    async def load(self, path: str, *, at: str = "", accept: str | None = None) -> None:
        self.asked.append(("load", path, at, accept or ""))

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
