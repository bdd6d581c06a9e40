"""Real traffic: what other programs ask of models in service, counted as each request ends."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from console.monitor.counts import RequestCounts, VersionCounts
from console.monitor.series import Recorder
from console.records import ModelStatistics, Quantiles, RequestOutcome, TrafficState
from console.records.traffic import NOT_THE_MODELS

__all__ = ["ModelTraffic", "Traffic"]

_MOST_MODELS = 2_000
_MOST_VERSIONS = 32
_SLOWEST = 20
_FAILED = 50
_HOUR = 3600.0
_NO_SUCH = "not-served"
"""The code of a request for a model or version that there is not: what it was called is no label of anything."""
_SPAN = 5
"""Seconds that rates are taken over."""
_FAILS_FOR = 60.0
"""How long a model counts as failing whose newest request failed and that nobody asks any more."""


class _Slowest:
    """The slowest requests of the last hour; `floor` is what another one must exceed."""

    def __init__(self) -> None:
        self.floor = -1.0
        self.expires = 0.0
        self._kept: list[RequestOutcome] = []

    def take(self, outcome: RequestOutcome) -> None:
        """Keep a request that is slower than one that is kept, or that comes when one of them is an hour old."""
        self._kept = self.kept(outcome.when)
        self._kept.append(outcome)
        self._kept.sort(key=lambda one: one.total_ms, reverse=True)
        del self._kept[_SLOWEST:]
        self.floor = self._kept[-1].total_ms if len(self._kept) == _SLOWEST else -1.0
        self.expires = min(one.when for one in self._kept) + _HOUR

    def kept(self, now: float) -> list[RequestOutcome]:
        """Those of the last hour."""
        return [one for one in self._kept if one.when > now - _HOUR]


class ModelTraffic:
    """The requests to one model: counts by version, the recorder of its charts, and the worst requests."""

    def __init__(self, name: str, recorder: Recorder) -> None:
        self.name = name
        self.recorder = recorder
        self.versions: dict[str, VersionCounts] = {}
        self.slowest = _Slowest()
        self.failed: deque[RequestOutcome] = deque(maxlen=_FAILED)
        self.last = 0.0
        self.failed_last = False
        self.failed_at = 0.0
        self.last_error = ""

    def version(self, version: str) -> VersionCounts:
        """The counts of a version; of more than can be kept the oldest is forgotten."""
        if len(self.versions) >= _MOST_VERSIONS:
            del self.versions[min(self.versions, key=lambda one: self.versions[one].last)]
        return self.versions.setdefault(version, VersionCounts())

    @property
    def recent(self) -> Quantiles | None:
        """The whole times of what was answered in the last minute."""
        served = self.recorder.served()
        return served.whole.measured() if served else None

    def state(self, now: float) -> TrafficState:
        """How its requests go now."""
        counts, recent = self.versions.values(), self.recorder.served()
        failures = self.recorder.mean_rate("request_faults", _SPAN)
        return TrafficState(
            self.name,
            sum(one.answered + one.failed for one in counts),
            sum(one.failed for one in counts),
            sum(one.rows for one in counts),
            self.last,
            self.recorder.mean_rate("requests", _SPAN),
            self.recorder.mean_rate("request_errors", _SPAN),
            recent.whole.measured() if recent else None,
            recent.worker.measured() if recent else None,
            recent.queue.measured() if recent else None,
            recent.batch if recent and recent.whole.count else 0.0,
            failures > 0 or (self.failed_last and now - self.failed_at < _FAILS_FOR),
            self.last_error,
        )


class Traffic:
    """Everything counted of requests, by model; it runs on the engine's loop.

    `recorder` gives that of an artifact's charts, `on_failure` hears of each request that failed by the model's fault.
    """

    def __init__(self, recorder: Callable[[str], Recorder], on_failure: Callable[[RequestOutcome], object]) -> None:
        self._recorder = recorder
        self._on_failure = on_failure
        self._models: dict[str, ModelTraffic] = {}
        self._paths: dict[str, ModelTraffic] = {}
        self._counts: dict[tuple[str, str, str], tuple[ModelTraffic, VersionCounts]] = {}
        self.strangers: dict[str, int] = {}
        """Requests to names that nothing answers to, by the code of their error."""

    def record(self, outcome: RequestOutcome) -> None:
        """Count one request that has ended."""
        version = "" if outcome.error == _NO_SUCH else outcome.version
        known = self._counts.get((outcome.path, outcome.model, version))
        if known is None:
            if not outcome.path:
                self.strangers[outcome.error] = self.strangers.get(outcome.error, 0) + 1
                return
            known = self._begin(outcome, version)
        model, counts = known
        counts.take(outcome)
        model.last = outcome.when
        if outcome.error:
            self._failed(model, outcome)
            return
        model.failed_last = False
        model.recorder.request(outcome)
        slowest = model.slowest
        if outcome.total_ms > slowest.floor or outcome.when > slowest.expires:
            slowest.take(outcome)

    def state(self, path: str) -> TrafficState | None:
        """How the requests to an artifact go; None where there was none."""
        model = self._paths.get(path)
        return None if model is None else model.state(time.time())

    @property
    def paths(self) -> tuple[str, ...]:
        """The artifacts that were asked."""
        return tuple(self._paths)

    def counts(self, most: int) -> tuple[RequestCounts, ...]:
        """Counts of each version as they are now, of those that were asked last where there are more."""
        known = ((model, version, one) for model in self._models.values() for version, one in model.versions.items())
        latest = sorted(known, key=lambda one: one[2].last, reverse=True)[:most]
        return tuple(RequestCounts(model.name, version, one.copy()) for model, version, one in latest)

    def statistics(self, name: str = "") -> tuple[ModelStatistics, ...]:
        """Counts by model and version since the engine began; of one model, or ("") of all."""
        return tuple(
            replace(counts.statistics(model.name, version), recent=model.recent)
            for model in ([self._models[name]] if name in self._models else [] if name else self._models.values())
            for version, counts in model.versions.items()
        )

    def worst(self, name: str) -> tuple[RequestOutcome, ...]:
        """The slowest requests of the last hour and the latest that failed, newest first."""
        model = self._models.get(name)
        if model is None:
            return ()
        kept = [*model.slowest.kept(time.time()), *model.failed]
        return tuple(sorted(kept, key=lambda one: one.when, reverse=True))

    def _begin(self, outcome: RequestOutcome, version: str) -> tuple[ModelTraffic, VersionCounts]:
        """A model or version that is asked for the first time."""
        model = self._models.get(outcome.model)
        if model is None:
            while len(self._models) >= _MOST_MODELS:
                self._drop(min(self._models.values(), key=lambda one: one.last))
            model = self._models[outcome.model] = ModelTraffic(outcome.model, self._recorder(outcome.path))
        self._paths[outcome.path] = model
        counts = model.version(version)
        self._forget(lambda key: key[1] == outcome.model and key[2] not in model.versions)
        known = self._counts[outcome.path, outcome.model, version] = (model, counts)
        return known

    def _drop(self, model: ModelTraffic) -> None:
        del self._models[model.name]
        self._paths = {path: one for path, one in self._paths.items() if one is not model}
        self._forget(lambda key: key[1] == model.name)

    def _forget(self, gone: Callable[[tuple[str, str, str]], bool]) -> None:
        for key in [key for key in self._counts if gone(key)]:
            del self._counts[key]

    def _failed(self, model: ModelTraffic, outcome: RequestOutcome) -> None:
        fault = outcome.error not in NOT_THE_MODELS
        model.recorder.request_error(fault=fault)
        model.failed.append(outcome)
        if fault:
            model.failed_last, model.failed_at = True, outcome.when
            model.last_error = outcome.message
            self._on_failure(outcome)
