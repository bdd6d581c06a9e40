"""Refusals on record: the first at once, a flood of them in a few lines, whatever strangers put into them."""

from __future__ import annotations

import asyncio
from typing import Any

from console.access.actor import Actor, acting, acting_as
from console.access.refusals import Refusals
from console.errors import OperationError
from console.events import Bus


class Kept:
    """Lines that were put on record, with who acted."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, str, dict[str, Any]]] = []
        self.actors: list[Actor | None] = []
        self.full = False
        self.counted = asyncio.Event()

    async def __call__(self, action: str, path: str, digest: str | None, result: str, **detail: Any) -> None:
        if self.full:
            raise OperationError("the disk is full")
        self.lines.append((action, path, result, detail))
        self.actors.append(acting.get())
        if "count" in detail:
            self.counted.set()


async def test_the_first_is_on_record_at_once_and_the_rest_is_counted() -> None:
    kept, bus = Kept(), Bus()
    refusals = Refusals(kept, bus)
    for number in range(10_000):
        await refusals.tell("token", "", "this token is not known here", "somebody", f"10.0.{number % 250}.1")
    assert [line[2] for line in kept.lines] == ["refused: this token is not known here"]
    assert kept.lines[0][3] == {"asked_by": "somebody", "peer": "10.0.0.1"}
    await refusals.flush()
    _, (action, _, result, detail) = kept.lines
    assert action == "token"
    assert result == "refused: 9999 more of somebody within a minute: this token is not known here"
    assert detail["count"] == 9999
    assert len(detail["peers"]) == 5
    assert [(event.kind, event.severity) for event in bus.recent()] == [("access.refused", "attention")] * 2
    await refusals.tell("token", "", "this token is not known here", "somebody")
    assert len(kept.lines) == 3
    await refusals.close()
    assert len(kept.lines) == 3


async def test_many_kinds_at_once_are_few_lines() -> None:
    kept, bus = Kept(), Bus()
    refusals = Refusals(kept, bus)
    for number in range(1000):
        await refusals.tell("infer", f"model {number}", "no", f"token {number}")
    assert len(kept.lines) == 17
    await refusals.close()
    assert sum(line[3].get("count", 0) for line in kept.lines) + 17 == 1000
    assert len(kept.lines) == 18


async def test_what_strangers_send_is_cut() -> None:
    kept, bus = Kept(), Bus()
    refusals = Refusals(kept, bus)
    await refusals.tell("infer", "m" * 100_000, "w" * 100_000, "token ci", "p" * 100_000)
    await refusals.close()
    assert len(str(kept.lines)) < 2000
    assert all(len(event.text) < 2000 and event.subject == "" for event in bus.recent())


async def test_a_minute_ends_by_itself_and_the_count_is_the_engines_own_record() -> None:
    kept = Kept()
    refusals = Refusals(kept, Bus(), every=0.0)
    bob = Actor("bob", 4321)
    with acting_as(bob):
        await asyncio.gather(*(refusals.tell("load", "a.pkl", "no", "bob") for _ in range(2)))
    await kept.counted.wait()
    assert kept.actors == [bob, None]
    await refusals.close()


async def test_a_full_disk_is_told_of_and_ends_nothing() -> None:
    kept, bus = Kept(), Bus()
    refusals = Refusals(kept, bus)
    for _ in range(3):
        await refusals.tell("token", "", "no", "somebody")
    kept.full = True
    await refusals.close()
    assert bus.recent()[-1].text == "it cannot be put on record: the disk is full"
