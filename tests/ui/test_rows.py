"""The order of the table: always sorted, always filtered, never in the way of a key."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from console.records import ProbePlan, ProbeState, Quantiles, Verdict, WorkerState, WorkerView
from console.ui.rows import SORTS, Filter, Row, Rows
from tests.ui.demo_records import artifact


def row(path: str, size: int = 1, p99: float | None = None, verdict: Verdict = Verdict.SAFE) -> Row:
    """A row, loaded and probed when it has a latency."""
    base = artifact(path, size, float(size), "pickle", "X", verdict)
    if p99 is None:
        return Row(base)
    worker = WorkerView(path, WorkerState.READY, 0.0)
    return Row(base, worker, ProbeState(ProbePlan("d"), True, 0.0, worker=Quantiles(p99, p99, p99, p99, 1)))


async def arrange(rows: Rows, outdated: Callable[[], bool] = lambda: False, **order: Any) -> bool:
    """Ask for another order, and have it."""
    rows.asked = rows.asked._replace(**order)
    return await rows.arrange(rows.asked, outdated=outdated)


def shown(rows: Rows) -> list[str]:
    return [one.path for one in rows.window(0, len(rows))]


@pytest.mark.parametrize("column", sorted(SORTS))
@pytest.mark.parametrize("reverse", [False, True])
async def test_changes_one_by_one_keep_the_order_of_sorting_anew(column: str, reverse: bool) -> None:
    chance = random.Random(f"{column}{reverse}")
    rows = Rows()
    await arrange(rows, sort=column, reverse=reverse)
    for _ in range(300):
        path = f"m{chance.randrange(40)}"
        if chance.random() < 0.3:
            rows.drop(path)
        else:
            rows.put(row(path, chance.randrange(5), chance.choice([None, 1.0, 2.0]), chance.choice(list(Verdict))))
    kept, counted = shown(rows), dict(+rows.counts)
    again = Rows()
    await arrange(again, sort=column, reverse=reverse)
    await again.replace_all(rows.by_path.values())
    assert kept == shown(again)
    assert counted == dict(+again.counts)
    assert sorted(kept) == sorted(rows.by_path)
    assert [rows.index(path) for path in kept] == list(range(len(kept)))


async def test_what_has_no_value_comes_last_in_either_order() -> None:
    rows = Rows()
    await rows.replace_all([row("none"), row("slow", p99=9.0), row("fast", p99=1.0), row("also-none")])
    await arrange(rows, sort="p99")
    assert shown(rows) == ["fast", "slow", "also-none", "none"]
    await arrange(rows, reverse=True)
    assert shown(rows) == ["slow", "fast", "also-none", "none"]


async def test_filters() -> None:
    rows = Rows()
    await rows.replace_all([row("churn/rf"), row("churn/lr", verdict=Verdict.REVIEW), row("iris/a(b")])
    await arrange(rows, wanted=Filter("churn"))
    assert shown(rows) == ["churn/lr", "churn/rf"]
    await arrange(rows, wanted=Filter("!churn"))
    assert shown(rows) == ["iris/a(b"]
    await arrange(rows, wanted=Filter("REVIEW"))
    assert shown(rows) == ["churn/lr"]
    broken = Filter("a(b")
    await arrange(rows, wanted=broken)
    assert broken.literal
    assert shown(rows) == ["iris/a(b"]
    rows.put(row("late/a(b"))
    rows.put(row("late/other"))
    assert shown(rows) == ["iris/a(b", "late/a(b"]
    assert rows.index("churn/rf") is None


async def test_a_filter_finds_what_a_model_is_in_a_few_words() -> None:
    rows = Rows()
    told = row("large.gguf")
    await rows.replace_all(
        [row("other"), replace(told, artifact=replace(told.artifact, summary="Llama 1.1B · Q4_K_M"))]
    )
    await arrange(rows, wanted=Filter("llama"))
    assert shown(rows) == ["large.gguf"]


@pytest.mark.slow
async def test_a_hundred_thousand_rows_leave_the_loop_free_while_they_are_arranged() -> None:
    rows = Rows()
    base = row("x")
    many = [replace(base, artifact=replace(base.artifact, path=f"m/{n * 7919 % 100_000:06}")) for n in range(100_000)]
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(others())
    await rows.replace_all(many)
    before = turns
    await arrange(rows, sort="size", reverse=True)
    assert turns - before > 10
    before = turns
    await arrange(rows, wanted=Filter("99$"))
    assert turns - before > 5
    beside.cancel()
    assert len(rows) == 1000
    assert rows.at(0).path == "m/099999"


async def test_an_order_nobody_waits_for_any_more_is_given_up() -> None:
    rows = Rows()
    base = row("x")
    await rows.replace_all(
        replace(base, artifact=replace(base.artifact, path=f"m/{number:05}")) for number in range(20_000)
    )
    assert not await arrange(rows, wanted=Filter("99$"), outdated=lambda: True)
    assert len(rows) == 20_000
    assert not rows.filter
    assert await arrange(rows, wanted=Filter("99$"), outdated=lambda: False)
    assert len(rows) == 200


async def test_a_worker_is_kept_with_its_row_and_forgotten_with_it() -> None:
    rows = Rows()
    await rows.replace_all([row("a"), row("b", p99=3.0)])
    assert rows.by_path["b"].p99 == 3.0
    rows.put(row("a", p99=1.0))
    rows.put(row("b"))
    assert [one.p99 for one in rows.window(0, 2)] == [1.0, None]
    rows.drop("a")
    assert rows.by_path.get("a") is None
    rows.put(row("a"))
    assert rows.by_path["a"].worker is None
