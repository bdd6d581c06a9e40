"""Artifacts of the store: their rows, and the reports on each, made in the background and when they are asked for."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from console.access.control import AccessControl
from console.access.recipes import Recipes
from console.catalog.artifact_rows import ArtifactRows
from console.catalog.prefetcher import Prefetcher
from console.catalog.survey import Survey
from console.catalog.sweep import Sweep
from console.catalog.watching import Watching
from console.closing import close_each
from console.errors import InputError
from console.events import Bus
from console.files.opening import open_artifact
from console.inspection.differing import differences
from console.inspection.explaining import Explaining
from console.inspection.service import InspectionService
from console.records import (
    ArrayNorm,
    Artifact,
    Differences,
    Event,
    Explanation,
    KnownFacts,
    MemoryForecast,
    Report,
    SweepPart,
    SweepTotals,
    Verdict,
)
from console.serving.forecast import Forecaster
from console.serving.supervisor import Supervisor
from console.worker.launcher import Launcher


class Artifacts:
    """The artifacts of the store at `root`, `width` of them inspected at a time.

    There are rows from `remember` or `scan` on; `follow` keeps them true to the disk. Where the path `given` comes to
    lead to another directory, `moved` is told of it before the rows of that one come.
    """

    def __init__(
        self,
        root: Path,
        inspections: InspectionService,
        explaining: Explaining,
        supervisor: Supervisor,
        recipes: Recipes,
        access: AccessControl,
        launcher: Launcher,
        bus: Bus,
        forecaster: Forecaster,
        *,
        norms: Callable[[int, str], Awaitable[dict[str, ArrayNorm]]],
        width: int,
        given: Path | None = None,
        moved: Callable[[Path], None] = lambda _: None,
    ) -> None:
        self._root = root
        self._inspections = inspections
        self._explaining = explaining
        self._access = access
        self._launcher = launcher
        self._norms_of = norms
        self._forecaster = forecaster
        self._width = width
        self._rows = ArtifactRows()
        self._moved = moved
        self._watching = Watching(
            root, self._rows, inspections, supervisor, recipes, bus, given=given, moved=self._move
        )
        self._survey = Survey(self._rows, self.report, width=width)
        self._preparing = Prefetcher(self._rows, inspections.snapshot)

    def _move(self, root: Path) -> None:
        self._root = root
        self._moved(root)

    # the rows

    @property
    def scanning(self) -> bool:
        """Whether the first scan still runs, or is to come."""
        return self._watching.scanning

    @property
    def offline(self) -> str | None:
        """Why the store cannot be seen at the moment."""
        return self._watching.offline

    @property
    def uninspected(self) -> int:
        """How many artifacts wait for their inspection in the background."""
        return self._survey.waiting

    def rows(self) -> tuple[Artifact, ...]:
        """All rows, in order of path."""
        return self._rows.rows()

    def row(self, path: str) -> Artifact | None:
        """One row."""
        return self._rows.get(path)

    async def scan(self, path: str = "") -> tuple[Artifact, ...]:
        """One look at the whole store, or at one file or directory of it, with every artifact inspected.

        Raises StoreOffline, and InputError for a single file that cannot be read.
        """
        if path and not await asyncio.to_thread(os.path.isdir, self._root / path):
            return ((await self.report(path)).artifact,)
        await self._watching.scan(path)
        await self._survey.drain()
        return self._rows.rows()

    async def prioritize(self, paths: Sequence[str]) -> None:
        """Inspect these before the others: somebody looks at their rows."""
        self._survey.look_at(paths)

    async def prefetch(self, path: str) -> None:
        """Find out beforehand what it takes to load this one: somebody's cursor is on it."""
        self._preparing.look_at(path)

    # what is known of one

    async def report(self, path: str, *, digest: bool = False) -> Report:
        """The report on one artifact, inspected when there is none. Raises InputError."""
        return self._learned(await self._inspections.report(await self._watching.row(path), digest=digest))

    async def inspect(self, path: str) -> Report:
        """The report of one artifact, read from the disk and judged anew whatever is known of it. Raises InputError."""
        await self._access.refresh()
        row = await self._watching.row_anew(path)
        self._inspections.forget(path)
        return self._learned(await self._inspections.report(row))

    def _learned(self, report: Report) -> Report:
        self._watching.learn(report.artifact)
        if report.judgement.verdict is not None:
            self._explaining.take(report)
        if report.inspection is not None and report.judgement.verdict is Verdict.SAFE:
            self._launcher.expect(use.module for use in report.inspection.names)
        return report

    def known_report(self, path: str) -> Report | None:
        """The same without looking at the disk; None where it is not known."""
        row = self._rows.get(path)
        return None if row is None else self._inspections.known(path, row.identity)

    async def explain(self, path: str) -> Explanation:
        """A verdict in plain words, and how the content differs from the one before it. Raises InputError."""
        with suppress(InputError):
            await self._access.refresh()
        return await self._explaining.of(await self.report(path))

    async def differ(self, first: str, second: str) -> Differences:
        """How two artifacts differ, by the norms of their arrays too where their formats tell the numbers. Raises
        InputError."""
        before, after = await self.report(first), await self.report(second)
        for report in (before, after):
            if report.inspection is None:
                reason = report.judgement.reasons[0].detail if report.judgement.reasons else "nothing was read of it"
                raise InputError(f"{report.artifact.path} cannot be compared: {reason}")
        norms = [await self._norms(report) for report in (before, after)]
        return await asyncio.to_thread(differences, before, after, *norms)

    async def _norms(self, report: Report) -> dict[str, ArrayNorm]:
        row, found = report.artifact, report.inspection
        if found is None or not found.arrays or row.members or row.sealed:
            return {}
        with await asyncio.to_thread(open_artifact, self._root, row.path, links=True) as opened:
            return await self._norms_of(opened.fd, row.path)

    async def forecast(self, path: str) -> MemoryForecast | None:
        """The memory that an artifact will take once it is loaded; None where that is not known. Raises InputError."""
        return await asyncio.to_thread(self._forecaster.of_report, await self.report(path))

    async def known(self, path: str) -> KnownFacts:
        """The known facts of one artifact; of the disk only its recipe is looked at, in a thread."""
        report = self.known_report(path)
        if report is None:
            return KnownFacts()
        told, forecast = self._explaining.known(report), asyncio.to_thread(self._forecaster.of_report, report)
        return KnownFacts(report, told, await forecast)

    async def sweep(self, path: str = "", *, digest: bool = False) -> AsyncIterator[SweepPart]:
        """Every artifact in a directory and those beneath it, inspected in parallel, in order; then the totals.

        The disk is looked at as it is: what is hidden or a recipe calls data counts as well, and nothing is kept of it.
        """
        sweep = Sweep(self._root, path, partial(self._inspections.report, digest=digest), 4 * self._width)
        async for report in sweep:
            yield SweepPart(report, self._explaining.known(report))
        yield SweepPart(totals=SweepTotals(sweep.tally.no_model, dict(sweep.tally.special)))

    # over time

    async def remember(self) -> None:
        """Start from what the last session knew of this store: the first screen of it at once."""
        await self._watching.remember()

    async def remember_all(self) -> None:
        """The rest of what the last session knew."""
        await self._watching.remember_all()

    def follow(self, reconcile_s: float) -> None:
        """Scan the store, then follow what happens on the disk until `close`."""
        self._watching.start(reconcile_s)

    async def survey(self) -> None:
        """Inspect what nobody has inspected yet, until cancelled."""
        await self._survey.run()

    def hear(self, event: Event) -> None:
        """Take note of what happened to a file or its worker."""
        if event.kind.startswith(("artifact.", "store.")):
            self._survey.wake()
        if event.kind == "artifact.changed" and (report := self.known_report(event.subject)) is not None:
            self._explaining.take(report)
        self._watching.hear(event)

    async def close(self) -> None:
        """Prepare and follow nothing more, and keep what was learned; never raises."""
        await close_each(self._preparing, self._watching, self._explaining)
