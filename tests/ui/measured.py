"""Measurements made up with a clock that stands still, the same in every run."""

from __future__ import annotations

import math

from console.monitor.series import Recorder
from console.records import Memory


class Clock:
    """Moves only when it is told to."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def feed(recorder: Recorder, clock: Clock, seconds: float, *, ms: float = 2.0, rate: float = 20.0) -> None:
    """Steady calls and readings for some seconds."""
    for _ in range(round(seconds * rate)):
        recorder.call(1, ms, ms + 0.3)
        recorder.reading(Memory(200 << 20, 150 << 20, 100 << 20), 20.0)
        clock.now += 1 / rate


def story(clock: Clock) -> Recorder:
    """Eighty seconds of a model: it slows down, is away for a moment, comes back, fails a few times."""
    recorder = Recorder(clock)
    for step in range(80 * 20):
        at = step / 20
        wave = 2 + 0.8 * math.sin(at / 6) + 0.1 * (step % 7)
        away = 40 <= at < 43
        if not away and 60 <= at < 64 and step % 9 == 0:
            recorder.error()
        elif not away:
            recorder.call(1, wave * (4 if step % 61 == 0 else 1), wave + 0.3)
        if not away:
            recorder.reading(
                Memory(int((180 + at) * 2**20), int((120 + at) * 2**20), 100 << 20), 20 + 8 * math.sin(at / 3)
            )
        if step == 43 * 20:
            recorder.mark("reload")
        if step == 60 * 20:
            recorder.mark("error")
        clock.now += 1 / 20
    return recorder
