"""The bus: who hears what, and what is kept."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import console
from console.events import Bus
from console.records import Event, EventKind, MissedEvents

CONSOLE = Path(console.__file__).parent
ABOUT = {kind.partition(".")[0] for kind in EventKind}
KIND = re.compile(rf'"((?:{"|".join(ABOUT)})\.(?!pkl)[a-z-]+)"')


def test_the_survey_of_a_large_store_leaves_what_was_kept_before_it() -> None:
    bus, heard = Bus(keep=3), list[Event]()
    bus.subscribe(heard.append)
    died = bus.emit("worker.error", "a.pkl", "a.pkl died", severity="failure")
    for number in range(10):
        bus.emit("artifact.inspected", f"{number}.pkl", "safe")
    assert bus.recent() == (died,)
    assert len(heard) == 11


def test_the_last_events_are_kept() -> None:
    bus = Bus(keep=2)
    events = [bus.emit("artifact.added", f"{number}.pkl", "appeared") for number in range(3)]
    assert bus.recent() == tuple(events[1:])


def test_who_was_away_is_told_what_is_kept_and_whether_more_is_lost() -> None:
    bus = Bus(keep=3)
    events = [bus.emit("artifact.added", f"{number}.pkl", "appeared") for number in range(4)]
    assert [event.number for event in events] == [1, 2, 3, 4]
    assert bus.missed(4) == MissedEvents((), False, 4)
    assert bus.missed(2) == MissedEvents(tuple(events[2:]), False, 4)
    assert bus.missed(0) == MissedEvents(tuple(events[1:]), True, 4)


def test_events_that_pass_are_numbered_and_nobody_misses_them() -> None:
    bus = Bus(keep=3)
    bus.emit("artifact.inspected", "a.pkl", "safe")
    assert bus.missed(0) == MissedEvents((), False, 1)


def test_there_is_no_event_of_an_unknown_kind() -> None:
    with pytest.raises(ValueError, match=r"artifact\.eaten"):
        Bus().emit("artifact.eaten", "a.pkl", "gone")


def test_every_kind_that_the_console_speaks_of_is_known_and_every_known_one_is_spoken_of() -> None:
    spoken: set[str] = set()
    for file in CONSOLE.rglob("*.py"):
        if (file.parent.name, file.name) != ("records", "events.py"):
            spoken.update(KIND.findall(file.read_text()))
    assert spoken == set(EventKind)
