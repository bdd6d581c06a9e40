"""The table of figures that are measured over time: a row says all about one, from its reading to chart and export."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from console.records.workers import Memory

Unit = Literal["ms", "bytes", "percent", "per second", ""]
Read = Callable[[Memory, "float | None"], "float | None"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure. `kind` says how what falls into a bin of time becomes one number.

    A quantile is taken of a histogram, a rate counts by the second, `peak` and `mean` are of the readings of a worker,
    `last` is the newest value. `column` is its name in exports. Readings have `read`, which takes the memory of the
    worker and its processor time; where `chart` names one, it is `drawn` there and called by its `label`. What begins
    with "request", the queue and the batches are of requests of other programs, the others of the probe and the worker.
    """

    name: str
    unit: Unit
    kind: Literal["quantile", "rate", "peak", "mean", "last"]
    column: str = ""
    read: Read | None = None
    chart: Literal["memory", "cpu", ""] = ""
    drawn: Literal["area", "line", ""] = ""
    label: str = ""


QUANTILES = ("p50", "p90", "p99", "max")
REQUEST_QUANTILES = ("p50", "p90", "p99")

TABLE = (
    *(Metric(f"worker.{name}", "ms", "quantile", f"{name}_ms") for name in QUANTILES),
    *(Metric(f"round_trip.{name}", "ms", "quantile", f"round_trip_{name}_ms") for name in QUANTILES),
    Metric("calls", "per second", "rate"),
    Metric("rows", "per second", "rate"),
    Metric("errors", "per second", "rate"),
    Metric("rss", "bytes", "peak", "rss_bytes", lambda memory, _cpu: memory.rss, "memory", "line", "rss"),
    Metric("pss", "bytes", "peak", "pss_bytes", lambda memory, _cpu: memory.pss, "memory", "area", "pss"),
    Metric("private", "bytes", "peak", "private_bytes", lambda memory, _cpu: memory.private, "memory", "", "own"),
    Metric("cpu", "percent", "mean", "cpu_percent", lambda _memory, cpu: cpu, "cpu", "area", "of one core"),
    Metric("score", "", "last", "score"),
    *(Metric(f"request.{name}", "ms", "quantile", f"request_{name}_ms") for name in REQUEST_QUANTILES),
    *(Metric(f"request_worker.{name}", "ms", "quantile", f"request_worker_{name}_ms") for name in REQUEST_QUANTILES),
    Metric("queue.p99", "ms", "quantile", "queue_p99_ms"),
    Metric("batch", "", "mean", "request_batch_rows"),
    Metric("requests", "per second", "rate", "requests_per_s"),
    Metric("request_rows", "per second", "rate", "request_rows_per_s"),
    Metric("request_errors", "per second", "rate", "request_errors_per_s"),
    Metric("request_faults", "per second", "rate", "request_faults_per_s"),
)
READINGS = tuple((metric, metric.read) for metric in TABLE if metric.read is not None)
"""Those that are read from a worker now and then, each with how."""
METRICS = tuple(metric.name for metric in TABLE)
RATES = tuple(metric.name for metric in TABLE if metric.kind == "rate")
GAUGES = tuple(metric.name for metric, _read in READINGS)
WIDTHS = (0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 15.0, 30.0, 60.0)
"""The widths of the bins of time that figures are kept in, in seconds."""
