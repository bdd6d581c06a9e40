"""Everything that a scraper is told: requests, probes, workers, versions, the store and the engine."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from console import __version__
from console.monitor.counts import Buckets, ProbeCounts, RequestCounts, VersionCounts
from console.monitor.metric_text import Family, Labels, written
from console.records import Artifact, Memory, ServedModel, WorkerState, WorkerView
from console.records.metrics import READINGS, Read, Unit

__all__ = ["MOST_VERSIONS", "Exposed", "ProcessFacts", "exposition"]

_PREFIX = "model_console"
_MOST_MODELS = 500
"""Models with a series of their own; those beyond are counted."""
MOST_VERSIONS = 500
"""Versions with counts of their own, over all models."""
_MS = 0.001
_BASE: Mapping[Unit, tuple[str, float]] = {"bytes": ("_bytes", 1.0), "percent": ("_ratio", 0.01)}
"""How the name of a reading ends in its base unit, and the factor to it."""


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """The engine itself: when it began (by the clock of the epoch), failures so far, and what runs in it.

    `jobs` and `clients` are None where it has none of either.
    """

    started: float
    failures: int
    jobs: int | None = None
    clients: int | None = None


@dataclass(frozen=True, slots=True)
class Exposed:
    """Everything that is told of, as it stood at one moment; nothing in it changes any more.

    `waiting` counts by path the requests that wait for a worker or are being answered.
    """

    requests: Sequence[RequestCounts]
    strangers: Mapping[str, int]
    probes: Mapping[str, ProbeCounts]
    workers: Mapping[str, WorkerView]
    waiting: Mapping[str, int]
    artifacts: Sequence[Artifact]
    served: Sequence[ServedModel]
    engine: ProcessFacts


def exposition(exposed: Exposed, *, openmetrics: bool = False) -> str:
    """The page in Prometheus' text format, or in OpenMetrics with exemplars."""
    names = _Names(exposed.served)
    families = [
        *_request_families(exposed, names),
        *_worker_families(exposed, names),
        *_version_families(exposed),
        *_store_families(exposed),
    ]
    return written(families, openmetrics=openmetrics)


class _Names:
    """The label of each artifact: what it is asked as, its path where that is unknown or belongs to another one."""

    def __init__(self, served: Sequence[ServedModel]) -> None:
        self._names = {one.path: one.name for one in reversed(served)}
        self._taken: dict[str, str] = {}

    def __call__(self, path: str) -> str:
        name = self._names.get(path, path)
        return name if self._taken.setdefault(name, path) == path else path


def _family(name: str, kind: str, text: str, factor: float = 1.0) -> Family:
    return Family(f"{_PREFIX}_{name}", kind, text, factor)  # type: ignore[arg-type]


_HISTOGRAMS: tuple[tuple[str, str, float, Callable[[VersionCounts], Buckets]], ...] = (
    ("request_duration_seconds", "Time in the engine of calls that were answered.", _MS, lambda one: one.whole),
    ("worker_duration_seconds", "Time in the model of calls that were answered.", _MS, lambda one: one.worker),
    ("queue_duration_seconds", "Time that answered requests waited for a worker.", _MS, lambda one: one.queue),
    ("batch_rows", "Rows of the call of the model that answered a request.", 1.0, lambda one: one.batch),
    ("request_rows", "Rows of a request that was answered.", 1.0, lambda one: one.row_counts),
    ("request_size_bytes", "Bytes of the body of a request.", 1.0, lambda one: one.bytes_in),
    ("response_size_bytes", "Bytes of the body of an answer.", 1.0, lambda one: one.bytes_out),
)


def _request_families(exposed: Exposed, names: _Names) -> Iterator[Family]:
    requests = _family("requests", "counter", "Calls of models, those that failed included.")
    errors = _family("request_errors", "counter", "Calls of models that failed, by the code of their error.")
    rows = _family("rows", "counter", "Rows that models answered.")
    histograms = [(_family(name, "histogram", text, factor), of) for name, text, factor, of in _HISTOGRAMS]
    for one in exposed.requests:
        labels, counts = _of(one.model, one.version, "request"), one.counts
        requests.add(labels, counts.answered + counts.failed)
        rows.add(labels, counts.rows)
        for code, number in sorted(counts.errors.items()):
            errors.add((*labels, ("code", code)), number)
        for family, of in histograms:
            family.add(labels, of(counts))
    for code, number in sorted(exposed.strangers.items()):
        errors.add((*_of("", "", "request"), ("code", code)), number)
    for path, probe in list(exposed.probes.items())[:_MOST_MODELS]:
        labels = _of(names(path), "", "probe")
        requests.add(labels, sum(probe.whole.counts) + probe.errors)
        rows.add(labels, probe.rows)
        errors.add((*labels, ("code", "failed")), probe.errors)
        histograms[0][0].add(labels, probe.whole)
        histograms[1][0].add(labels, probe.worker)
    yield from (requests, errors, rows, *(family for family, _of in histograms))


def _of(model: str, version: str, source: str) -> Labels:
    return ("model", model), ("version", version), ("source", source)


def _worker_families(exposed: Exposed, names: _Names) -> Iterator[Family]:
    readings = _readings("worker", "the workers of a model")
    restarts = _family("worker_restarts", "counter", "Starts of a worker after one that died.")
    wanted = _family("worker_copies_wanted", "gauge", "Workers that are to answer for a model.")
    ready = _family("worker_copies_ready", "gauge", "Workers that answer for a model.")
    waiting = _family("queue_depth", "gauge", "Requests that wait for a worker or are being answered.")
    views = [one for one in exposed.workers.values() if one.state is not WorkerState.ENDED]
    for view in views[:_MOST_MODELS]:
        labels: Labels = (("model", names(view.path)),)
        restarts.add(labels, view.restarts)
        wanted.add(labels, view.copies)
        ready.add(labels, len(view.pids) if view.state is WorkerState.READY else 0)
        waiting.add(labels, exposed.waiting.get(view.path, 0))
        _add_readings(readings, labels, view.memory, view.cpu)
    yield from (*(family for family, _read in readings), restarts, wanted, ready, waiting)


def _version_families(exposed: Exposed) -> Iterator[Family]:
    info = _family("version", "info", "Versions of models in service, with digest, labels and state.")
    weight = _family("version_weight_ratio", "gauge", "Share of the requests that name no version.")
    ready = _family("model_ready", "gauge", "Whether a request without a version is answered now.")
    readings = _readings("version", "the workers of a version")
    active = {one.model for one in exposed.requests}
    shown = [one for one in exposed.served if one.loaded or one.path in exposed.workers or one.name in active]
    for model in shown[:_MOST_MODELS]:
        labels: Labels = (("model", model.name),)
        ready.add(labels, float(model.ready))
        for one in model.versions:
            about = (("digest", one.digest or ""), ("labels", ",".join(one.labels)), ("state", str(one.state)))
            info.add((*labels, ("version", one.version), *about), 1.0)
            weight.add((*labels, ("version", one.version)), one.weight)
            _add_readings(readings, (*labels, ("version", one.version)), one.memory, one.cpu)
    yield from (info, weight, ready, *(family for family, _read in readings))


def _readings(prefix: str, whose: str) -> list[tuple[Family, Read]]:
    """A family for each reading, and how it is read."""
    found = []
    for metric, read in READINGS:
        ending, factor = _BASE[metric.unit]
        text = f"{metric.name} of {whose}, as it was read last."
        found.append((_family(f"{prefix}_{metric.name}{ending}", "gauge", text, factor), read))
    return found


def _add_readings(
    readings: list[tuple[Family, Read]], labels: Labels, memory: Memory | None, cpu: float | None
) -> None:
    for family, read in readings:
        value = None if memory is None else read(memory, cpu)
        if value is not None:
            family.add(labels, value)


def _store_families(exposed: Exposed) -> Iterator[Family]:
    engine = exposed.engine
    artifacts = _family("artifacts", "gauge", "Artifacts of the store, by verdict and by the state of their worker.")
    counts = Counter(
        (str(row.verdict or "unread"), str(view.state) if (view := exposed.workers.get(row.path)) else "on disk")
        for row in exposed.artifacts
    )
    for (verdict, state), number in sorted(counts.items()):
        artifacts.add((("verdict", verdict), ("state", state)), number)
    yield artifacts
    singles = (
        ("failures", "counter", "Failures of workers, models and requests of different kinds.", engine.failures),
        ("jobs_running", "gauge", "Jobs of the engine that run.", engine.jobs),
        ("clients_attached", "gauge", "Consoles and commands that are attached.", engine.clients),
        ("engine_start_time_seconds", "gauge", "When the engine began, since the epoch.", engine.started),
        ("engine_up", "gauge", "Whether the engine works.", 1.0),
    )
    for name, kind, text, value in singles:
        if value is not None:
            family = _family(name, kind, text)
            family.add((), value)
            yield family
    about = _family("engine", "info", "The engine's release and process.")
    about.add((("version", __version__), ("pid", str(os.getpid()))), 1.0)
    yield about
