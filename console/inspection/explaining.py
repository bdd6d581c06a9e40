"""Explanations of verdicts beside what stood at the path before, and the news of a content that names other things."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from console.events import Bus
from console.inspection.previous_content import PreviousContent
from console.records import ContentDiff, Explanation, Inspection, Judgement, Report
from console.records.words import news

KEPT = 512

Explains = Callable[[Inspection | None, Judgement, ContentDiff | None], Explanation]
"""Puts a judgement into words under the policy."""


class Explaining:
    """Explains reports; each explanation is kept as long as its report is."""

    def __init__(self, previous: PreviousContent, explains: Explains, bus: Bus) -> None:
        self._previous = previous
        self._explains = explains
        self._bus = bus
        self._known: OrderedDict[str, tuple[Report, Explanation]] = OrderedDict()

    def take(self, report: Report) -> None:
        """Remember what was inspected, and say so where it is another content than the one seen there last."""
        since = self._previous.take(report)
        if since is None or not since.changes:
            return
        told = self._keep(report, since)
        alarming = [mention.name for point in told.points for mention in point.mentions if mention.new]
        path, severity = report.artifact.path, "attention" if alarming else "info"
        self._bus.emit("trust.changed", path, f"{path} changed: {news(since, alarming)}", severity=severity)

    def known(self, report: Report) -> Explanation:
        """The explanation without looking at the disk."""
        if report.judgement.verdict is None:
            return self._explains(None, report.judgement, None)
        kept = self._known.get(report.artifact.path)
        return kept[1] if kept is not None and kept[0] is report else self._keep(report, self._previous.last(report))

    async def of(self, report: Report) -> Explanation:
        """The explanation; what was retained of an earlier version is inspected for it."""
        since = None if report.judgement.verdict is None else await self._previous.replaced(report)
        return self.known(report) if since is None else self._keep(report, since)

    async def close(self) -> None:
        """Keep what was learned."""
        await self._previous.close()

    def _keep(self, report: Report, since: ContentDiff | None) -> Explanation:
        told = self._explains(report.inspection, report.judgement, since)
        path = report.artifact.path
        self._known[path] = report, told
        self._known.move_to_end(path)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return told
