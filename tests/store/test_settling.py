"""Remains of a promotion or rollback after a crash, as every command that reads or changes history then tells it."""

from __future__ import annotations

import hashlib
import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from console.errors import InputError
from console.versions import history, publish, recovery
from tests.cli.conftest import run
from tests.cli.running import Run
from tests.store.unprivileged import as_user, needs_root, public

__all__ = ["public", "run"]

ME = publish.Promotion("ann", "better", keep=99)
OLD, NEW, NEXT = (pickle.dumps([word] * 100) for word in ("old", "new", "next"))
AFTER_EXCHANGE = ("fsync:signal=KILL:when=8", "linkat:signal=KILL:when=1")


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def cut_off(server: Any, root: Path, data: bytes, *, action: str = "publish", number: str = "") -> None:
    """Have a replacement killed right behind its exchange."""
    candidate = root.parent / "candidate"
    candidate.write_bytes(data)
    live = (root / "m.pkl").read_bytes()
    request = {"root": str(root), "path": "m.pkl", "action": action, "content": number or str(candidate)}
    assert server.run({**request, "replaces": digest(live)}, "linkat:signal=KILL:when=1").status == -9
    assert (root / "m.pkl").read_bytes() == data
    assert len(list(root.glob(".mc-*.tmp"))) == 1


@pytest.fixture
def cut(server: Any, store: Path) -> Path:
    """A store whose first promotion was killed behind its exchange."""
    (store / "m.pkl").write_bytes(OLD)
    cut_off(server, store, NEW)
    return store


def test_history_settles_first(cut: Path, run: Run) -> None:
    done = run("history", str(cut / "m.pkl"), "--json")
    assert [(one["version"], one["digest"], one["current"]) for one in done.json] == [
        (2, digest(NEW), True),
        (1, digest(OLD), False),
    ]
    assert [one["who"] for one in done.json] == ["tester", Path(cut / "m.pkl").owner()]
    assert [one["why"] for one in done.json] == ["a test", "as found"]
    assert "an update of m.pkl was finished after an interruption" in done.err
    assert not list(cut.glob(".mc-*"))


def test_rollback_settles_first(cut: Path) -> None:
    assert publish.rollback(cut, "m.pkl", None, ME).version == 1
    assert (cut / "m.pkl").read_bytes() == OLD
    assert not list(cut.glob(".mc-*"))


def test_rollback_to_a_number_settles_first(cut: Path) -> None:
    assert publish.rollback(cut, "m.pkl", 1, ME).digest == digest(OLD)
    with pytest.raises(InputError, match="in place already"):
        publish.rollback(cut, "m.pkl", 1, ME)


def test_reading_without_writing_counts_it_as_it_will_be_settled(cut: Path) -> None:
    before = sorted(one.name for one in cut.rglob("*"))
    assert [(one.version, one.who, one.current) for one in history.versions(cut, "m.pkl")] == [
        (2, "tester", True),
        (1, (cut / "m.pkl").owner(), False),
    ]
    with history.open_version(cut, "m.pkl", 1) as old:
        assert os.pread(old.fd, 9999, 0) == OLD
    assert recovery.unsettled(cut) == ("m.pkl",)
    assert sorted(one.name for one in cut.rglob("*")) == before


@needs_root
def test_who_may_not_write_reads_it_as_it_will_be_and_is_told(server: Any, public: Path, run: Run) -> None:
    (public / "m.pkl").write_bytes(OLD)
    assert run("history", str(public / "m.pkl")).code == 0  # so that all modules are there for the other user
    cut_off(server, public, NEW)

    def look() -> Any:
        for name in ("CONFIG", "CACHE", "STATE"):
            os.environ[f"XDG_{name}_HOME"] = "/nonexistent"
        done = run("history", str(public / "m.pkl"), "--json")
        assert done.code == 0, done
        return [[(one["version"], one["current"]) for one in done.json], done.err]

    found, said = as_user(4242, (), look)
    assert found == [[2, True], [1, False]]
    assert "interrupted or is at work" in said
    assert f"may not write in {public}" in said
    assert len(list(public.glob(".mc-*"))) == 1


def test_a_rollback_that_was_cut_off_is_settled_first(server: Any, store: Path) -> None:
    (store / "m.pkl").write_bytes(OLD)
    cut_off(server, store, NEW)
    recovery.recover(store)
    cut_off(server, store, OLD, action="rollback", number="1")
    found = history.versions(store, "m.pkl")
    assert [(one.version, one.who, one.why, one.current) for one in found] == [
        (2, "tester", "a test", False),
        (1, "tester", "a test", True),
    ]
    assert publish.rollback(store, "m.pkl", 2, ME).digest == digest(NEW)


def test_a_version_of_the_consoles_own_is_not_called_foreign(server: Any, store: Path) -> None:
    (store / "m.pkl").write_bytes(OLD)
    for data in (NEW, NEXT, OLD):
        cut_off(server, store, data)
        assert history.versions(store, "m.pkl")[0].why == "a test"
        recovery.recover(store)
    found = history.versions(store, "m.pkl")
    assert {one.why for one in found} == {"a test"}
    assert [(one.version, one.current) for one in found] == [(3, False), (2, False), (1, True)]


def test_without_a_journal_the_retained_versions_are_still_there(store: Path, server: Any) -> None:
    (store / "m.pkl").write_bytes(OLD)
    cut_off(server, store, NEW)
    recovery.recover(store)
    (store / ".model-console" / "journal.jsonl").unlink()
    found = history.versions(store, "m.pkl")
    assert [(one.version, one.digest, one.current) for one in found] == [
        (2, digest(NEW), True),
        (1, digest(OLD), False),
    ]
    assert found[1].why == "its record was lost"
    assert publish.rollback(store, "m.pkl", None, ME).version == 1
    assert (store / "m.pkl").read_bytes() == OLD


@pytest.mark.parametrize("seconds", [-3600, -(10**10), 2**40, 0], ids=["1969", "long ago", "far ahead", "epoch"])
def test_an_artifact_of_any_date_is_replaced(store: Path, run: Run, server: Any, seconds: int) -> None:
    (store / "m.pkl").write_bytes(OLD)
    try:
        os.utime(store / "m.pkl", (seconds, seconds))
    except OSError:
        pytest.skip("this file system has no such dates")
    candidate = store.parent / "candidate"
    for data, replaced in ((NEW, OLD), (NEXT, NEW)):
        candidate.write_bytes(data)
        request = {"root": str(store), "path": "m.pkl", "action": "publish", "content": str(candidate)}
        assert server.run({**request, "replaces": digest(replaced)}).status == 0
    assert [one.version for one in history.versions(store, "m.pkl")] == [3, 2, 1]
    assert recovery.damaged(store) == ()
    assert run("history", str(store / "m.pkl")).code == 0
