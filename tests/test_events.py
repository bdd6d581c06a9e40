"""The bus: who hears what, and what is kept."""

from __future__ import annotations

from console.events import Bus
from console.records import Event


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
