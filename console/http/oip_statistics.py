"""Counts of requests as the Open Inference Protocol's statistics extension has them."""

from __future__ import annotations

from collections.abc import Iterable

from console.http.oip_records import BatchStatistics, Duration, InferStatistics, ModelStats, VersionStatistics
from console.records import Durations, ModelStatistics

_NOTHING = Duration(0, 0)


def model_stats(found: Iterable[ModelStatistics]) -> ModelStats:
    """All of them; reading and writing tensors is no part of what is counted."""
    return ModelStats([_version(statistics) for statistics in found])


def _version(item: ModelStatistics) -> VersionStatistics:
    return VersionStatistics(
        item.name,
        item.version,
        round(item.last_inference * 1000),
        item.inferences,
        item.executions,
        InferStatistics(
            _duration(item.success),
            _duration(item.fail),
            _duration(item.queue),
            _NOTHING,
            _duration(item.compute),
            _NOTHING,
            _NOTHING,
            _NOTHING,
        ),
        [
            BatchStatistics(size, _NOTHING, _duration(durations), _NOTHING)
            for size, durations in sorted(item.batches.items())
        ],
    )


def _duration(durations: Durations) -> Duration:
    return Duration(durations.count, durations.ns)
