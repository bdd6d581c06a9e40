"""The rooms whose work takes long, as an engine has them: each update, conversion and export is a job."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

from console.engine.jobs import Jobs, Tell
from console.records import Comparison, ExportProgress, Json, OnnxComparison, UpdatePlan
from console.reporting import reported
from console.update.accelerating import Accelerating
from console.update.service import Updates
from console.update.services import UpdateServices


class UpdateJobs(Updates):
    """Updates and conversions that go on when whoever asked for them is gone."""

    def __init__(self, services: UpdateServices, jobs: Jobs) -> None:
        super().__init__(services)
        self._jobs = jobs

    async def run(self, plan: UpdatePlan) -> Comparison:
        """Retrain, judge and measure a candidate as `Updates` does; cancelling whoever waits for it ends nothing."""
        run = super().run
        return await self._jobs.run("update", plan.path, lambda _tell: run(plan), _compared)

    async def convert(
        self, path: str, to: str, out: str | Path, *, at: str = "", accept: str | None = None
    ) -> dict[str, Json]:
        """Write the model in another format as `Updates` does; cancelling whoever waits for it ends nothing."""
        convert = super().convert
        return await self._jobs.run(
            "convert", path, lambda _tell: convert(path, to, out, at=at, accept=accept), _converted
        )

    async def _cancel(self, path: str) -> None:
        await self._jobs.end("update", path)
        await super()._cancel(path)


class ExportJobs(Accelerating):
    """Exports that go on when whoever asked for them is gone; to discard one ends its making."""

    def __init__(self, services: UpdateServices, jobs: Jobs) -> None:
        super().__init__(services)
        self._jobs = jobs

    async def compare(
        self, path: str, *, data: str | None = None, at: str = "", accept: str | None = None
    ) -> AsyncIterator[ExportProgress]:
        """Export the artifact as a job, telling of each phase; the last progress has the comparison."""

        async def watched(report: Callable[[ExportProgress], None]) -> ExportProgress:
            async def work(tell: Tell) -> OnnxComparison:
                def hear(phase: str) -> None:
                    tell(phase)
                    report(ExportProgress(phase))

                return await self.export(path, data=data, at=at, accept=accept, on_phase=hear)

            found: OnnxComparison = await self._jobs.run("accelerate", path, work, _exported)
            return ExportProgress("compared", found)

        async for progress in reported(watched):
            yield progress

    async def discard(self, path: str) -> None:
        """Let go of the export that waits, and end one that is being made."""
        await self._jobs.end("accelerate", path)
        await super().discard(path)


def _compared(found: Comparison) -> str:
    if found.unmeasured:
        return f"a candidate, not measured: {found.unmeasured}"
    return f"a candidate, gate {'passed' if found.passed else 'not passed'}"


def _converted(found: dict[str, Json]) -> str:
    return f"written as {found['format']} to {found['path']}"


def _exported(found: OnnxComparison) -> str:
    return f"an export for {found.path}: {found.differing} of {found.rows} labels differ"
