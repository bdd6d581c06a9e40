"""Which programs a recipe may name as its interpreter."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from console.errors import AccessDeniedError
from console.trust.interpreters import admitted

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs to give files away")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    found = tmp_path / "store"
    found.mkdir()
    return found


def program(path: Path, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return path


def refused(python: object, store: Path) -> str:
    with pytest.raises(AccessDeniedError) as caught:
        admitted(str(python), store)
    assert "environment.python" in (caught.value.hint or "")
    return caught.value.message


def test_an_interpreter_of_root_or_the_users_own_may_run(store: Path, tmp_path: Path) -> None:
    assert admitted(sys.executable, store) == sys.executable
    mine = program(tmp_path / "env" / "bin" / "python")
    assert admitted(str(mine), store) == str(mine)
    linked = tmp_path / "env" / "bin" / "python3"
    linked.symlink_to("python")
    assert admitted(str(linked), store) == str(linked)


def test_nothing_in_the_store_may_run(store: Path, tmp_path: Path) -> None:
    inside = program(store / "env" / "python")
    assert "through the store" in refused(inside, store)
    assert "through the store" in refused(tmp_path / "store" / ".." / "store" / "env" / "python", store)


def test_no_link_may_lead_into_the_store_or_through_it(store: Path, tmp_path: Path) -> None:
    inside = program(store / "env" / "python")
    (tmp_path / "file").symlink_to(inside)
    (tmp_path / "directory").symlink_to(inside.parent)
    (store / "out").symlink_to(os.path.dirname(sys.executable))
    through = tmp_path / "through"
    through.symlink_to(store / "out")
    alias = tmp_path / "alias"
    alias.symlink_to(store)
    name = os.path.basename(sys.executable)
    for python in (tmp_path / "file", tmp_path / "directory" / "python", through / name, alias / "env" / "python"):
        assert "through the store" in refused(python, store)
        assert "through the store" in refused(python, alias)


def test_the_users_policy_may_name_one_in_the_store(store: Path) -> None:
    inside = str(program(store / "env" / "python"))
    assert admitted(inside, store, (inside,)) == inside
    assert admitted(f"{store}/./env/python", store, (inside,))
    with pytest.raises(AccessDeniedError):
        admitted(inside, store, (inside + "3",))


def test_only_an_absolute_path_of_an_executable_file(store: Path, tmp_path: Path) -> None:
    assert "absolute" in refused("python3", store)
    assert "no such file" in refused(tmp_path / "missing", store)
    assert "no such file" in refused(f"{tmp_path}\0", store)
    assert "executable" in refused(tmp_path, store)
    if os.geteuid() != 0:
        assert "executable" in refused(program(tmp_path / "plain", 0o644), store)
    (tmp_path / "round").symlink_to("round")
    assert "no such file" in refused(tmp_path / "round", store)
    with pytest.raises(AccessDeniedError) as caught:
        admitted(str(tmp_path / "missing"), store)
    assert "policy" not in (caught.value.hint or ""), "no policy makes a file that is not there run"


def test_what_others_may_write_does_not_run(store: Path, tmp_path: Path) -> None:
    assert "others may write" in refused(program(tmp_path / "open" / "python", 0o757), store)
    open_to_all = program(tmp_path / "wide" / "python").parent
    open_to_all.chmod(0o777)
    assert "others may write" in refused(open_to_all / "python", store)
    open_to_all.chmod(0o1777)
    assert admitted(str(open_to_all / "python"), store)


@AS_ROOT
def test_what_somebody_else_owns_does_not_run(store: Path, tmp_path: Path) -> None:
    theirs = program(tmp_path / "theirs" / "python")
    os.chown(theirs, 12345, 12345)
    assert "belongs to user 12345" in refused(theirs, store)
    directory = program(tmp_path / "home" / "python").parent
    os.chown(directory, 12345, 12345)
    assert "belongs to user 12345" in refused(directory / "python", store)
    grouped = program(tmp_path / "grouped", 0o775)
    os.chown(grouped, 0, 12345)
    assert "others may write" in refused(grouped, store)
