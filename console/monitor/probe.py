"""The probe: drives a loaded model with rows of a data file at a rate that may change while it runs.

Requests go out at intended times (open loop, one in flight), `1/rate` apart and free of drift. A request that could
not go out in time because the one before it was still being answered waited for it, as a real caller would have: that
wait counts in its round trip (Tene's "coordinated omission"), never in the worker's own time. A probe that has fallen
more than a second behind starts anew from now, so that a rate the model cannot hold shows as a rate that is not
reached instead of as a queue without end.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from console import awake
from console.errors import ConsoleError
from console.monitor.growth import Trend
from console.monitor.histogram import Histogram
from console.monitor.scores import Scores
from console.monitor.series import Recorder
from console.records import DataFile, Growth, Memory, Prediction, ProbePlan, ProbeState

Call = Callable[[int, int], Awaitable[Prediction]]
"""Predicts `batch` rows from row `start`: `call(start, batch)`. Raises ConsoleError when it fails."""

MAX_BEHIND_S = 1.0
_BACK_OFF_S = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0)
_RATE_SPAN = 5
_MOST_WARNINGS = 20
_SHORT_NAP_S = 0.05


class Prober:
    """One run of a probe. `rows` is the length of the data; `alive` says whether the worker can answer now.

    `data` is told as the file of these rows. While the worker is dead no request is sent: the probe looks again after
    0.1, 0.2, 0.5, 1 and then each 2 s, and goes on where it was. `clock` and `sleep` may be replaced together.
    """

    def __init__(
        self,
        plan: ProbePlan,
        rows: int,
        call: Call,
        recorder: Recorder,
        *,
        data: DataFile | None = None,
        alive: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = awake.now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._plan = plan
        self._rows = max(rows, 1)
        self._call = call
        self._data = data
        self._recorder = recorder
        self._alive = alive
        self._clock = clock
        self._sleep = sleep
        self._wake = asyncio.Event()
        self._worker, self._round_trip = Histogram(), Histogram()
        self._calls = self._answered = self._errors = 0
        self._scores = Scores()
        self._next_row = 0
        self._free_at = 0.0
        self._anchor = 0.0
        self._sent = 0
        self._started = time.time()
        self._began = self._ended = clock()
        self._running = False
        self._why: str | None = None
        self._memory = Trend()
        self._limit: int | None = None
        self._size = 0
        self._warnings: dict[str, None] = {}
        self._last_error = ""
        self._failed_last = False

    def set(self, *, rate: float | None = None, batch: int | None = None) -> None:
        """Change rate (requests a second, 0 = as fast as it goes) or batch (rows) from the next request on."""
        if rate is not None:
            self._plan = replace(self._plan, rate=max(0.0, rate))
        if batch is not None:
            self._plan = replace(self._plan, batch=max(1, min(batch, self._rows)))
        self._start_anew()
        self._wake.set()

    def stop(self, why: str = "stopped by the operator") -> None:
        """End the run after the request in flight."""
        if self._why is None:
            self._why = why
        self._wake.set()

    def reading(self, memory: Memory, limit: int | None) -> None:
        """One reading of the worker's memory, which may hold `limit` bytes."""
        self._limit, self._size = limit, memory.rss
        if self._running:
            self._memory.add(self._calls, memory.rss)

    def renewed(self) -> None:
        """Another worker answers from now on: its memory begins anew."""
        self._memory = Trend()

    def state(self) -> ProbeState:
        """The state of the probe and its counts so far; score values are means over the rows compared."""
        errors = self._reached("errors")
        return ProbeState(
            plan=self._plan,
            running=self._running,
            started=self._started,
            calls=self._calls,
            rows=self._answered,
            errors=self._errors,
            rate=self._reached(),
            worker=self._worker.measured(),
            round_trip=self._round_trip.measured(),
            score=self._scores.means or None,
            scored=self._scores.rows,
            missing=self._scores.missing,
            unscored=self._scores.unscored,
            stopped_why=None if self._running else self._why,
            data=self._data,
            growth=self._growth(),
            warnings=tuple(self._warnings),
            last_error=self._last_error,
            failing=self._running and (self._failed_last or errors > 0),
            error_rate=errors,
            waits=self._running and not self._alive(),
        )

    def _growth(self) -> Growth | None:
        found, rate = self._memory.growth(), self._reached()
        if found is None or not found.grows or self._limit is None or rate <= 0:
            return found
        left = max(0.0, self._limit - self._size) / (found.per_call * rate)
        return replace(found, limit=self._limit, seconds_left=left)

    async def run(self, seconds: float | None = None) -> ProbeState:
        """Drive until `stop`, for `seconds` at most; returns the summary. A failed request is counted, not raised."""
        self._running = True
        self._began = self._clock()
        self._start_anew()
        self._plan = replace(self._plan, batch=max(1, min(self._plan.batch, self._rows)))
        until = None if seconds is None else self._began + seconds
        dead_rounds = 0
        try:
            while self._why is None:
                if until is not None and self._clock() >= until:
                    self._why = f"{seconds:g} s are over"
                elif not self._alive():
                    await self._nap(_BACK_OFF_S[min(dead_rounds, len(_BACK_OFF_S) - 1)], until)
                    dead_rounds += 1
                    self._start_anew()
                elif await self._due(until):
                    dead_rounds = 0
                    await self._once()
        finally:
            self._running = False
            self._ended = self._clock()
            self._why = self._why or "cancelled"
        return self.state()

    def _start_anew(self) -> None:
        """Intend the next request for now, and those after it from there."""
        self._anchor = self._free_at = self._clock()
        self._sent = 0

    @property
    def _intended(self) -> float:
        return self._anchor + self._sent / self._plan.rate

    async def _due(self, until: float | None) -> bool:
        """Wait for the next intended time; whether it has come."""
        if self._plan.rate <= 0:
            await self._sleep(0)
            return True
        if self._clock() - self._intended > MAX_BEHIND_S:
            self._start_anew()
        wait = self._intended - self._clock()
        if wait > 0:
            await self._nap(wait, until)
        now = self._clock()
        return self._why is None and self._plan.rate > 0 and now >= self._intended and (until is None or now < until)

    async def _once(self) -> None:
        start, batch = self._next_row, self._plan.batch
        if start + batch > self._rows:
            start = 0
        self._next_row = start + batch
        waited_ms = 1000 * max(0.0, self._free_at - self._intended) if self._plan.rate > 0 else 0.0
        self._sent += 1
        try:
            outcome = await self._call(start, batch)
        except ConsoleError as error:
            if error.code != "unloaded":
                self._errors += 1
                self._failed_last = True
                self._last_error = f"{error.message}; {error.hint}" if error.hint else error.message
                self._recorder.error()
        else:
            self._count(outcome, outcome.round_trip_ms + waited_ms)
        self._free_at = self._clock()

    def _count(self, outcome: Prediction, round_trip_ms: float) -> None:
        self._calls += 1
        self._failed_last = False
        self._answered += outcome.rows
        for warning in outcome.warnings:
            if len(self._warnings) < _MOST_WARNINGS:
                self._warnings[warning] = None
        self._worker.record(outcome.worker_ms)
        self._round_trip.record(round_trip_ms)
        self._scores.add(outcome)
        first = next(iter(self._scores.means.values()), None)
        self._recorder.call(outcome.rows, outcome.worker_ms, round_trip_ms, first)

    async def _nap(self, seconds: float, until: float | None) -> None:
        """Sleep, but wake at once for `set` and `stop` where it would be felt, and at the end of the run."""
        if until is not None:
            seconds = min(seconds, max(0.0, until - self._clock()))
        if seconds <= _SHORT_NAP_S:
            await self._sleep(seconds)
            return
        self._wake.clear()
        nap = asyncio.ensure_future(self._sleep(seconds))
        wake = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait((nap, wake), return_when=asyncio.FIRST_COMPLETED)
        finally:
            nap.cancel()
            wake.cancel()

    def _reached(self, metric: str = "calls") -> float:
        """Requests a second, answered or failed: over the last seconds while it runs, over the whole run afterwards."""
        elapsed = (self._clock() if self._running else self._ended) - self._began
        if self._running and elapsed >= _RATE_SPAN + 1:
            return self._recorder.mean_rate(metric, _RATE_SPAN)
        counted = self._calls if metric == "calls" else self._errors
        return counted / elapsed if elapsed > 0 else 0.0
