"""The power cut behind each system call of a promotion and of a rollback: what the disk held then is mounted again."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from console.config import state_dir
from console.trust.audit import Audit
from console.versions import history, publish, recovery
from tests.cli.conftest import run
from tests.cli.running import Run
from tests.store.conftest import needs_strace
from tests.store.unprivileged import needs_root

__all__ = ["run"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200), needs_strace, needs_root]

PATH = "m.pkl"
OLD, NEW = b"old" * 3000, b"new" * 3000
CALLS = "write fsync fdatasync renameat2 renameat linkat unlinkat openat mkdirat fchmod ftruncate ioctl".split()  # noqa: SIM905
MOST = 100
MIB = 1 << 20


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@contextmanager
def mounted(image: Path, place: Path) -> Iterator[Path]:
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=True)
    try:
        yield place / "store"
    finally:
        while subprocess.run(["umount", str(place)], capture_output=True, check=False).returncode:
            time.sleep(0.02)


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A small file system with the artifact on it, in an image."""
    image = tmp_path / "disk"
    with image.open("wb") as file:
        file.truncate(12 * MIB)
    if subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=False).returncode:
        pytest.skip("mkfs.ext4 is not there")
    try:
        with mounted(image, tmp_path / "mnt") as store:
            store.mkdir()
            (store / PATH).write_bytes(OLD)
    except subprocess.CalledProcessError:
        pytest.skip("this place may not mount images")
    return image


def cut(server: Any, request: dict[str, str], fault: str, image: Path, copy: Path) -> bool:
    """Do what is asked until the process stops behind a call, and copy the disk as it is then; whether it stopped."""

    def power_off(pid: int) -> None:
        end = time.monotonic() + 30
        while not re.search(rb"stopped by SIGSTOP|\+\+\+ ", server.trace.read_bytes()):
            assert time.monotonic() < end
            time.sleep(0.002)
        subprocess.run(["cp", "--sparse=always", str(image), str(copy)], check=True)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    ended = server.run(request, fault, meanwhile=power_off)
    return bool(ended.status == -9)


def check(store: Path, run: Run, point: str, acknowledged: bytes | None) -> None:
    live = (store / PATH).read_bytes()
    assert live in (OLD, NEW), point
    assert acknowledged in (None, live), point
    done = run("history", str(store / PATH), "--json")
    assert done.code == 0, (point, done)
    found = {one["digest"]: one["current"] for one in done.json}
    assert found[digest(live)], point
    assert live == OLD or digest(OLD) in found, point
    assert recovery.recover(store) == ()
    assert recovery.damaged(store) == ()
    Audit(store).append("after")
    assert run("audit", "verify", str(store)).code == 0, point
    if live == NEW:
        assert publish.rollback(store, PATH, None, publish.Promotion("t", "t")).digest == digest(OLD)
        assert [one.current for one in history.versions(store, PATH)] == [False, True], point
    assert not [one for one in store.rglob("*") if one.name.endswith((".tmp", ".part"))], point


def sweep(server: Any, disk: Path, tmp_path: Path, run: Run, action: str, before: bytes) -> int:
    points = 0
    (tmp_path / "candidate").write_bytes(NEW)
    place = tmp_path / "mnt"
    for call in CALLS:
        for number in range(1, MOST):
            # other files each time: a loop device may outlive its mount for a moment, with what it cached
            work, copy = tmp_path / f"work-{points}", tmp_path / f"copy-{points}"
            shutil.copy(disk, work)
            shutil.rmtree(state_dir() / "audit", ignore_errors=True)  # which from here on is another disk's
            with mounted(work, place) as store:
                content = str(tmp_path / "candidate") if action == "publish" else "1"
                request = {"root": str(store), "path": PATH, "action": action, "content": content}
                request |= {"replaces": digest(before), "audit": str(state_dir().parent)}
                off = cut(server, request, f"{call}:signal=STOP:when={number}", work, copy)
            with mounted(copy, place) as store:
                acknowledged = None if off else {"publish": NEW, "rollback": OLD}[action]
                check(store, run, f"{call} {number}", acknowledged)
            work.unlink()
            copy.unlink()
            points += 1
            if not off:
                break
        else:
            pytest.fail(f"{call} never ended")
    return points


def test_a_promotion(server: Any, disk: Path, tmp_path: Path, run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    """About four minutes."""
    points = sweep(server, disk, tmp_path, run, "publish", OLD)
    with capfd.disabled():
        print(f"\npromotion: the power was cut at {points} points")


def test_a_rollback(server: Any, disk: Path, tmp_path: Path, run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    """About four minutes."""
    (tmp_path / "candidate").write_bytes(NEW)
    with mounted(disk, tmp_path / "mnt") as store:
        request = {"root": str(store), "path": PATH, "action": "publish", "content": str(tmp_path / "candidate")}
        assert server.run({**request, "replaces": digest(OLD)}).status == 0
    points = sweep(server, disk, tmp_path, run, "rollback", NEW)
    with capfd.disabled():
        print(f"\nrollback: the power was cut at {points} points")
