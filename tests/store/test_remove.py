"""Sealing in place of the open file, killed or told no at each of its system calls: one of both is left, not both, and
nothing of the open one anywhere once that is settled."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from console.errors import ConflictError
from console.files import opening, snapshot
from console.files.state_dir import OwnFiles
from console.versions import recovery, remove
from console.versions.remove import remove_for
from tests.store.conftest import needs_strace
from tests.store.test_publish_crash import CALLS, MOST

PLAIN, SEALED = b"plain" * 1000, b"age-encryption.org/v1" * 100
PATH = "models/churn.pkl"


def make(root: Path) -> dict[str, str]:
    """A store with an open artifact, and the request that seals it."""
    (root / "models").mkdir(parents=True)
    (root / PATH).write_bytes(PLAIN)
    candidate = root.parent / f"{root.name}-sealed"
    candidate.write_bytes(SEALED)
    return {"root": str(root), "path": PATH, "action": "seal", "content": str(candidate)}


def holding(root: Path, data: bytes) -> set[str]:
    """The files of the store, its own ones included, that hold these bytes."""
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)) for path in files if data in path.read_bytes()}


def check_settled(root: Path) -> None:
    """The conditions that hold once it is settled."""
    if (root / f"{PATH}.age").exists():
        assert holding(root, PLAIN) == set()
        assert holding(root, SEALED) == {f"{PATH}.age"}
    else:
        assert holding(root, PLAIN) == {PATH}
        assert holding(root, SEALED) == set()
    assert not [path for path in root.rglob("*") if path.name.endswith(".tmp")]
    assert not list((root / ".model-console/removals").glob("*"))
    assert recovery.settle(root) == ((), [])


@needs_strace
@pytest.mark.parametrize("call", CALLS)
def test_killed_before_each_call(server: Any, tmp_path: Path, call: str) -> None:
    for number in range(1, MOST):
        root = tmp_path / f"{number}"
        ended = server.run(make(root), f"{call}:signal=KILL:when={number}")
        assert server.run({"root": str(root), "action": "settle"}).status == 0
        check_settled(root)
        if ended.status == 0:
            assert not (root / PATH).exists()
            break
        assert ended.status == -9
    else:
        pytest.fail(f"{call} was called over {MOST} times")


@needs_strace
@pytest.mark.parametrize("call", ["unlinkat", "renameat2", "openat", "fsync"])
def test_settling_that_is_killed_too(server: Any, tmp_path: Path, call: str) -> None:
    for number in range(1, MOST):
        root = tmp_path / f"{number}"
        server.run(make(root), "renameat2:signal=KILL:when=2")
        request = {"root": str(root), "action": "settle"}
        ended = server.run(request, f"{call}:signal=KILL:when={number}")
        assert server.run(request).status == 0
        check_settled(root)
        if ended.status == 0:
            break


@needs_strace
@pytest.mark.parametrize(("call", "error"), [("write", "ENOSPC"), ("fsync", "EIO"), ("renameat2", "EROFS")])
def test_told_no_at_each_call(server: Any, tmp_path: Path, call: str, error: str) -> None:
    for number in range(1, MOST):
        root = tmp_path / f"{number}"
        ended = server.run(make(root), f"{call}:error={error}:when={number}")
        assert ended.status in (0, 3), ended
        assert server.run({"root": str(root), "action": "settle"}).status == 0
        check_settled(root)
        if ended.status == 0:
            break


def begun(root: Path) -> remove.Removal:
    """A removal that was cut short before anything of it was done."""
    request = make(root)
    found: list[remove.Removal] = []

    class Cut(Exception):
        pass

    def write() -> None:
        with OwnFiles(root) as own:
            found.extend(remove._recorded(own))
        raise Cut

    with (
        opening.open_artifact(Path(request["content"]).parent, f"{root.name}-sealed") as other,
        opening.open_artifact(root, PATH) as opened,
        pytest.raises(Cut),
    ):
        remove_for(root, opened, root / f"{PATH}.age", snapshot.digest_of(other), write)
    return found[0]


def test_without_the_sealed_file_the_open_one_stays(tmp_path: Path) -> None:
    root = tmp_path / "s"
    removal = begun(root)
    os.rename(root / PATH, root / "models" / removal.aside)
    assert recovery.settle(root)[1] == [f"sealing {PATH} was interrupted; it is as it was before"]
    assert (root / PATH).read_bytes() == PLAIN


def test_what_another_put_there_since_stays(tmp_path: Path) -> None:
    root = tmp_path / "s"
    begun(root)
    (root / f"{PATH}.age").write_bytes(SEALED)
    (root / "models" / "new").write_bytes(b"theirs")
    os.replace(root / "models" / "new", root / PATH)
    assert recovery.settle(root)[1] == []
    assert (root / PATH).read_bytes() == b"theirs"
    check = list((root / ".model-console/removals").iterdir())
    assert check == []


def test_a_record_of_somebody_else_removes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "s"
    begun(root)
    (root / f"{PATH}.age").write_bytes(SEALED)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
    assert recovery.settle(root) == ((), [])
    assert (root / PATH).read_bytes() == PLAIN


def test_a_file_that_changes_while_it_is_sealed_stays(tmp_path: Path) -> None:
    root = tmp_path / "s"
    make(root)

    def write() -> None:
        (root / f"{PATH}.age").write_bytes(SEALED)
        (root / PATH).write_bytes(b"other")

    with opening.open_artifact(root, PATH) as opened, pytest.raises(ConflictError, match="changed meanwhile"):
        remove_for(root, opened, root / f"{PATH}.age", "sha256:" + "0" * 64, write)
    assert (root / PATH).read_bytes() == b"other"
    assert recovery.settle(root) == ((), [])
