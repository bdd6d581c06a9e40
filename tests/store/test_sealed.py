from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import threading
from pathlib import Path

import pytest

from console.errors import ConflictError, InputError, OperationError
from console.files import opening, snapshot, syscalls


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def test_sealed_bytes_are_the_files_and_cannot_be_changed(store: Path) -> None:
    data = os.urandom(3 * 2**20 + 17)
    (store / "m.pkl").write_bytes(data)
    with opening.open_artifact(store, "m.pkl") as opened, snapshot.seal(opened) as content:
        (store / "m.pkl").write_bytes(b"other")
        assert content.sealed
        assert content.size == len(data)
        assert content.digest == digest(data) == snapshot.digest_of(content)
        assert os.pread(content.fd, len(data) + 1, 0) == data
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.write(content.fd, b"x")
        with pytest.raises(PermissionError):
            os.open(f"/proc/self/fd/{content.fd}", os.O_WRONLY | os.O_TRUNC)


def test_a_large_file_is_passed_as_it_is(store: Path) -> None:
    (store / "m.pkl").write_bytes(b"x" * 100)
    with opening.open_artifact(store, "m.pkl") as opened, snapshot.seal(opened, limit=99) as content:
        assert (content.sealed, content.digest, content.size) == (False, None, 100)
        seen: list[tuple[int, int]] = []
        assert snapshot.digest_of(content, progress=lambda done, total: seen.append((done, total))) == digest(
            b"x" * 100
        )
        assert seen == [(100, 100)]
        (store / "m.pkl").write_bytes(b"y" * 100)
        with pytest.raises(ConflictError, match="changed while it was being read"):
            snapshot.digest_of(content)


@pytest.mark.parametrize("act", ["grow", "shrink", "rewrite"])
def test_a_file_that_changes_while_it_is_copied_is_not_sealed(store: Path, act: str) -> None:
    path = store / "m.pkl"
    path.write_bytes(b"x" * (3 * 2**20))
    status = path.stat()

    def change(done: int, total: int) -> None:
        if done != 2**20:
            return
        with open(path, "r+b") as file:
            if act == "grow":
                file.seek(0, os.SEEK_END)
                file.write(b"more")
            elif act == "shrink":
                file.truncate(2**20)
            else:
                file.write(b"y")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    with opening.open_artifact(store, "m.pkl") as opened, pytest.raises(ConflictError):
        snapshot.seal(opened, progress=change)


def test_reading_can_be_cancelled(store: Path) -> None:
    (store / "m.pkl").write_bytes(b"x")
    with opening.open_artifact(store, "m.pkl") as opened, pytest.raises(OperationError, match="cancelled"):
        snapshot.digest_of(opened, cancelled=lambda: True)


@pytest.fixture
def hostile(store: Path) -> Path:
    (store / "in").mkdir()
    (store / "in" / "m.pkl").write_bytes(b"x")
    (store.parent / "secret").write_bytes(b"s")
    (store / "out.pkl").symlink_to(store.parent / "secret")
    (store / "inside.pkl").symlink_to("in/m.pkl")
    (store / "loop.pkl").symlink_to("loop.pkl")
    (store / "way").symlink_to("in")
    os.mkfifo(store / "fifo.pkl")
    (store / "empty.pkl").write_bytes(b"")
    (store / "dir.pkl").mkdir()
    with open(store / "huge.pkl", "wb") as file:
        file.truncate(2**40)
    return store


CASES = [
    ("out.pkl", "symbolic link"),
    ("inside.pkl", "symbolic link"),
    ("loop.pkl", "symbolic link"),
    ("way/m.pkl", "symbolic link|not there"),
    ("fifo.pkl", "is a FIFO, not a regular file"),
    ("empty.pkl", "is empty"),
    ("dir.pkl", "is a directory, not a regular file"),
    ("huge.pkl", "claims 1099511627776 bytes but holds only 0 on disk"),
    ("nothing.pkl", "is not there"),
    ("../secret", "outside the store"),
    ("in/../../secret", "outside the store"),
    ("/etc/hostname", "outside the store"),
    ("a\0b", "not a file name"),
]


@pytest.mark.parametrize(("path", "words"), CASES)
@pytest.mark.parametrize("steps", [False, True], ids=["openat2", "step by step"])
def test_what_is_no_regular_file_of_the_store_is_refused_in_a_sentence(
    hostile: Path, path: str, words: str, steps: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if steps:
        monkeypatch.setattr(syscalls, "_SYS_OPENAT2", 99999)
    with pytest.raises(InputError, match=words) as caught:
        opening.open_artifact(hostile, path)
    assert caught.value.message.count("\n") == 0
    links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
    assert not [link for link in links if os.path.lexists(link) and os.readlink(link).startswith(str(hostile))]


@pytest.mark.parametrize("steps", [False, True], ids=["openat2", "step by step"])
def test_a_regular_file_opens_either_way(hostile: Path, steps: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if steps:
        monkeypatch.setattr(syscalls, "_SYS_OPENAT2", 99999)
    with opening.open_artifact(hostile, "in/m.pkl") as opened:
        assert os.read(opened.fd, 9) == b"x"
        assert opened.identity == opening.identity_of((hostile / "in" / "m.pkl").stat())


def test_a_socket_is_refused(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(store)
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("s.pkl")
        with pytest.raises(InputError, match="not a regular file"):
            opening.open_artifact(store, "s.pkl")


@pytest.mark.parametrize("name", [b"\xff\xfe.pkl", b"new\nline.pkl", b"\x1b]0;x\x07.pkl", b"-rf", b"n" * 255])
def test_hostile_names_are_names(store: Path, name: bytes) -> None:
    path = os.fsdecode(name)
    (store / path).write_bytes(b"x")
    with opening.open_artifact(store, path) as opened, snapshot.seal(opened) as content:
        assert content.digest == digest(b"x")


def test_a_link_swapped_in_between_never_leads_out(store: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (store / "m.pkl").write_bytes(b"x")
    (store / "good").write_bytes(b"good")
    (store / "bad").symlink_to(tmp_path / "secret")
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            for name in ("good", "bad"):
                with contextlib.suppress(FileNotFoundError):
                    os.link(store / name, store / "next", follow_symlinks=False)
                    os.replace(store / "next", store / "m.pkl")

    swapper = threading.Thread(target=swap)
    swapper.start()
    read, refused = set(), 0
    try:
        tries = 0
        while tries < 1000 or not (refused and b"good" in read):
            tries += 1
            try:
                with opening.open_artifact(store, "m.pkl") as opened:
                    read.add(os.read(opened.fd, 20))
            except InputError:
                refused += 1
    finally:
        done.set()
        swapper.join()
    assert read <= {b"x", b"good"}
    assert refused
