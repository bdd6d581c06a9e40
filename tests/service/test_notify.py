"""The notify socket, as a service manager reads it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.service.notify import Notifier


@pytest.fixture(params=["file", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A socket that hears what the service says."""
    name = str(tmp_path / "notify") if request.param == "file" else f"@model-console-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(name if name.startswith("/") else f"\0{name[1:]}")
        heard.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        yield heard


async def test_readiness_watchdog_and_end(manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    notifier = Notifier()
    assert "NOTIFY_SOCKET" not in os.environ
    notifier.ready("serves\nREADY=0")
    assert manager.recv(4096) == b"READY=1\nSTATUS=serves\\x0aREADY=0"
    assert manager.recv(4096) == b"WATCHDOG=1"
    notifier.reloading()
    name, _, clock = manager.recv(4096).decode().rpartition("=")
    assert name == "RELOADING=1\nMONOTONIC_USEC"
    assert int(clock) > 0
    notifier.status("one model")
    notifier.stopping("ends")
    assert [manager.recv(4096) for _ in range(2)] == [b"STATUS=one model", b"STOPPING=1\nSTATUS=ends"]
    notifier.close()


@pytest.mark.parametrize("manager", ["file"], indirect=True)
async def test_the_watchdog_of_another_process_is_not_fed(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "1000")
    monkeypatch.setenv("WATCHDOG_PID", "1")
    notifier = Notifier()
    notifier.ready("serves")
    notifier.status("still")
    assert [manager.recv(4096) for _ in range(2)] == [b"READY=1\nSTATUS=serves", b"STATUS=still"]


async def test_nothing_is_told_where_nobody_asks() -> None:
    Notifier().ready("serves")
