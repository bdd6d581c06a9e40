"""Long work in slices: sorted right, and out of the way of a chain of small steps."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from console.ui.slices import SLICE_SECONDS, Pace, in_order


@pytest.mark.parametrize("count", [0, 1, 100, 2_048, 2_049, 30_000])
async def test_everything_comes_once_and_in_order(count: int) -> None:
    items = random.Random(count).sample(range(10 * count + 1), count)
    assert [item async for item in in_order(items, lambda item: (item % 7, item), Pace())] == sorted(
        items, key=lambda item: (item % 7, item)
    )


async def test_what_is_sorted_already_stays() -> None:
    items = [f"m/{number:06}" for number in range(20_000)]
    assert [item async for item in in_order(items, str.casefold, Pace())] == items


async def test_a_chain_of_steps_goes_through_in_one_pause() -> None:
    """Between two steps of a chain there is no slice, or a key of fifty steps would take fifty slices."""
    loop = asyncio.get_running_loop()
    slices_between: list[int] = []
    done = asyncio.Event()
    worked = 0

    async def work() -> None:
        nonlocal worked
        pace = Pace()
        while not done.is_set():
            until = time.perf_counter() + 2 * SLICE_SECONDS
            while time.perf_counter() < until:
                pass
            worked += 1
            await pace.step(weigh=True)

    def step(left: int) -> None:
        slices_between.append(worked)
        time.sleep(0.001)
        loop.call_soon(step, left - 1) if left else done.set()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    loop.call_soon(step, 50)
    await done.wait()
    await task
    assert len(set(slices_between)) <= 3
