from __future__ import annotations

import os
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from console.catalog.index import Index, Remembered
from console.records import Artifact, FileIdentity, Verdict

IDENTITY = FileIdentity(64769, 2**64 - 3, 10, 1_700_000_000_000_000_001, 1_700_000_000_000_000_002)
ROW = Artifact(
    os.fsdecode(b"d/\xff\n.pkl"),
    10,
    1_700_000_000.5,
    identity=IDENTITY,
    format="joblib",
    compression="zlib",
    digest="sha256:00",
    model_class="odd\udcff.Class",
    steps=("a", "b"),
    summary="Llama 1.1B · Q4_K_M",
    verdict=Verdict.REVIEW,
    why="names x",
    accepted=True,
    recipe="d/m.recipe.toml",
)


@pytest.fixture
def index(store: Path, tmp_path: Path) -> Index:
    return Index(store, tmp_path / "cache" / "one")


def everything(index: Index, policy: str) -> Remembered:
    found = Remembered()
    for page in index.pages(policy):
        found.rows += page.rows
        found.marks |= page.marks
    return found


def test_rows_come_back_as_they_were(index: Index) -> None:
    other = Artifact("plain.pkl", 10, 1.0, identity=IDENTITY, problem="is empty")
    assert index.save([ROW, other, Artifact("no identity", 0, 0.0)], {"mark": IDENTITY}, policy="p")
    index.close()
    found = everything(index, "p")
    assert {row.path: row for row in found.rows} == {ROW.path: ROW, "plain.pkl": other}
    assert found.marks == {"mark": IDENTITY}


def test_a_verdict_of_another_policy_is_not_remembered(index: Index) -> None:
    index.save([ROW], policy="p")
    assert everything(index, "q").rows == [replace(ROW, verdict=None, why="", accepted=False)]


def test_paths_are_replaced_and_forgotten(index: Index) -> None:
    index.save([ROW], {"mark": IDENTITY}, policy="p")
    index.save([replace(ROW, model_class="new")], removed=["mark"], policy="p")
    found = everything(index, "p")
    assert [row.model_class for row in found.rows] == ["new"]
    assert found.marks == {}


@pytest.mark.parametrize("how", ["garbage", "schema", "truncated", "facts", "directory"])
def test_a_spoilt_index_is_dropped_and_made_again(index: Index, tmp_path: Path, how: str) -> None:
    index.save([ROW], policy="p")
    index.close()
    file = tmp_path / "cache" / "one" / "index.sqlite"
    if how == "garbage":
        file.write_bytes(b"this is no database" * 500)
    elif how == "truncated":
        file.write_bytes(file.read_bytes()[:4097])
    elif how == "directory":
        file.unlink()
        file.mkdir()
    else:
        base = sqlite3.connect(file)
        base.execute("PRAGMA user_version=99" if how == "schema" else "UPDATE files SET facts='[1]'")
        base.commit()
        base.close()
    assert everything(index, "p").rows == []
    if how != "directory":
        assert index.save([ROW], policy="p")
        assert everything(index, "p").rows == [ROW]


@pytest.mark.slow
def test_a_locked_index_is_done_without(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.catalog.index._BUSY_SECONDS", 0.01)
    index.save([ROW], policy="p")
    other = sqlite3.connect(tmp_path / "cache" / "one" / "index.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    index.close()
    assert not index.save([ROW], policy="p")
    other.execute("ROLLBACK")
    other.close()
    assert everything(index, "p").rows == [ROW]


def test_two_consoles_share_one_index(index: Index, store: Path, tmp_path: Path) -> None:
    other = Index(store, tmp_path / "cache" / "one")
    index.save([ROW], policy="p")
    other.save([replace(ROW, path="second.pkl")], policy="p")
    assert {row.path for row in everything(index, "p").rows} == {ROW.path, "second.pkl"}
    other.close()


def test_a_cache_that_cannot_be_written_is_done_without(store: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    index = Index(store, tmp_path / "file" / "below")
    assert everything(index, "p").rows == []
    assert not index.save([ROW])


def test_the_first_page_holds_what_a_sorted_screen_shows_first(index: Index) -> None:
    names = [f"{letter}{number:03}.pkl" for letter in ("b", "A", "c") for number in range(40)]
    index.save([replace(ROW, path=name) for name in names], {"A-mark": IDENTITY}, policy="p")
    pages = [*index.pages("p", first=30)]
    assert [row.path for row in pages[0].rows] == sorted(names, key=str.casefold)[:29]
    assert pages[0].marks == {"A-mark": IDENTITY}
    assert [row.path for page in pages for row in page.rows] == sorted(names, key=str.casefold)


def test_rows_share_what_they_have_alike(index: Index) -> None:
    index.save([replace(ROW, path=f"{number}.pkl") for number in range(3)], policy="p")
    first, second, third = everything(index, "p").rows
    assert first.model_class is second.model_class is third.model_class
    assert first.steps is second.steps
