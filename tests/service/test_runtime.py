"""Runtime directories: locks that are held, those that are not, and where engines are looked for."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from console.config import store_key
from console.errors import OperationError, UsageError
from console.service import runtime


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / "store").mkdir()
    return tmp_path / "store"


def test_a_held_lock_tells_of_the_engine(store: Path, place: Path) -> None:
    socket = runtime.socket_of(store)
    assert socket == place / store_key(store) / "engine.sock"
    with runtime.taken(store, socket, started=12.5) as lock:
        lock.tell(http=("http://127.0.0.1:8080",), listening=True)
        found = runtime.running(store)
        assert found is not None
        assert (found.pid, found.started, found.socket) == (os.getpid(), 12.5, str(socket))
        assert found.http == ("http://127.0.0.1:8080",)
        assert found.listening
        assert (place / store_key(store)).stat().st_mode & 0o777 == 0o750
        assert (place / store_key(store) / "engine.lock").stat().st_mode & 0o777 == 0o640
    assert runtime.running(store) is None


def test_a_link_to_the_store_leads_to_the_same_engine(store: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(store)
    with runtime.taken(store, runtime.socket_of(store), started=time.time()):
        assert runtime.running(tmp_path / "link") is not None


def test_a_second_engine_is_refused_by_name(store: Path) -> None:
    socket = runtime.socket_of(store)
    with (
        runtime.taken(store, socket, started=time.time()),
        pytest.raises(OperationError, match=f"served already, by process {os.getpid()} of .* at {socket}"),
        runtime.taken(store, socket, started=time.time()),
    ):
        pass


def test_an_engine_is_found_in_the_directory_of_another_session(
    store: Path, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(runtime.VARIABLE)
    monkeypatch.setenv("RUNTIME_DIRECTORY", f"{place}:{tmp_path}/other")
    with runtime.taken(store, runtime.socket_of(store), started=time.time()):
        assert (place / store_key(store)).is_dir()
        monkeypatch.delenv("RUNTIME_DIRECTORY")
        monkeypatch.setenv(runtime.VARIABLE, str(tmp_path / "elsewhere"))
        assert runtime.running(store) is None
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
        (tmp_path / "model-console").symlink_to(place)
        assert runtime.running(store) is not None


def test_the_engine_of_the_owner_of_the_store_is_found_by_others(
    store: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "_OF_USER", f"{place}/of-")
    with monkeypatch.context() as owners:
        owners.setenv(runtime.VARIABLE, f"{place}/of-{store.stat().st_uid}")
        socket = runtime.socket_of(store)
        with runtime.taken(store, socket, started=time.time()):
            owners.setenv(runtime.VARIABLE, str(place))
            found = runtime.running(store)
            assert found is not None
            assert found.socket == str(socket)
            with pytest.raises(OperationError, match="served already"), runtime.taken(store, place / "s", started=0.0):
                pass


@pytest.mark.parametrize("left", [b"", b"{", b'{"pid": 1}', b"[]", b"\xff\0"])
def test_a_lock_that_nobody_holds_tells_of_no_engine(store: Path, left: bytes) -> None:
    socket = runtime.socket_of(store)
    socket.parent.mkdir(parents=True, mode=0o700)
    (socket.parent / "engine.lock").write_bytes(left)
    socket.write_bytes(b"")
    assert runtime.running(store) is None
    with runtime.taken(store, socket, started=time.time()):
        assert runtime.running(store) is not None
        assert not socket.exists()


def test_a_directory_that_others_may_write_in_is_not_used(store: Path, place: Path) -> None:
    place.mkdir()
    place.chmod(0o777)
    with (
        pytest.raises(OperationError, match="others may put a socket in place"),
        runtime.taken(store, runtime.socket_of(store), started=time.time()),
    ):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a file of another user")
def test_the_lock_of_a_stranger_does_not_count(store: Path) -> None:
    socket = runtime.socket_of(store)
    with runtime.taken(store, socket, started=time.time()):
        os.chown(socket.parent / "engine.lock", 4242, -1)
        assert runtime.running(store) is None
        os.chown(store, 4242, -1)
        assert runtime.running(store) is not None


def test_a_path_too_long_for_a_socket_is_refused(store: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="too long for the path of a socket"):
        runtime.socket_of(store, str(tmp_path / ("x" * 108)))


def test_a_group_that_is_unknown_is_named() -> None:
    assert runtime.group_id("") == -1
    with pytest.raises(UsageError, match="no group nobody-has-this"):
        runtime.group_id("nobody-has-this")
