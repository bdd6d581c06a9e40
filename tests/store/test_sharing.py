"""A store that users share: what one makes there, the others can use, and nobody gets more than the store gives."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from console.doctor import fitness
from console.files import opening, snapshot
from console.files.state_dir import OwnFiles
from console.trust.audit import AUDIT_FILE, Audit
from console.versions import history, publish, recovery
from console.versions.journal import Journal
from console.versions.operations import Operation
from tests.store.unprivileged import as_user, needs_root, public

__all__ = ["public"]
pytestmark = needs_root

ANN, BOB, TEAM = 41001, 41002, 42001
ME = publish.Promotion("tester", "a test")


def replace_and_record(store: Path, data: str) -> Any:
    """The effects of an update on a store's files, as whoever this process is."""

    def work() -> Any:
        new = store / f"candidate-{os.geteuid()}-{data}"
        new.write_bytes(data.encode())
        live = f"sha256:{hashlib.sha256((store / 'm.pkl').read_bytes()).hexdigest()}"
        with opening.open_artifact(store, new.name) as opened, snapshot.seal(opened) as content:
            done = publish.publish(store, "m.pkl", content, ME, replaces=live)
        new.unlink()
        Audit(store, store.parent / f"mirror-{os.geteuid()}.json").append("promote", artifact="m.pkl")
        return done.version

    return work


def rolled_back(store: Path) -> Any:
    return lambda: publish.rollback(store, "m.pkl", None, ME).version


@pytest.fixture
def shared(public: Path, request: pytest.FixtureRequest) -> Path:
    """A directory of a group's, with an artifact of Ann's that the group may write."""
    os.chown(public, ANN, TEAM)
    os.chmod(public, request.param if hasattr(request, "param") else 0o2770)
    (public / "m.pkl").write_bytes(b"1")
    os.chown(public / "m.pkl", ANN, TEAM)
    os.chmod(public / "m.pkl", 0o660)
    return public


def check_modes(store: Path) -> None:
    """Nothing of ours is another group's, or may be used by whom the store may not."""
    root = store.stat()
    for path in [store / ".model-console", *(store / ".model-console").rglob("*")]:
        found = path.lstat()
        assert found.st_gid == root.st_gid, path
        assert found.st_uid in (ANN, BOB), path
        assert stat.S_IMODE(found.st_mode) & 0o777 & ~root.st_mode == 0, path
        if path.is_dir():
            assert found.st_mode & 0o2777 == root.st_mode & 0o2777, path


@pytest.mark.parametrize("umask", [0o077, 0o022, 0o000])
@pytest.mark.parametrize("shared", [0o2770, 0o2775, 0o770], indirect=True, ids=["setgid", "readable", "no setgid"])
def test_two_users_and_root_take_turns(shared: Path, umask: int) -> None:
    ann, bob = (ANN, (ANN, TEAM)), (BOB, (BOB, TEAM))
    assert as_user(*ann, replace_and_record(shared, "2"), umask) == 2
    check_modes(shared)
    assert as_user(*bob, rolled_back(shared), umask) == 1
    assert as_user(*bob, replace_and_record(shared, "3"), umask) == 3
    before = os.umask(umask)
    try:
        assert replace_and_record(shared, "4")() == 4
    finally:
        os.umask(before)
    check_modes(shared)
    assert as_user(*ann, rolled_back(shared), umask) == 3
    assert as_user(*bob, replace_and_record(shared, "5"), umask) == 5
    tried = as_user(*bob, lambda: [one.works for one in fitness.trials(shared, AUDIT_FILE)], umask)
    assert all(tried)
    assert Audit(shared, shared.parent / "none.json").verify().ok


@pytest.mark.parametrize("umask", [0o077, 0o022])
def test_root_alone_before_the_owner(shared: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        assert replace_and_record(shared, "2")() == 2
    finally:
        os.umask(before)
    check_modes(shared)
    assert as_user(ANN, (ANN, TEAM), replace_and_record(shared, "3"), umask) == 3
    assert as_user(BOB, (BOB, TEAM), rolled_back(shared), umask) == 2


def test_what_another_users_killed_update_left_is_settled(shared: Path) -> None:
    def begun() -> int:
        step = Operation(
            "op1", "m.pkl", ".mc-op1.tmp", "sha256:" + "b" * 64, "sha256:" + "a" * 64, 2, 1, 1.0, "", "", 3
        )
        with OwnFiles(shared, create=True) as own:
            Journal(own).append(step, "intent")
        os.close(os.open(shared / step.tmp, os.O_CREAT | os.O_WRONLY, 0o600))
        return 1

    assert as_user(ANN, (ANN, TEAM), begun) == 1
    assert as_user(BOB, (BOB, TEAM), lambda: [one.outcome for one in recovery.recover(shared)]) == ["conflict"]
    assert not list(shared.glob(".mc-*"))
    assert as_user(BOB, (BOB, TEAM), replace_and_record(shared, "2")) == 2


def test_a_new_artifact_of_roots_belongs_to_whom_its_directory_does(shared: Path) -> None:
    (shared.parent / "candidate").write_bytes(b"new")
    with opening.open_artifact(shared.parent, "candidate") as opened, snapshot.seal(opened) as content:
        publish.publish(shared, "new.pkl", content, ME, replaces=None)
    found = (shared / "new.pkl").stat()
    assert (found.st_uid, found.st_gid) == (ANN, TEAM)


def test_a_retained_version_is_no_more_readable_than_the_artifact_was(public: Path) -> None:
    (public / "m.pkl").write_bytes(b"1")
    os.chmod(public / "m.pkl", 0o600)
    os.link(public / "m.pkl", public.parent / "other-name")
    replace_and_record(public, "2")()
    (kept,) = (public / ".model-console" / "history").rglob("1-*")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o400


def test_a_killed_making_of_the_own_directory_locks_nobody_out_for_long(shared: Path) -> None:
    (shared / ".model-console").mkdir(mode=0o700)
    os.chown(shared / ".model-console", ANN, TEAM)
    assert as_user(ANN, (ANN, TEAM), replace_and_record(shared, "2")) == 2
    assert as_user(BOB, (BOB, TEAM), rolled_back(shared)) == 1


def test_doctor_tells_what_to_do_about_each_file_that_is_not_shared(shared: Path) -> None:
    assert as_user(ANN, (ANN, TEAM), replace_and_record(shared, "2")) == 2
    own = shared / ".model-console"
    for path, mode in ((own, 0o2750), (own / AUDIT_FILE, 0o640), (own / "journal.jsonl", 0o644), (own / "lock", 0o600)):
        os.chmod(path, mode)
    (key,) = (own / "history").iterdir()
    os.chmod(key, 0o2750)

    def look() -> dict[str, tuple[bool, str]]:
        return {one.name: (one.works, one.evidence) for one in fitness.trials(shared, AUDIT_FILE)}

    found = as_user(BOB, (BOB, TEAM), look)
    for name, path in (
        ("own directory", own),
        ("audit log", own / AUDIT_FILE),
        ("journal", own / "journal.jsonl"),
        ("lock", own / "lock"),
        ("history", key),
    ):
        works, evidence = found[name]
        assert not works
        assert f"ask user {ANN} or root for `chmod g+rw" in evidence, evidence
        assert str(path) in evidence
    assert found["earlier updates"] == [True, "none was left half done"]
    assert all(works for works, _ in as_user(ANN, (ANN, TEAM), look).values())


def test_what_a_stranger_may_not_do_is_said_without_a_trace(shared: Path) -> None:
    os.chmod(shared, 0o2775)
    os.chmod(shared / "m.pkl", 0o664)
    assert as_user(ANN, (ANN, TEAM), replace_and_record(shared, "2")) == 2
    found = as_user(43000, (43000,), lambda: [one.works for one in fitness.trials(shared, AUDIT_FILE)])
    assert not any(found[:4])
    assert [version[0] for version in as_user(43000, (43000,), lambda: _listed(shared))] == [2, 1]


def test_where_no_own_directory_can_be_made_nothing_in_it_can(public: Path) -> None:
    found = as_user(43000, (43000,), lambda: [(one.works, one.evidence) for one in fitness.trials(public, AUDIT_FILE)])
    assert not any(works for works, _ in found[:5])
    assert "has mode 0755: ask root for `chgrp" in found[0][1]


def _listed(store: Path) -> list[tuple[int, bool]]:
    return [(one.version, one.current) for one in history.versions(store, "m.pkl")]


def test_the_mirror_of_each_user_is_their_own(shared: Path) -> None:
    assert as_user(ANN, (ANN, TEAM), lambda: [Audit(shared, shared.parent / "no").append("a").seq]) == [1]
    assert json.loads((shared / ".model-console" / AUDIT_FILE).read_text())["who"]["uid"] == ANN
