"""The rooms that a feeder stands for: artifacts, models, data, inference and measurements."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

from console.errors import InputError, UsageError
from console.records import (
    Answers,
    Artifact,
    DataColumns,
    DataReading,
    Differences,
    Draft,
    Evaluated,
    Expected,
    Explanation,
    FoundDataFiles,
    Json,
    KnownFacts,
    LogPart,
    Memory,
    MemoryForecast,
    ModelData,
    Prediction,
    ProbePlan,
    ProbeState,
    ReadOptions,
    RecipeFacts,
    Report,
    SeriesChunk,
    SeriesPosition,
    Signature,
    SweepPart,
    Target,
    TypedPath,
    WorkerState,
    WorkerView,
)
from tests.ui.feeder import Feeder


class FedRoom:
    """One of them."""

    def __init__(self, feeder: Feeder) -> None:
        self._feeder = feeder


class FedArtifacts(FedRoom):
    """The artifacts of the store."""

    async def scan(self, path: str = "") -> tuple[Artifact, ...]:
        return self._feeder.known_rows()

    async def sweep(self, path: str = "", *, digest: bool = False) -> AsyncIterator[SweepPart]:
        for report in self._feeder.reports.values():
            yield SweepPart(report)

    async def forecast(self, path: str) -> MemoryForecast | None:
        return self._feeder.forecasts.get(path)

    async def known(self, path: str) -> KnownFacts:
        report, told = self._feeder.known_report(path), self._feeder.known_explanation(path)
        return KnownFacts(report, told, self._feeder.forecasts.get(path))

    async def report(self, path: str, *, digest: bool = False) -> Report:
        return await self._feeder.report(path)

    async def inspect(self, path: str) -> Report:
        return await self._feeder.inspect(path)

    async def explain(self, path: str) -> Explanation:
        return await self._feeder.explain(path)

    async def differ(self, first: str, second: str) -> Differences:
        return replace(self._feeder.differences, first=first, second=second)

    async def prioritize(self, paths: tuple[str, ...]) -> None:
        self._feeder.looked_at = paths

    async def prefetch(self, path: str) -> None:
        """Nothing is prepared here."""


class FedModels(FedRoom):
    """The loaded models."""

    def _view(self, path: str) -> WorkerView:
        return self._feeder.views.get(path) or WorkerView(path, WorkerState.READY, 0.0)

    async def worker(self, path: str) -> WorkerView | None:
        return self._feeder.views.get(path)

    async def settled(self, path: str) -> WorkerView | None:
        return self._feeder.views.get(path)

    async def load(self, path: str, *, at: str = "", accept: str | None = None, anyway: bool = False) -> WorkerView:
        await self._feeder.load(path, at=at, accept=accept, anyway=anyway)
        return self._view(path)

    async def hold(
        self, path: str, *, at: str = "", accept: str | None = None, anyway: bool = False
    ) -> AsyncIterator[WorkerView]:
        yield await self.load(path, at=at, accept=accept)

    async def reload(self, path: str, *, accept: str | None = None) -> WorkerView:
        await self._feeder.reload(path)
        return self._view(path)

    async def unload(self, path: str) -> None:
        await self._feeder.unload(path)

    async def set_copies(self, path: str, count: int) -> WorkerView:
        await self._feeder.set_copies(path, count)
        return self._view(path)

    async def log(self, path: str, after: int = 0) -> LogPart | None:
        log = self._feeder.logs.get(path)
        return None if log is None else log.look(after)


class FedData(FedRoom):
    """The data that models are driven with; files are those that a feeder names."""

    async def of(self, path: str) -> ModelData:
        return await self._feeder.data_of(path)

    async def chosen(self, path: str) -> ModelData:
        return self._feeder.chosen(path)

    async def recipe(self, path: str) -> RecipeFacts:
        return self._feeder.recipe(path)

    async def expected(self, path: str) -> Expected:
        return Expected(Signature())

    async def columns(self, path: str, data: str) -> DataColumns:
        raise InputError(f"there is no {data}")

    async def choose(self, path: str, data: str, target: Target | None) -> None:
        self._feeder.asked.append(("choose", path, data))

    async def draft(self, path: str, data: str, target: Target | None) -> Draft:
        return Draft("", refusal="a feeder writes nothing")

    async def write_recipe(self, path: str, draft: Draft) -> None:
        self._feeder.asked.append(("write_recipe", path))

    async def read_as(self, path: str, options: ReadOptions) -> None:
        self._feeder.asked.append(("read_as", path))

    async def typed(self, typed: str) -> TypedPath:
        return TypedPath(f"{self._feeder.root}/{typed}" if typed else "", False, (), (), (), typed)

    async def nearest(self, path: str) -> AsyncIterator[FoundDataFiles]:
        yield FoundDataFiles(())


class FedInference(FedRoom):
    """Inference of loaded models."""

    async def open_data(
        self, path: str, data: str | None = None, target: Target | None = None, *, limit: int | None = None
    ) -> AsyncIterator[DataReading]:
        file = await self._feeder.open_data(path, data)
        yield DataReading(file.rows, 1.0, file)

    async def alias(self, name: str, file: str) -> None:
        self._feeder.asked.append(("alias", name, file))

    async def sample(self, path: str, data: str | None, start: int, count: int) -> list[dict[str, Json]]:
        return await self._feeder.sample(path, data, start, count)

    async def predict(
        self,
        path: str,
        *,
        data: str | None = None,
        rows: list[Json] | None = None,
        start: int = 0,
        stop: int | None = None,
        methods: tuple[str, ...] = (),
        target: Target | None = None,
        outputs: bool = True,
        score: bool = False,
    ) -> Prediction:
        if rows is not None:
            return await self._feeder.predict(path, rows=rows, methods=methods)
        return await self._feeder.predict(path, start=start, stop=stop, methods=methods, score=score)

    async def answers(
        self,
        path: str,
        data: str | None = None,
        target: Target | None = None,
        *,
        forms: tuple[str, ...] = (),
        methods: tuple[str, ...] = (),
        limit: int | None = None,
    ) -> AsyncIterator[Answers]:
        yield Answers(await self._feeder.predict(path, methods=methods))

    async def evaluate(self, path: str, *, data: str | None = None, target: Target | None = None) -> Evaluated:
        raise UsageError("a feeder is not measured")


class FedMonitor(FedRoom):
    """Probes, measurements and failures."""

    async def plan(
        self,
        path: str,
        *,
        data: str | None = None,
        target: Target | None = None,
        rate: float | None = None,
        batch: int = 1,
    ) -> ProbePlan:
        return ProbePlan(data or f"{path}.csv", batch=batch)

    async def start(self, path: str, plan: ProbePlan | None = None, *, seconds: float | None = None) -> ProbeState:
        await self._feeder.start_probe(path, plan)
        return self._feeder.probes.get(path) or ProbeState(plan or ProbePlan(""), False, 0.0)

    async def set(self, path: str, *, rate: float | None = None, batch: int | None = None) -> None:
        if rate is not None:
            self._feeder.set_probe(path, rate=rate)
        if batch is not None:
            self._feeder.set_probe(path, batch=batch)

    async def stop(self, path: str) -> ProbeState | None:
        await self._feeder.stop_probe(path)
        return self._feeder.probes.get(path)

    async def finished(self, path: str) -> ProbeState:
        raise UsageError("a feeder's probe does not end")

    async def probe(self, path: str) -> ProbeState | None:
        return self._feeder.probes.get(path)

    async def memory(self, path: str) -> Memory | None:
        view = self._feeder.views.get(path)
        return None if view is None else view.memory

    async def series(self, path: str, wanted: tuple[SeriesPosition, ...] = ()) -> SeriesChunk | None:
        recorder = self._feeder.recorders.get(path)
        return None if recorder is None else recorder.chunk(wanted)

    async def exposition(self, openmetrics: bool = False) -> str:
        return "# EOF\n" if openmetrics else ""
