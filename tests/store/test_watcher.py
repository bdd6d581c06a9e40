# ruff: noqa: ASYNC221, ASYNC230, ASYNC240 (what is watched are real files, changed right here)
from __future__ import annotations

import asyncio
import logging
import mmap
import os
import pickle
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from console.catalog import change_notifications, settling, watcher
from console.catalog.catalog import Catalog
from console.catalog.change_notifications import Coverage
from console.catalog.listing import Changes
from console.catalog.watcher import Listener, Watcher
from console.files import roots
from console.records import Artifact

MODEL = pickle.dumps({"a": list(range(20))}, 4)
PATIENCE = 20.0


class Seen:
    """The reports of a watcher, in order, with a way to wait until something is true of it."""

    def __init__(self) -> None:
        self.rows: dict[str, Artifact] = {}
        self.told: list[str] = []
        self.batches: list[Changes] = []
        self.covered: Coverage | None = None
        self.threads: set[int] = set()
        self._moved = asyncio.Event()

    def listener(self) -> Listener:
        return Listener(
            changed=self._changed,
            scanned=lambda: self._note("scanned"),
            offline=lambda why: self._note(f"offline: {why}"),
            online=lambda: self._note("online"),
            coverage=self._coverage,
        )

    def _note(self, what: str) -> None:
        self.threads.add(threading.get_ident())
        self.told.append(what)
        self._moved.set()

    def _coverage(self, now: Coverage) -> None:
        self.covered = now
        self._note("coverage")

    def _changed(self, changes: Changes) -> None:
        self.batches.append(changes)
        for path, row in changes.rows.items():
            if row is None:
                self.rows.pop(path, None)
                self._note(f"-{path}")
            else:
                self.rows[path] = row
                self._note(f"{'~' if row.settling else '+'}{path}")

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not true():
                self._moved.clear()
                await self._moved.wait()

    def calm(self, path: str) -> bool:
        return path in self.rows and not self.rows[path].settling


@pytest.fixture
async def seen(store: Path) -> AsyncIterator[Seen]:
    """A store with one old artifact, watched from its first scan on."""
    (store / "old.pkl").write_bytes(MODEL)
    os.utime(store / "old.pkl", (1e9, 1e9))
    told = Seen()
    before = threading.active_count()
    one = Watcher(Catalog(store), told.listener(), asyncio.get_running_loop(), reconcile_s=3600)
    told.watcher = one  # type: ignore[attr-defined]
    one.start()
    await told.until(lambda: "scanned" in told.told)
    yield told
    await one.aclose()
    assert told.threads == {threading.get_ident()}
    await asyncio.to_thread(_wait_for_threads, before)


def _wait_for_threads(count: int) -> None:
    """watchdog's shared reader ends a moment after its last watch; what is left over is a leak."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and "otify" in type(thread).__name__:
            thread.join(PATIENCE)
    assert not [one for one in threading.enumerate() if one.name == "store-watcher"]


async def test_the_first_scan_is_told(seen: Seen) -> None:
    assert set(seen.rows) == {"old.pkl"}
    assert seen.calm("old.pkl")
    assert seen.covered == Coverage("events", 1, 1, "all 1 directories have change notices")


async def test_a_new_file_and_its_removal(seen: Seen, store: Path) -> None:
    (store / "new.pkl").write_bytes(MODEL)
    await seen.until(lambda: seen.calm("new.pkl"))
    assert seen.rows["new.pkl"].identity is not None
    (store / "new.pkl").unlink()
    await seen.until(lambda: "new.pkl" not in seen.rows)


async def test_a_rewritten_and_a_replaced_file(seen: Seen, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "_QUIET", 3600.0)
    first = seen.rows["old.pkl"].identity
    (store / "old.pkl").write_bytes(MODEL + b"1")
    await seen.until(lambda: seen.calm("old.pkl") and seen.rows["old.pkl"].identity != first)
    second = seen.rows["old.pkl"].identity
    (store / "tmp.part").write_bytes(MODEL + b"22")
    (store / "tmp.part").replace(store / "old.pkl")
    await seen.until(lambda: seen.calm("old.pkl") and seen.rows["old.pkl"].identity != second)
    assert seen.rows["old.pkl"].size == len(MODEL) + 2


async def test_a_file_moved_in_from_elsewhere(seen: Seen, store: Path, tmp_path: Path) -> None:
    (tmp_path / "staged").write_bytes(MODEL + b"333")
    os.utime(tmp_path / "staged", (1e9, 1e9))
    (tmp_path / "staged").replace(store / "old.pkl")
    await seen.until(lambda: seen.rows["old.pkl"].size == len(MODEL) + 3)
    assert seen.calm("old.pkl")


async def test_a_new_tree_and_its_going(seen: Seen, store: Path, tmp_path: Path) -> None:
    (store / "a" / "b").mkdir(parents=True)
    (store / "a" / "b" / "m.pkl").write_bytes(MODEL)
    await seen.until(lambda: seen.calm("a/b/m.pkl"))
    (store / "a" / "b" / "n.pkl").write_bytes(MODEL)
    await seen.until(lambda: seen.calm("a/b/n.pkl"))
    (store / "a").rename(store / "c")
    await seen.until(lambda: {"c/b/m.pkl", "c/b/n.pkl"} <= set(seen.rows) and "a/b/m.pkl" not in seen.rows)
    shutil.rmtree(store / "c")
    await seen.until(lambda: set(seen.rows) == {"old.pkl"})


async def test_a_slow_writer_is_settling_until_it_closes(
    seen: Seen, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "_QUIET", 3600.0)
    with open(store / "slow.pkl", "wb", buffering=0) as file:
        file.write(MODEL)
        await seen.until(lambda: "slow.pkl" in seen.rows and seen.rows["slow.pkl"].settling)
        file.write(b"more")
        await seen.until(lambda: seen.rows["slow.pkl"].size == len(MODEL) + 4)
        assert seen.rows["slow.pkl"].settling
        file.write(b"end")
    await seen.until(lambda: seen.calm("slow.pkl"))
    assert seen.rows["slow.pkl"].size == len(MODEL) + 7
    told = [one for one in seen.told if one.endswith("slow.pkl")]
    assert told[-1] == "+slow.pkl"
    assert "~slow.pkl" in told[:-1]


async def test_a_writer_that_never_closes_is_at_rest_in_the_end(seen: Seen, store: Path) -> None:
    with open(store / "open.pkl", "wb", buffering=0) as file:
        file.write(MODEL)
        await seen.until(lambda: "open.pkl" in seen.rows and seen.rows["open.pkl"].settling)
        await seen.until(lambda: seen.calm("open.pkl"))


async def test_a_write_through_a_map_is_found_by_the_comparison(seen: Seen, store: Path) -> None:
    before = seen.rows["old.pkl"].identity
    with open(store / "old.pkl", "r+b") as file, mmap.mmap(file.fileno(), 0) as view:
        view[5] = 1
        view.flush()
    (store / "fence.pkl").write_bytes(MODEL)
    await seen.until(lambda: seen.calm("fence.pkl"))
    assert seen.rows["old.pkl"].identity in (before, sealed_identity(store / "old.pkl"))
    seen.watcher.reconcile()  # type: ignore[attr-defined]
    await seen.until(lambda: seen.rows["old.pkl"].identity == sealed_identity(store / "old.pkl"))


def sealed_identity(path: Path) -> object:
    from console.files.opening import identity_of

    return identity_of(path.stat())


async def test_own_and_hidden_names_make_no_look(seen: Seen, store: Path) -> None:
    (store / ".model-console" / "history").mkdir(parents=True)
    (store / ".model-console" / "history" / "x.pkl").write_bytes(MODEL)
    (store / ".mc-1.tmp").write_bytes(MODEL)
    (store / "fence.pkl").write_bytes(MODEL)
    await seen.until(lambda: seen.calm("fence.pkl"))
    assert set(seen.rows) == {"old.pkl", "fence.pkl"}


async def test_a_hostile_name(seen: Seen, store: Path) -> None:
    name = os.fsdecode(b"\xff\n\x1b[2J.pkl")
    (store / name).write_bytes(MODEL)
    await seen.until(lambda: seen.calm(name))


@pytest.mark.slow
async def test_a_store_that_goes_and_comes_back(seen: Seen, store: Path) -> None:
    away = store.with_name("away")
    store.rename(away)
    await seen.until(lambda: seen.told[-1].startswith("offline"))
    assert str(store) in seen.told[-1]
    assert set(seen.rows) == {"old.pkl"}
    (away / "meanwhile.pkl").write_bytes(MODEL)
    away.rename(store)
    await seen.until(lambda: seen.calm("meanwhile.pkl"))
    assert "online" in seen.told
    assert set(seen.rows) == {"old.pkl", "meanwhile.pkl"}
    await seen.until(lambda: seen.told[-1] == "scanned" or "scanned" in seen.told[seen.told.index("online") :])
    (store / "after.pkl").write_bytes(MODEL)
    await seen.until(lambda: seen.calm("after.pkl"))


async def test_a_store_that_is_replaced_between_two_looks(seen: Seen, store: Path) -> None:
    other = store.with_name("other")
    other.mkdir()
    (other / "fresh.pkl").write_bytes(MODEL)
    store.rename(store.with_name("away"))
    other.rename(store)
    await seen.until(lambda: set(seen.rows) == {"fresh.pkl"})
    scans = seen.told.count("scanned")
    await seen.until(lambda: seen.told.count("scanned") > scans or seen.calm("fresh.pkl"))
    (store / "later.pkl").write_bytes(MODEL)
    await seen.until(lambda: seen.calm("later.pkl"))


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
async def test_a_store_that_is_unmounted(tmp_path: Path) -> None:
    point = tmp_path / "mounted"
    point.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "none", str(point)], check=False).returncode:
        pytest.skip("this place may not mount")
    (point / "m.pkl").write_bytes(MODEL)
    told = Seen()
    one = Watcher(Catalog(point), told.listener(), asyncio.get_running_loop(), reconcile_s=3600)
    one.start()
    try:
        await told.until(lambda: "scanned" in told.told)
    finally:
        subprocess.run(["umount", str(point)], check=True)
    try:
        await told.until(lambda: told.told[-1].startswith("offline"))
        assert "replaced by an empty directory" in told.told[-1]
        assert set(told.rows) == {"m.pkl"}
    finally:
        await one.aclose()


async def test_lost_notices_lead_to_a_comparison(seen: Seen) -> None:
    scans = seen.told.count("scanned")
    logging.getLogger("watchdog.observers.inotify_c").warning("Inotify queue overflowed")
    await seen.until(lambda: seen.told.count("scanned") > scans)


async def test_a_burst_of_events_is_told_in_the_end(seen: Seen, store: Path) -> None:
    for number in range(2000):
        (store / f"b{number}.pkl").write_bytes(MODEL)
    await seen.until(lambda: len(seen.rows) == 2001 and all(not row.settling for row in seen.rows.values()))
    assert len(seen.batches) < 200


async def test_an_observer_that_died_is_replaced(seen: Seen, store: Path) -> None:
    seen.watcher._noticing._notices._observer.stop()  # type: ignore[attr-defined]
    scans = seen.told.count("scanned")
    await seen.until(lambda: seen.told.count("scanned") > scans)
    (store / "after.pkl").write_bytes(MODEL)
    await seen.until(lambda: seen.calm("after.pkl"))


async def test_a_remote_file_system_is_polled(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_notifications, "file_system_of", lambda path: "nfs4")
    monkeypatch.setattr(watcher, "_POLL_EVERY", 0.1)
    (store / "old.pkl").write_bytes(MODEL)
    told = Seen()
    one = Watcher(Catalog(store), told.listener(), asyncio.get_running_loop(), reconcile_s=3600)
    one.start()
    try:
        await told.until(lambda: told.covered is not None)
        assert told.covered is not None
        assert told.covered.mode == "polling"
        assert "nfs4" in told.covered.text
        (store / "new.pkl").write_bytes(MODEL)
        await told.until(lambda: told.calm("new.pkl"))
        (store / "new.pkl").unlink()
        await told.until(lambda: "new.pkl" not in told.rows)
    finally:
        await one.aclose()


FEW = """
import asyncio, sys
from pathlib import Path
from console.catalog.catalog import Catalog
from console.catalog.watcher import Listener, Watcher

async def main():
    told = asyncio.Event()
    covered = []
    listener = Listener(changed=lambda changes: None, scanned=told.set, coverage=covered.append)
    one = Watcher(Catalog(Path(sys.argv[1])), listener, asyncio.get_running_loop())
    one.start()
    await asyncio.wait_for(told.wait(), 20)
    await one.aclose()
    print(covered[-1].mode, covered[-1].watched, covered[-1].directories, covered[-1].text)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("limit", "value", "words"),
    [
        ("max_inotify_watches", 0, ("polling 0 8", "no inotify watches are left")),
        ("max_inotify_instances", 0, ("polling 0 8", "no inotify instances are left")),
        ("max_inotify_watches", 5, ("partly 5 8", "5 of 8 directories have change notices")),
    ],
)
def test_too_few_watches_are_told(store: Path, limit: str, value: int, words: tuple[str, str]) -> None:
    for number in range(7):
        (store / str(number)).mkdir()
    shell = f'echo {value} > /proc/sys/user/{limit} || exit 77; exec "$@"'
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", shell, "sh", sys.executable, "-c", FEW, str(store)]
    project = Path(watcher.__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, cwd=project, check=False)
    if done.returncode and ("unshare" in done.stderr or done.returncode == 77):
        pytest.skip("user namespaces are not to be had here")
    assert done.returncode == 0, done.stderr
    for word in words:
        assert word in done.stdout


@pytest.mark.slow
async def test_an_idle_watcher_costs_next_to_nothing(seen: Seen) -> None:
    before, began = time.process_time(), time.monotonic()
    looks = asyncio.Event()
    asyncio.get_running_loop().call_later(2.0, looks.set)
    await looks.wait()
    assert (time.process_time() - before) / (time.monotonic() - began) < 0.02


def test_what_the_mount_table_says() -> None:
    table = "\n".join(
        [
            "1 0 8:1 / / rw - ext4 /dev/a rw",
            "2 1 0:5 / /srv rw shared:3 - nfs4 host:/x rw",
            r"3 2 0:6 / /srv/my\040models rw - fuse.sshfs host rw",
            "4 1 0:7 / /srvx rw - tmpfs none rw",
        ]
    )
    assert roots.file_system_of(Path("/etc"), table) == "ext4"
    assert roots.file_system_of(Path("/srv/a"), table) == "nfs4"
    assert roots.file_system_of(Path("/srv/my models/x"), table) == "fuse.sshfs"
    assert roots.file_system_of(Path("/srvx"), table) == "tmpfs"
    assert [roots.is_remote(kind) for kind in ("ext4", "nfs4", "fuse.sshfs", "tmpfs")] == [False, True, True, False]
