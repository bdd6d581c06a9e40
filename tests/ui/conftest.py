"""Screens are tested with a clock that stands still."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from tests.ui.demo_records import NOW


@pytest.fixture(autouse=True)
def no_waiting_for_idleness(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests wait for conditions of their own; a busy machine is never idle for textual's taste."""

    async def turn(*_: float) -> None:
        for _turn in range(5):
            await asyncio.sleep(0)

    monkeypatch.setattr("textual.pilot.wait_for_idle", turn)
    monkeypatch.setattr("textual.app.wait_for_idle", turn)


@pytest.fixture
def still_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """It is always NOW, and always in the same place."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        monkeypatch.setattr(time, "time", lambda: NOW)
        yield
    time.tzset()
