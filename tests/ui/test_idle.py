"""A console at which nobody does anything is woken by nothing but its clocks."""

from __future__ import annotations

import selectors
import threading

from console.ui.exit_event import ExitEvent


def test_a_selector_wakes_when_the_end_comes_and_not_before() -> None:
    event = ExitEvent()
    with selectors.SelectSelector() as selector:
        selector.register(event, selectors.EVENT_READ)
        assert not selector.select(0)
        threading.Thread(target=event.set).start()
        assert selector.select(60)
        assert event.wait(60)
        event.set()
        event.clear()
        event.clear()
        assert not event.is_set()
        assert not selector.select(0)
