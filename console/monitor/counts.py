"""Counts since the engine began: requests by outcome, and histograms of fixed buckets for whoever scrapes them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

from console.records import Durations, ModelStatistics, RequestOutcome

__all__ = ["BYTES", "DURATIONS_MS", "ROWS", "Buckets", "Exemplar", "ProbeCounts", "RequestCounts", "VersionCounts"]

DURATIONS_MS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10000.0)
ROWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1024.0, 4096.0, 16384.0, 65536.0)
BYTES = (256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262144.0, 1048576.0, 4194304.0, 16777216.0, 67108864.0)
_MOST_CODES = 32
_MOST_BATCHES = 128
"""Sizes of batches that are told apart; others count as the next power of two."""
_NS = 1_000_000
_TRACEPARENT = 55
"""Characters of a W3C traceparent."""
_BUCKETS = ("worker", "queue", "whole", "batch", "row_counts", "bytes_in", "bytes_out")

Exemplar = tuple[str, float, float]
"""Trace context, value and time of one request that fell into a bucket."""


class Buckets:
    """A histogram of fixed buckets: `counts` has how many values were at most each bound, and last those above all."""

    __slots__ = ("bounds", "counts", "exemplars", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        self.exemplars: dict[int, Exemplar] = {}

    def add(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def copy(self) -> Buckets:
        """The same as it is now."""
        other = Buckets(self.bounds)
        other.counts, other.total, other.exemplars = self.counts[:], self.total, dict(self.exemplars)
        return other

    def remember(self, trace: str, value: float, when: float) -> None:
        """Keep this request as the example of its bucket."""
        self.exemplars[bisect_left(self.bounds, value)] = (trace, value, when)


class ProbeCounts:
    """The calls that a probe made of one artifact."""

    __slots__ = ("errors", "rows", "whole", "worker")

    def __init__(self) -> None:
        self.rows = 0
        self.errors = 0
        self.worker, self.whole = Buckets(DURATIONS_MS), Buckets(DURATIONS_MS)

    def copy(self) -> ProbeCounts:
        """The same as it is now."""
        other = ProbeCounts()
        other.rows, other.errors = self.rows, self.errors
        other.worker, other.whole = self.worker.copy(), self.whole.copy()
        return other


class VersionCounts:
    """The requests to one version of a model. Durations are of those that were answered, but for `failed_ms`."""

    __slots__ = (
        *("answered", "batch", "batches", "bytes_in", "bytes_out", "calls", "errors", "failed", "failed_ms", "last"),
        *("queue", "row_counts", "rows", "whole", "worker"),
    )

    def __init__(self) -> None:
        self.answered = self.failed = self.rows = 0
        self.failed_ms = self.last = 0.0
        self.calls = 0.0
        """Calls of the worker: a request that shared one with others is a part of one."""
        self.errors: dict[str, int] = {}
        self.batches: dict[int, list[float]] = {}
        """By the rows of a call: how many calls, and milliseconds."""
        self.worker, self.queue, self.whole = Buckets(DURATIONS_MS), Buckets(DURATIONS_MS), Buckets(DURATIONS_MS)
        self.batch, self.row_counts = Buckets(ROWS), Buckets(ROWS)
        self.bytes_in, self.bytes_out = Buckets(BYTES), Buckets(BYTES)

    def take(self, outcome: RequestOutcome) -> None:
        """Count one request."""
        self.bytes_in.add(outcome.bytes_in)
        if outcome.error:
            self._failed(outcome)
            return
        self.answered += 1
        self.last = outcome.when
        rows = outcome.rows
        self.rows += rows
        self.worker.add(outcome.model_ms)
        self.queue.add(outcome.queue_ms)
        self.whole.add(outcome.total_ms)
        self.row_counts.add(rows)
        self.bytes_out.add(outcome.bytes_out)
        self._called(outcome.batch or rows or 1, rows or 1, outcome.model_ms)
        if len(outcome.trace) >= _TRACEPARENT:
            self.whole.remember(outcome.trace, outcome.total_ms, outcome.when)

    def _called(self, batch: int, rows: int, ms: float) -> None:
        share = rows / batch if rows < batch else 1.0
        self.calls += share
        self.batch.add(batch)
        known = self.batches.get(batch)
        if known is None:
            if len(self.batches) >= _MOST_BATCHES:
                batch = 1 << (batch - 1).bit_length()
            known = self.batches.setdefault(batch, [0.0, 0.0])
        known[0] += share
        known[1] += share * ms

    def _failed(self, outcome: RequestOutcome) -> None:
        self.failed += 1
        self.failed_ms += outcome.total_ms
        code = outcome.error if outcome.error in self.errors or len(self.errors) < _MOST_CODES else "other"
        self.errors[code] = self.errors.get(code, 0) + 1

    def copy(self) -> VersionCounts:
        """The same as it is now."""
        other = copy(self)
        other.errors, other.batches = dict(self.errors), {}
        for name in _BUCKETS:
            setattr(other, name, getattr(self, name).copy())
        return other

    def statistics(self, name: str, version: str) -> ModelStatistics:
        """The same as the Open Inference Protocol tells it."""
        return ModelStatistics(
            name,
            version,
            self.last,
            self.rows,
            round(self.calls),
            Durations(self.answered, round(self.whole.total * _NS)),
            Durations(self.failed, round(self.failed_ms * _NS)),
            Durations(self.answered, round(self.queue.total * _NS)),
            Durations(self.answered, round(self.worker.total * _NS)),
            dict(self.errors),
            {size: Durations(max(1, round(calls)), round(ms * _NS)) for size, (calls, ms) in self.batches.items()},
        )


@dataclass(frozen=True, slots=True)
class RequestCounts:
    """Counts of one version of a model."""

    model: str
    version: str
    counts: VersionCounts
