"""An engine of its own: it says when it is ready, lets attach who may, ends in order, and comes back as it was."""

from __future__ import annotations

import asyncio
import grp
import os
import signal
import ssl
import subprocess
import sys
import urllib.request
from functools import partial
from pathlib import Path

import joblib
import psutil
import pytest
from sklearn.linear_model import LogisticRegression

from console.composition import LocalDoor
from console.config import config_dir, state_dir, store_key
from console.engine.remote import RemoteEngine
from console.errors import OperationError
from console.records import Changes, WorkerState
from console.service.runtime import LOCK, SOCKET, running
from tests.http.certificates import certificate
from tests.service.serving import Served, command, until

NOBODY = 65534
GROUP = "games"
"""A group that nobody is in."""
_CONNECTS = """
import os, socket, sys
user, *groups = map(int, sys.argv[2:])
os.setgroups(groups), os.setgid(user), os.setuid(user)
socket.socket(socket.AF_UNIX).connect(sys.argv[1])
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with one model, and settings that keep no process warm."""
    (tmp_path / "store").mkdir()
    joblib.dump(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), tmp_path / "store" / "one.joblib")
    config_dir().mkdir(parents=True)
    (config_dir() / "config.toml").write_text("warm = false\n")
    return tmp_path / "store"


def test_from_the_start_to_the_end(store: Path, place: Path) -> None:
    with Served(store, "--no-http") as one:
        assert f"STATUS=serving {store}" in one.hear("READY=1")
        one.read(f"serving {store}: attach with model-console {store} (process {one.process.pid})")
        assert len(one.lines) == 1
        code, state, _ = command("status", str(store), "--json")
        assert (code, state["pid"], state["http"], state["models"]) == (0, one.process.pid, [], [])
        assert (state["clients"], state["attached"]) == (0, [])
        assert state["socket"] == str(place / store_key(store) / SOCKET)
        assert Path(state["socket"]).stat().st_mode & 0o777 == 0o660
        code, _, said = command("serve", str(store), "--no-http")
        assert code == 1
        assert f"is served already, by process {one.process.pid} of " in said
        assert f" at {state['socket']}\n" in said
        assert one.end() == 0
        assert one.hear("STOPPING=1")
    assert running(store) is None
    assert not Path(state["socket"]).exists()
    assert (place / store_key(store) / LOCK).exists()
    with pytest.raises(OperationError, match=f"no engine serves {store}"):
        _known(store)


def test_settings_are_read_again(store: Path) -> None:
    with Served(store, "--no-http") as one:
        one.hear("READY=1")
        (config_dir() / "config.toml").write_text("drain_s = 7\nseal_mb = 1\n")
        one.process.send_signal(signal.SIGHUP)
        assert "MONOTONIC_USEC=" in one.hear("RELOADING=1")
        one.hear("READY=1")
        one.read("were read again; seal_mb, warm will count at the next start")
        (config_dir() / "config.toml").write_text("nothing = 1\n")
        one.process.send_signal(signal.SIGHUP)
        one.hear("RELOADING=1")
        one.hear("READY=1")
        one.read("the configuration stays as it was: ")
        assert one.end(signal.SIGINT) == 0
        one.read("finished, within 7 s")


@pytest.mark.timeout(300)
def test_what_was_loaded_is_loaded_again_after_a_crash(store: Path) -> None:
    kept = state_dir() / "served" / f"{store_key(store)}.json"

    async def load(*_: object) -> None:
        engine, at = await LocalDoor().open(str(store / "one.joblib"))
        assert isinstance(engine, RemoteEngine)
        assert (await engine.models.load(at)).state is WorkerState.READY
        await engine.close()

    with Served(store, "--no-http") as one:
        one.hear("READY=1")
        asyncio.run(load())
        assert until(lambda: kept.exists() and "one.joblib" in kept.read_text())
        children = one.children()
        assert children
        assert one.end(signal.SIGKILL) == -signal.SIGKILL
        assert psutil.wait_procs(children, timeout=60)[1] == []
    assert running(store) is None
    with Served(store, "--no-http") as two:
        two.hear("READY=1")
        assert [(one.path, one.state, one.copies) for one in _known(store).workers] == [
            ("one.joblib", WorkerState.READY, 1)
        ]
        two.read("1 of 1 models answer again")
        children = two.children()
        assert two.end() == 0
        assert psutil.wait_procs(children, timeout=60)[1] == []
    assert "one.joblib" in kept.read_text()


def test_one_that_fails_ends_nothing(store: Path) -> None:
    kept = state_dir() / "served" / f"{store_key(store)}.json"
    kept.parent.mkdir(parents=True)
    kept.write_text('{"models": [["broken.joblib", "", 1], ["gone.joblib", "", 2]]}')
    (store / "broken.joblib").write_bytes(b"\x80\x04no model")
    with Served(store, "--no-http") as one:
        one.hear("READY=1")
        one.read("broken.joblib was loaded before, and is not now: ")
        one.read("gone.joblib was loaded before, and is not there any more")
        assert until(lambda: "gone" not in kept.read_text())
        assert "broken.joblib" in kept.read_text()
        assert one.end() == 0


def test_the_front_is_started_again_and_ends_with_its_engine(store: Path) -> None:
    with Served(store, "--http", "127.0.0.1:0") as one:
        one.hear("READY=1")
        facts = _known(store).status.engine
        assert facts is not None
        (address,) = facts.http
        assert _asked(f"{address}/readyz") == b'{"ready":true}'
        (front,) = _fronts(one)
        front.kill()
        one.read("another one starts in 0 s")
        one.read("the HTTP front answers again")
        assert _asked(f"{address}/readyz") == b'{"ready":true}'
        (front,) = _fronts(one)
        assert one.end(signal.SIGKILL) == -signal.SIGKILL
        assert psutil.wait_procs([front], timeout=60)[1] == []


@pytest.mark.slow
def test_a_certificate_is_renewed_by_a_signal_and_a_bad_one_is_never_used(store: Path, tmp_path: Path) -> None:
    files = tmp_path / "cert.pem", tmp_path / "key.pem"
    old, new, over = certificate("old"), certificate("new"), certificate("over", begins=-3, ends=-1)
    _written(files, old)
    options = ("--http", "127.0.0.1:0", "--tls-cert", str(files[0]), "--tls-key", str(files[1]))
    with Served(store, *options) as one:
        one.read("serving")
        _written(files, new)
        one.process.send_signal(signal.SIGHUP)
        one.read("certificates were read again")
        facts = _known(store).status.engine
        assert facts is not None
        host, _, port = facts.http[0].removeprefix("https://").partition(":")
        shown = partial(ssl.get_server_certificate, (host, int(port)), timeout=60)
        assert until(lambda: shown() == new[0])
        _written(files, over)
        one.process.send_signal(signal.SIGHUP)
        one.read("has expired")
        (front,) = _fronts(one)
        front.kill()
        one.read("the HTTP front answers again")
        assert shown() == new[0]


def _written(files: tuple[Path, Path], made: tuple[str, str]) -> None:
    for file, text in zip(files, made, strict=True):
        file.write_text(text)


def _known(store: Path) -> Changes:
    """Everything that the engine which serves a store tells of."""

    async def ask() -> Changes:
        engine = await LocalDoor().attach(str(store))
        try:
            return await engine.changes(wait=False)
        finally:
            await engine.close()

    return asyncio.run(ask())


def _asked(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=60) as answer:
        return bytes(answer.read())


def _fronts(one: Served) -> list[psutil.Process]:
    return [child for child in one.children() if "console.http.front" in child.cmdline()]


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_another_user_attaches_by_the_group_alone(store: Path, place: Path) -> None:
    place.parent.chmod(0o755)
    number, socket = grp.getgrnam(GROUP).gr_gid, str(place / store_key(store) / SOCKET)

    def connects(*groups: int) -> int:
        words = [sys.executable, "-S", "-c", _CONNECTS, socket, str(NOBODY), *map(str, groups)]
        return subprocess.run(words, stderr=subprocess.DEVNULL, check=False).returncode

    with Served(store, "--no-http", "--group", GROUP) as one:
        one.hear("READY=1")
        assert connects() == 1
        assert connects(number) == 0
        assert one.end() == 0
