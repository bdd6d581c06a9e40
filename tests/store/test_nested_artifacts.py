"""Artifacts that are directories with directories in them: members beneath belong to one row and have none."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from pathlib import Path

import pytest

from backends.core import directories as core
from backends.core.format import Format
from console.catalog.catalog import Catalog
from console.catalog.listing import row_of
from console.catalog.sweep import Tally, scan_beneath
from console.errors import ConflictError, InputError
from console.files.directories import digest_of_directory, open_directory

MEMBERS = ("deep/deeper/c.pkl", "deep/b.pkl", "top.card")


def _members(names: Collection[str]) -> tuple[str, ...]:
    return tuple(sorted(name for name in names if name.endswith((".card", ".pkl")))) if "top.card" in names else ()


def _folders(names: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name.endswith(("deep", "deeper"))) if "top.card" in names else ()


NESTED = Format("nested", ".card", "nowhere", "a nested artifact", members=_members, folders=_folders)


@pytest.fixture
def nested(store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An artifact with members in three directories, beside a pickle in a directory that it does not ask about."""
    monkeypatch.setattr(core, "built_in", lambda: (NESTED,))
    for name in (*MEMBERS, "other/d.pkl"):
        path = store / "one" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\x80\x04]\x94.")
    return store / "one"


def rows(store: Path) -> set[str]:
    catalog = Catalog(store)
    catalog.scan_all()
    return set(catalog.rows())


def test_it_is_one_row_whatever_looks_at_it(store: Path, nested: Path) -> None:
    assert rows(store) == {"one", "one/other/d.pkl"}
    assert {row.path for batch in scan_beneath(store, "", Tally()) for row in batch} == {"one", "one/other/d.pkl"}
    assert row_of(store, "one").members == 3
    assert core.is_artifact(nested)
    with open_directory(store, "one") as opened:
        assert set(opened.members) == set(MEMBERS)


def test_a_change_beneath_is_a_change_of_it(store: Path, nested: Path) -> None:
    catalog = Catalog(store)
    catalog.scan_all()
    (nested / "deep" / "deeper" / "c.pkl").write_bytes(b"\x80\x04]\x94]\x94.")
    changes = catalog.rescan(["one/deep/deeper"])
    assert [row.path for row in changes.changed] == ["one"]
    (nested / "deep" / "e.pkl").write_bytes(b"\x80\x04]\x94.")
    assert [row.members for row in catalog.rescan(["one/deep"]).changed] == [4]
    assert set(catalog.rows()) == {"one", "one/other/d.pkl"}


def test_members_are_files_like_any_other_once_it_is_none(store: Path, nested: Path) -> None:
    catalog = Catalog(store)
    catalog.scan_all()
    (nested / "top.card").unlink()
    catalog.rescan(["one"])
    assert set(catalog.rows()) == {"one/deep/deeper/c.pkl", "one/deep/b.pkl", "one/other/d.pkl"}
    (nested / "top.card").write_bytes(b"x")
    catalog.rescan(["one"])
    assert set(catalog.rows()) == {"one", "one/other/d.pkl"}


@pytest.mark.parametrize(
    "change",
    [
        lambda nested: (nested / "deep" / "b.pkl").write_bytes(b"\x80\x04}\x94."),
        lambda nested: (nested / "deep" / "deeper" / "c.pkl").rename(nested / "deep" / "deeper" / "f.pkl"),
    ],
)
def test_a_member_beneath_that_changes_meanwhile_has_no_digest(
    change: Callable[[Path], None], store: Path, nested: Path
) -> None:
    with open_directory(store, "one") as opened:
        assert digest_of_directory(opened).startswith("sha256:")
        change(nested)
        with pytest.raises(ConflictError, match="while it was being read"):
            digest_of_directory(opened)


def test_a_directory_that_is_a_link_is_not_looked_into(store: Path, nested: Path) -> None:
    (nested / "deep" / "deeper").rename(store / "elsewhere")
    (nested / "deep" / "deeper").symlink_to("../../elsewhere")
    assert row_of(store, "one").members == 2
    assert rows(store) == {"one", "one/other/d.pkl", "elsewhere/c.pkl"}


def test_a_member_beneath_that_is_a_link_is_named_and_not_opened(store: Path, nested: Path) -> None:
    (nested / "deep" / "b.pkl").unlink()
    (nested / "deep" / "b.pkl").symlink_to("/etc/passwd")
    assert "holds deep/b.pkl, which is a symbolic link" in str(row_of(store, "one").problem)
    with pytest.raises(InputError, match=r"deep/b\.pkl is "):
        open_directory(store, "one")


def test_directories_in_directories_have_an_end(tmp_path: Path) -> None:
    """However deep they are, and however many."""
    every = Format("all", ".x", "nowhere", "all", members=tuple, folders=tuple)
    os.makedirs(tmp_path / "deep" / "/".join("d" * 30))
    names = core._entries(every, ["d"], core.beneath(tmp_path / "deep"))
    assert max(name.count("/") for name in names) == core.DEEPEST
    many = [f"e{number}" for number in range(core.MOST_FOLDERS + 5)]
    assert len(core._entries(every, many, lambda folder: ["x"])) == len(many) + core.MOST_FOLDERS
