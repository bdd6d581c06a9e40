"""An artifact that nobody has inspected yet is inspected in the order an operator would want."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from console.catalog import survey
from console.catalog.artifact_rows import ArtifactRows
from console.catalog.survey import Survey
from console.errors import InputError
from console.records import Artifact, Judgement, Reason, Report, Verdict

DAY = 86_400.0


class Desk:
    """Inspects what it is given, in turn, and says when; the first look waits until it may go on."""

    def __init__(self, rows: list[Artifact], width: int = 1) -> None:
        self.shelf = ArtifactRows()
        self.shelf.put(rows)
        self.survey = Survey(self.shelf, self.inspect, width=width)
        self.order: list[str] = []
        self.in_vain: list[str] = []
        self.at_once = 0
        self.most = 0
        self.may_go = asyncio.Event()
        self.all_busy = asyncio.Event()
        self.all_safe = asyncio.Event()
        self._width = width

    async def inspect(self, path: str) -> Report:
        self.order.append(path)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        if self.at_once == self._width:
            self.all_busy.set()
        await self.may_go.wait()
        await asyncio.sleep(0)
        self.at_once -= 1
        if path in self.in_vain:
            self.in_vain.remove(path)
            return Report(row(path), None, Judgement(None, (Reason("not-inspected", "not inspected, because …"),)))
        if path.startswith("broken"):
            raise InputError(f"{path} cannot be read")
        found = self.shelf.get(path)
        assert found is not None
        empty = path.startswith("empty")
        self.shelf.put([replace(found, verdict=None if empty else Verdict.SAFE, problem="is empty" if empty else None)])
        if all(one.verdict is Verdict.SAFE for one in self.shelf.rows()):
            self.all_safe.set()
        return Report(found, None, Judgement(Verdict.SAFE))


def row(path: str, size: int = 10, age: float = 0.0) -> Artifact:
    return Artifact(path, size, time.time() - age)


async def started(desk: Desk) -> asyncio.Task[None]:
    work = asyncio.create_task(desk.survey.drain())
    await desk.all_busy.wait()
    return work


async def test_what_changed_lately_comes_first_and_of_one_day_the_small_before_the_large() -> None:
    desk = Desk([row("old", 1, 9 * DAY), row("large", 10**9), row("small", 5), row("older", 1, 4000 * DAY)])
    desk.may_go.set()
    await desk.survey.drain()
    assert desk.order == ["small", "large", "old", "older"]
    assert desk.survey.waiting == 0


async def test_what_is_on_the_screen_overtakes_the_rest() -> None:
    desk = Desk([row(f"m{number}", number) for number in range(50)])
    work = await started(desk)
    assert desk.survey.waiting == 50
    desk.survey.look_at(["m40", "m41"])
    desk.may_go.set()
    await work
    assert desk.order[:4] == ["m0", "m40", "m41", "m1"]
    assert sorted(desk.order) == sorted(f"m{number}" for number in range(50))


async def test_as_many_at_once_as_it_is_wide_and_none_twice() -> None:
    desk = Desk([row(f"m{number}") for number in range(20)], width=3)
    work = await started(desk)
    desk.survey.look_at(["m0", "m1", "m2"])
    desk.may_go.set()
    await work
    assert desk.most == 3
    assert len(desk.order) == len(set(desk.order)) == 20


async def test_what_cannot_be_inspected_is_tried_again_only_when_it_changed() -> None:
    desk = Desk([row("broken"), row("fine")])
    desk.may_go.set()
    await desk.survey.drain()
    desk.shelf.touch()
    await desk.survey.drain()
    assert sorted(desk.order) == ["broken", "fine"]
    desk.shelf.put([row("broken", 11)])
    await desk.survey.drain()
    assert desk.order.count("broken") == 2


async def test_what_is_no_file_to_inspect_is_looked_at_once() -> None:
    desk = Desk([row("empty"), row("fine")])
    desk.may_go.set()
    await asyncio.wait_for(desk.survey.drain(), 10)
    assert sorted(desk.order) == ["empty", "fine"]


async def test_it_ends_in_the_middle_when_the_console_does() -> None:
    desk = Desk([row(f"m{number}") for number in range(10_000)], width=2)
    work = asyncio.create_task(desk.survey.run())
    await desk.all_busy.wait()
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    assert work.cancelled()
    assert len(desk.order) == 2


async def test_what_the_machine_kept_from_being_inspected_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "AGAIN_SECONDS", (0.01,))
    desk = Desk([row("a"), row("b")])
    desk.in_vain = ["a", "a"]
    desk.may_go.set()
    work = asyncio.create_task(desk.survey.run())
    async with asyncio.timeout(10):
        await desk.all_safe.wait()
    work.cancel()
    assert sorted(desk.order) == ["a", "a", "a", "b"]


async def test_of_what_cannot_be_read_the_row_says_why() -> None:
    desk = Desk([row("broken")])
    desk.may_go.set()
    await desk.survey.drain()
    (found,) = desk.shelf.rows()
    assert (found.verdict, found.why) == (None, "not inspected, because broken cannot be read")


def test_whether_a_worker_holds_other_bytes_is_not_taken_from_a_row_that_was_read_before() -> None:
    rows = ArtifactRows()
    rows.put([row("a")])
    rows.mark_changed("a", True)
    before = rows.get("a")
    assert before is not None
    rows.put([row("a")])
    assert rows.rows()[0].changed
    rows.mark_changed("a", False)
    rows.put([before])
    assert not rows.rows()[0].changed
