"""Counting of requests: what a room of models in service tells, and asks, of whoever counts."""

from __future__ import annotations

from typing import Protocol

from console.records import ModelStatistics, RequestOutcome


class Counting(Protocol):
    """Counts requests."""

    def record(self, outcome: RequestOutcome) -> None:
        """Count one request that has ended."""
        ...

    def statistics(self, name: str = "") -> tuple[ModelStatistics, ...]:
        """Counts by model and version since the engine began; of one model, or ("") of all."""
        ...

    def worst(self, name: str) -> tuple[RequestOutcome, ...]:
        """The worst requests of a model that are kept, newest first."""
        ...
