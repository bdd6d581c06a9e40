"""Files that the operator asked for: new, whole, private; and one sentence where there can be none."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from console.errors import OperationError
from console.ui.saving import plain, write_new


def test_nothing_is_overwritten_and_nobody_else_may_read(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "exports"
    first = write_new(folder, "a", {".txt": "one", ".svg": "<svg/>"})
    (folder / "a-2.svg").write_text("of somebody else")
    third = write_new(folder, "a", {".txt": "two\udcff", ".svg": "<svg/>"})
    assert [path.name for path in (*first, *third)] == ["a.txt", "a.svg", "a-3.txt", "a-3.svg"]
    assert first[0].read_text() == "one"
    assert third[0].read_text() == r"two\xff"
    assert sorted(path.name for path in folder.iterdir()) == ["a-2.svg", "a-3.svg", "a-3.txt", "a.svg", "a.txt"]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (*first, *third)} == {0o600}


@contextmanager
def short_files(most: int) -> Iterator[None]:
    """As on a full disk: no file may be longer."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_cannot_be_written_whole_is_not_there(tmp_path: Path) -> None:
    with (
        short_files(10_000),
        pytest.raises(OperationError, match=f"cannot write into {tmp_path}: this process may write no file so large"),
    ):
        write_new(tmp_path, "a", {".txt": "short", ".csv": "x" * 20_000})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_is_named_with_the_next_step(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OperationError, match=r"cannot write into .*file/exports: not a directory") as told:
        write_new(tmp_path / "file" / "exports", "a", {".txt": ""})
    assert told.value.hint == "set XDG_STATE_HOME to a directory that you may write"


def test_a_hostile_path_is_a_plain_name() -> None:
    assert plain("../../etc/\x1b[31m pass wd") == "..-..-etc-31m-pass-wd"
    assert len(plain("x" * 300)) == 60
