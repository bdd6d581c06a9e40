"""Requests of other programs to one artifact, as they go now."""

from __future__ import annotations

from dataclasses import dataclass

from console.records.workers import Quantiles

NOT_THE_MODELS = frozenset(
    {
        *("bad-input", "columns", "no-rows", "usage", "not-served", "not-ready", "refused"),
        *("needs-review", "cancelled", "too-large"),
    }
)
"""Codes of errors that whoever asked is to blame for, or that the state of the model tells already."""


@dataclass(frozen=True, slots=True)
class TrafficState:
    """Requests of other programs to an artifact: counts since the engine began, rates over the last seconds.

    `whole` is the time in the engine and `worker` that in the model, of those answered in the last minute, whose calls
    had `batch` rows on average. `failing` = the newest request failed by no fault of its sender, or one of the last
    seconds did; `last_error` says how one failed last. `name` is what it is asked as, `last` is when it was.
    """

    name: str
    requests: int
    errors: int
    rows: int
    last: float
    rate: float = 0.0
    error_rate: float = 0.0
    whole: Quantiles | None = None
    worker: Quantiles | None = None
    queue: Quantiles | None = None
    batch: float = 0.0
    failing: bool = False
    last_error: str = ""

    @property
    def running(self) -> bool:
        """Whether anybody asked in the last seconds."""
        return self.asked > 0

    @property
    def asked(self) -> float:
        """Requests a second, answered or not."""
        return self.rate + self.error_rate
