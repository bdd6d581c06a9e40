"""Long work on the event loop in slices, so that a key press never waits for it."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

SLICE_SECONDS = 0.004
"""How long the event loop is kept at a stretch."""
_QUIET_SECONDS = 0.0002
_QUIET_PASSES = 20
_MOST_PASSES = 500
_LOOK_EVERY = 64
_BUCKET = 2_048
_SAMPLES = 16


class Pace:
    """Gives way to everybody else on the event loop whenever a slice of time is used up.

    A key press goes through many small steps until it is painted, one in each pass of the loop: giving way for one pass
    only would put a whole slice between any two of them. So it lasts until the loop has nothing else to do.
    """

    def __init__(self) -> None:
        self._until = time.perf_counter() + SLICE_SECONDS
        self._steps = 0

    async def step(self, *, weigh: bool = False) -> bool:
        """To be called after each small piece of work, with `weigh` after one of some size; whether it gave way."""
        self._steps += 1
        if not (weigh or self._steps % _LOOK_EVERY == 0) or time.perf_counter() < self._until:
            return False
        await _give_way()
        self._until = time.perf_counter() + SLICE_SECONDS
        return True


async def _give_way() -> None:
    quiet = 0
    for _ in range(_MOST_PASSES):
        begun = time.perf_counter()
        await asyncio.sleep(0)
        quiet = quiet + 1 if time.perf_counter() - begun < _QUIET_SECONDS else 0
        if quiet == _QUIET_PASSES:
            return


async def in_order(items: Sequence[Any], key: Callable[[Any], Any], pace: Pace) -> AsyncIterator[Any]:
    """The items sorted by their keys, which must differ.

    They are dealt into buckets between the keys of a sample, and each bucket is sorted by itself: no single step is
    long, and no more keys are held than those of one bucket; a hundred thousand would cost more than the items do.
    """
    samples = sorted(key(item) for item in items[:: max(1, _BUCKET // _SAMPLES)])
    bounds = samples[_SAMPLES::_SAMPLES]
    buckets: list[list[Any]] = [[] for _ in range(len(bounds) + 1)]
    for item in items:
        buckets[bisect_right(bounds, key(item))].append(item)
        await pace.step()
    for number, bucket in enumerate(buckets):
        bucket.sort(key=key)
        for item in bucket:
            yield item
        buckets[number] = []
        await pace.step(weigh=True)
