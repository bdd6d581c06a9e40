"""Findings of a look through a whole directory, and facts known of one artifact without a look."""

from __future__ import annotations

from dataclasses import dataclass, field

from console.records.memory import MemoryForecast
from console.records.trust import Explanation, Report


@dataclass(frozen=True, slots=True)
class KnownFacts:
    """Facts of an artifact without a look at the disk; None where nothing is."""

    report: Report | None = None
    explanation: Explanation | None = None
    forecast: MemoryForecast | None = None


@dataclass(frozen=True, slots=True)
class SweepTotals:
    """The files of a look that are no artifacts: `no_model` were read, `special` are never opened, by their kind."""

    no_model: int = 0
    special: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SweepPart:
    """The next artifact of a look through a directory, explained; the last part has the totals alone."""

    report: Report | None = None
    explanation: Explanation | None = None
    totals: SweepTotals | None = None
