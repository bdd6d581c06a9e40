"""A publish killed, or told no, at each of its system calls: the artifact is whole and the next start settles it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from console.files import opening, snapshot
from console.files.state_dir import HISTORY, artifact_key
from console.versions import history, publish, recovery

OLD, NEW = b"old" * 1000, b"new" * 1000
PATH = "models/churn.pkl"
CALLS = (
    "write",
    "fsync",
    "renameat2",
    "renameat",
    "linkat",
    "unlinkat",
    "openat",
    "mkdirat",
    "fchmod",
    "ftruncate",
    "ioctl",
)
MOST = 60


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def make(root: Path, *, existing: bool = True) -> dict[str, str]:
    """A store with the artifact, and the request that replaces it."""
    (root / "models").mkdir(parents=True, exist_ok=True)
    if existing:
        (root / PATH).write_bytes(OLD)
    candidate = root.parent / f"{root.name}-candidate"
    candidate.write_bytes(NEW)
    replaces = digest(OLD) if existing else ""
    return {"root": str(root), "path": PATH, "action": "publish", "content": str(candidate), "replaces": replaces}


def live(root: Path) -> bytes | None:
    return (root / PATH).read_bytes() if (root / PATH).exists() else None


def check_settled(root: Path, before: bytes | None) -> None:
    """The conditions after a recovery: old or new, its history complete, nothing left lying about."""
    now = live(root)
    assert now in (before, NEW)
    assert [one.name for one in (root / "models").iterdir()] == (["churn.pkl"] if now is not None else [])
    found = history.versions(root, PATH)
    assert [one.digest for one in found if one.current] == ([digest(now)] if now is not None else [])
    if now == NEW and before is not None:
        kept = next(one.version for one in found if not one.current)
        with history.open_version(root, PATH, kept) as old:
            assert Path(f"/proc/self/fd/{old.fd}").read_bytes() == before
    versions = root / ".model-console" / HISTORY / artifact_key(PATH)
    inodes = [one.stat().st_ino for one in versions.iterdir()] if versions.exists() else []
    assert now is None or (root / PATH).stat().st_ino not in inodes
    assert len(inodes) == len(set(inodes))
    assert recovery.recover(root) == ()


def check_works(root: Path, tmp_path: Path) -> None:
    (tmp_path / "next").write_bytes(b"next")
    now = live(root)
    with opening.open_artifact(tmp_path, "next") as opened, snapshot.seal(opened) as content:
        promotion = publish.Promotion("tester", "next")
        publish.publish(root, PATH, content, promotion, replaces=digest(now) if now is not None else None)
    assert live(root) == b"next"


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("existing", [True, False], ids=["replace", "first"])
def test_killed_before_each_call(server: Any, tmp_path: Path, call: str, existing: bool) -> None:
    for number in range(1, MOST):
        root = tmp_path / f"{number}"
        ended = server.run(make(root, existing=existing), f"{call}:signal=KILL:when={number}")
        before = OLD if existing else None
        assert live(root) in (before, NEW)
        recovery.recover(root)
        check_settled(root, before)
        if ended.status == 0:
            assert live(root) == NEW
            break
        assert ended.status == -9
    else:
        pytest.fail(f"{call} was called over {MOST} times")
    check_works(root, tmp_path)


@pytest.mark.parametrize("call", ["write", "fsync", "renameat2", "renameat", "unlinkat"])
@pytest.mark.parametrize("at", ["renameat2:signal=KILL:when=1", "ioctl:signal=KILL:when=1", "fsync:signal=KILL:when=9"])
def test_recovery_that_is_killed_too(server: Any, tmp_path: Path, at: str, call: str) -> None:
    for number in range(1, MOST):
        root = tmp_path / f"{number}"
        request = make(root)
        assert server.run(request, at).status == -9
        ended = server.run({**request, "action": "recover"}, f"{call}:signal=KILL:when={number}")
        recovery.recover(root)
        check_settled(root, OLD)
        if ended.status == 0:
            break
        assert ended.status == -9


@pytest.mark.slow
@pytest.mark.parametrize(
    ("call", "error"),
    [("write", "ENOSPC"), ("fsync", "EIO"), ("openat", "EACCES"), ("renameat2", "EROFS"), ("renameat", "ENOSPC")],
)
def test_told_no_at_each_call(server: Any, tmp_path: Path, call: str, error: str) -> None:
    for number in range(1, MOST):
        root = tmp_path / f"{number}"
        ended = server.run(make(root), f"{call}:error={error}:when={number}")
        if ended.status == 0:
            assert live(root) == NEW
            break
        assert ended.status == 3, ended
        assert ended.error in ("OperationError", "ConflictError", "InputError")
        assert live(root) == OLD
        recovery.recover(root)
        check_settled(root, OLD)
    check_works(root, tmp_path)


@pytest.mark.parametrize(("call", "error"), [("write", "ENOSPC"), ("fsync", "EIO")])
def test_told_no_from_some_call_on(server: Any, tmp_path: Path, call: str, error: str) -> None:
    for number in range(1, MOST):
        root = tmp_path / f"{number}"
        ended = server.run(make(root), f"{call}:error={error}:when={number}+")
        assert live(root) in (OLD, NEW)
        recovery.recover(root)
        check_settled(root, OLD)
        if ended.status == 0:
            break
        assert ended.status == 3, ended


def test_what_cannot_be_taken_back_either_is_settled_later(server: Any, tmp_path: Path) -> None:
    root = tmp_path / "s"
    ended = server.run(make(root), "renameat:error=ENOSPC:when=1", "renameat2:error=EIO:when=2")
    assert (ended.status, ended.error) == (3, "Unsettled")
    assert live(root) == NEW
    (settled,) = recovery.recover(root)
    assert settled.outcome == "finished"
    check_settled(root, OLD)


def test_a_first_file_that_cannot_be_taken_back_is_settled_later(server: Any, tmp_path: Path) -> None:
    root = tmp_path / "s"
    (root / ".model-console").mkdir(parents=True)
    # the syncs before: history, its key, journal, own directory, temporary file, journal
    ended = server.run(make(root, existing=False), "fsync:error=EIO:when=7+", "renameat:error=EIO:when=1")
    assert (ended.status, ended.error) == (3, "Unsettled"), ended
    assert live(root) == NEW
    recovery.recover(root)
    check_settled(root, None)
    assert history.versions(root, PATH)[0].who == "tester"


@pytest.mark.parametrize("existing", [True, False], ids=["replace", "first"])
def test_file_system_without_exchange(server: Any, tmp_path: Path, existing: bool) -> None:
    root = tmp_path / "s"
    assert server.run(make(root, existing=existing), "renameat2:error=EINVAL").status == 0
    assert live(root) == NEW
    check_settled(root, OLD if existing else None)


_LOOKS = 25
"""So many looks in a row find a process at the same system call that is held there, and not only stopped in passing."""


def _stopped_at(pid: int) -> str:
    """The system call at which a traced process that watches a name stands; "" where it does not."""
    with suppress(OSError):
        watches = any("inotify" in one.read_text() for one in Path(f"/proc/{pid}/fdinfo").iterdir())
        if watches and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "t":
            return _system_call(pid)
    return ""


def _system_call(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/syscall").read_text()
    except PermissionError:
        return "some"


def _await_held(pid: int) -> None:
    """Wait until a traced process is held at a system call."""
    end, before, looks = time.monotonic() + 10, "", 0
    while looks < _LOOKS and time.monotonic() < end:
        found = _stopped_at(pid)
        looks = looks + 1 if found and found == before else 0
        before = found
        time.sleep(0.002)


@pytest.mark.parametrize("how", ["moved in", "removed and made anew"])
def test_a_foreign_file_in_the_very_moment_of_a_rename_over_it_is_told(server: Any, tmp_path: Path, how: str) -> None:
    root = tmp_path / "s"
    request = make(root)

    def interfere(pid: int) -> None:
        _await_held(pid)
        if how == "moved in":
            (tmp_path / "foreign").write_bytes(b"foreign")
            (tmp_path / "foreign").rename(root / PATH)
        else:
            (root / PATH).unlink()
            (root / PATH).write_bytes(b"foreign")

    faults = ("renameat2:error=EINVAL", "renameat:delay_enter=1500000:when=2")
    ended = server.run(request, *faults, meanwhile=interfere)
    assert (ended.status, ended.error) == (3, "ConflictError"), ended
    assert "theirs is lost" in ended.message
    assert live(root) == OLD
    recovery.recover(root)
    check_settled(root, OLD)


@pytest.mark.slow
def test_who_holds_the_lock_of_the_directory_is_waited_for_and_named(server: Any, tmp_path: Path) -> None:
    root = tmp_path / "s"
    request = make(root)
    holder = os.open(root / "models", os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(holder, fcntl.LOCK_EX)
        ended = server.run(request, "renameat2:error=EINVAL")
    finally:
        os.close(holder)
    assert (ended.status, ended.error) == (3, "OperationError")
    assert f"the directory of {PATH} is locked by process {os.getpid()}" in ended.message
    assert live(root) == OLD
    assert server.run(request, "renameat2:error=EINVAL").status == 0
    check_settled(root, OLD)


def test_what_was_retained_half_is_not_left_without_exchange(server: Any, tmp_path: Path) -> None:
    for number in range(1, MOST):
        root = tmp_path / f"{number}"
        request = make(root)
        (root / "other-name").hardlink_to(root / PATH)  # so that its bytes are copied
        ended = server.run(request, "renameat2:error=EINVAL", f"write:signal=KILL:when={number}")
        recovery.recover(root)
        assert not [*root.rglob("*.part"), *root.rglob(".mc-*")]
        if ended.status == 0:
            break


def test_a_foreign_file_of_the_longest_name_is_set_aside(server: Any, tmp_path: Path) -> None:
    root = tmp_path / "s"
    request = make(root)
    name = "ü" * 125 + ".pkl"
    (root / PATH).rename(root / "models" / name)
    assert server.run({**request, "path": f"models/{name}"}, "renameat2:signal=KILL:when=1").status == -9
    (tmp,) = (root / "models").glob(".mc-*")
    tmp.write_bytes(b"foreign")
    (settled,) = recovery.recover(root)
    assert settled.outcome in ("conflict", "undone")
    assert [one.read_bytes() for one in (root / ".model-console" / "conflicts").iterdir()] == [b"foreign"]


@pytest.mark.parametrize("call", ["write", "fsync", "linkat", "renameat", "unlinkat"])
def test_killed_without_exchange(server: Any, tmp_path: Path, call: str) -> None:
    for number in range(1, MOST):
        root = tmp_path / f"{number}"
        ended = server.run(make(root), "renameat2:error=EINVAL", f"{call}:signal=KILL:when={number}")
        assert live(root) in (OLD, NEW)
        recovery.recover(root)
        check_settled(root, OLD)
        if ended.status == 0:
            break
        assert ended.status == -9
