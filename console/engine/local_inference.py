"""Inference and measurements of an engine in this process, behind their API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from console.engine.local_rooms import LocalRoom
from console.engine.reporting import reported
from console.errors import UsageError
from console.records import (
    AnswerFile,
    Answers,
    DataReading,
    Evaluated,
    Failure,
    Json,
    Memory,
    Prediction,
    ProbePlan,
    ProbeState,
    SeriesChunk,
    SeriesPosition,
    Target,
)


class LocalInference(LocalRoom):
    """What a loaded model is asked."""

    async def open_data(
        self, path: str, data: str | None = None, target: Target | None = None, *, limit: int | None = None
    ) -> AsyncIterator[DataReading]:
        """Open a data file in the worker, where it is not yet; with `limit` its first rows only."""

        async def opened(tell: Callable[[DataReading], None]) -> DataReading:
            def hear(rows: int, share: float) -> None:
                tell(DataReading(rows, share))

            file = await self._rooms.questions.open_data(path, data, target, limit=limit, on_progress=hear)
            return DataReading(file.rows, 1.0, file)

        async for reading in reported(opened):
            yield reading

    async def sample(self, path: str, data: str | None, start: int, count: int) -> list[dict[str, Json]]:
        """Rows of a data file as they go into the model, by column."""
        return await self._rooms.questions.sample(path, data, start, count)

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
        """Answers for rows `start` to `stop` of a data file, or for typed `rows`."""
        return await self._rooms.questions.predict(
            path,
            data=data,
            rows=rows,
            start=start,
            stop=stop,
            methods=methods,
            target=target,
            outputs=outputs,
            score=score,
        )

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
        """Answers for all rows of a data file, or its first, in as few calls as may be, in the forms of files."""
        pieces = self._rooms.questions.answers(path, data, target, forms=forms, methods=methods, limit=limit)
        async for outcome, files in pieces:
            yield Answers(outcome, {form: AnswerFile(kind, memoryview(data)) for form, (kind, data) in files.items()})

    async def evaluate(self, path: str, *, data: str | None = None, target: Target | None = None) -> Evaluated:
        """How a model does on a data file with a target."""
        return await self._rooms.questions.evaluate(path, data=data, target=target)


class LocalMonitor(LocalRoom):
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
        """How a model would be driven, with what nobody named from its recipe and the settings."""
        named, column = self._rooms.questions.data_of(path, data, target)
        asked = self._rooms.settings.probe_rate if rate is None else rate
        return ProbePlan(named, rate=asked, batch=batch, target=column)

    async def start(self, path: str, plan: ProbePlan | None = None, *, seconds: float | None = None) -> ProbeState:
        """Begin to drive a loaded model, in place of a probe that runs."""
        return await self._rooms.live.start(path, plan, seconds)

    async def set(self, path: str, *, rate: float | None = None, batch: int | None = None) -> None:
        """Change a probe while it runs."""
        self._rooms.live.set(path, rate=rate, batch=batch)

    async def stop(self, path: str) -> ProbeState | None:
        """End the probe of one artifact, if there is one that runs; its last state."""
        return await self._rooms.live.stop(path)

    async def finished(self, path: str) -> ProbeState:
        """Wait for the probe of one artifact to end by itself."""
        return await self._rooms.live.finished(path)

    async def probe(self, path: str) -> ProbeState | None:
        """The probe of one artifact that runs, or ran last."""
        return self._rooms.known_probe(path)

    async def memory(self, path: str) -> Memory | None:
        """The memory of what is loaded, read now."""
        return await self._rooms.live.memory(path)

    async def series(self, path: str, wanted: tuple[SeriesPosition, ...] = ()) -> SeriesChunk | None:
        """What is measured after these positions."""
        recorder = self._rooms.live.recorder(path)
        try:
            return None if recorder is None else recorder.chunk(wanted)
        except KeyError as error:
            raise UsageError(f"nothing is measured in steps of {error} seconds") from None

    async def failures(self) -> tuple[Failure, ...]:
        """What went wrong last, newest last."""
        return self._rooms.failures.all()
