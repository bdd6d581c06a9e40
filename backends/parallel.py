"""Work that gives up the interpreter's lock, done by several threads at a time and handed on in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from typing import Any, Callable, TypeVar

__all__ = ["Irregular", "each", "in_order", "processors"]

Item = TypeVar("Item")
Made = TypeVar("Made")

_MOST = 8
"""The most threads: each holds one item, and what it makes of it, in memory."""


class Irregular(Exception):
    """Not what can be read in parts; whoever reads the whole at once tells what is wrong, if anything."""


def processors() -> int:
    """How many threads are worth starting here: one a processor that this process may use, up to a bound."""
    return min(_MOST, len(os.sched_getaffinity(0)))


def in_order(work: Callable[[Item], Made], items: Iterable[Item], threads: int) -> Generator[Made, None, None]:
    """What `work` makes of each item, in their order; no more items are taken ahead than keep all threads busy.

    No thread is left when it ends or is closed. Raises what `items` or `work` raises, RuntimeError where no thread can
    be started.
    """
    from concurrent.futures import Future, ThreadPoolExecutor  # costs milliseconds that small files need not pay

    waiting: deque[Future[Any]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for one in waiting:
                one.cancel()


def each(work: Callable[[Item], Made], items: Sequence[Item], threads: int) -> list[Made]:
    """What `work` makes of each item, in their order, by as many threads as there may be. Raises what `work` raises."""
    if threads > 1:
        try:
            with closing(in_order(work, items, threads)) as made:
                return list(made)
        except (MemoryError, RuntimeError):
            pass
    return [work(item) for item in items]
