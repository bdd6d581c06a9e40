"""One timer for many deadlines: each is told when it is over, none that was dropped, nothing stays armed."""

from __future__ import annotations

import asyncio

from console.worker.deadlines import Deadlines


async def test_each_is_told_in_its_turn_and_none_that_was_answered() -> None:
    told: list[int] = []
    done = asyncio.Event()

    def overdue(number: int) -> None:
        told.append(number)
        if number == 4:
            done.set()

    deadlines = Deadlines(overdue)
    for number, seconds in ((1, 0.04), (2, 0.01), (3, 0.02), (4, 0.06)):
        deadlines.add(number, seconds)
    deadlines.drop(3)
    deadlines.drop(99)
    await done.wait()
    assert told == [2, 1, 4]
    assert deadlines._timer is None


async def test_what_was_asked_later_but_is_due_sooner_is_told_first() -> None:
    told: asyncio.Queue[int] = asyncio.Queue()
    deadlines = Deadlines(told.put_nowait)
    deadlines.add(1, 3600.0)
    deadlines.add(2, 0.01)
    assert await told.get() == 2
    timer = deadlines._timer
    assert timer is not None
    deadlines.add(3, 7200.0)
    assert deadlines._timer is timer
    deadlines.close()
    assert timer.cancelled()
