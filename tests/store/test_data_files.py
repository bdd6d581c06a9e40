"""Data files of a store: nearest first, bounded, whatever they are called; and paths completed as a shell does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from console.files.data_files import NearestFirst, completed, completions, identity_at, moved_to, typed_path
from console.files.filename_rules import is_named_as_data


def put(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("a,b\n1,2\n")


def found(root: Path, artifact: str, **bounds: int) -> list[str]:
    return [path for batch in NearestFirst(root, artifact, **bounds).batches() for path in batch]


def test_beside_the_artifact_then_above_then_the_rest(tmp_path: Path) -> None:
    put(tmp_path, "top.csv", "a/up.tsv", "a/b/near.csv.gz", "a/b/data/below.npz", "a/c/x.jsonl", "z/y/far.parquet")
    order = ["a/b/near.csv.gz", "a/up.tsv", "top.csv", "a/b/data/below.npz", "a/c/x.jsonl", "z/y/far.parquet"]
    assert found(tmp_path, "a/b/model.joblib") == order


def test_what_is_no_table_is_not_listed_and_no_link_is_walked(tmp_path: Path) -> None:
    put(tmp_path, "rows.csv", "notes.txt", "m.joblib", ".hidden.csv", ".git/x.csv", "model.npz")
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "dangling.csv").symlink_to("nowhere")
    (tmp_path / "linked.csv").symlink_to("rows.csv")
    (tmp_path / "around").symlink_to(tmp_path)
    assert found(tmp_path, "model.npz") == ["linked.csv", "rows.csv"]


@pytest.mark.parametrize("name", ["new\nline.csv", "esc\x1b[31m.csv", "bad\udcff.csv", "[red]x[].csv", "a b.csv"])
def test_hostile_names_are_found_as_they_are(tmp_path: Path, name: str) -> None:
    put(tmp_path, name)
    assert found(tmp_path, "m.joblib") == [name]


def test_a_walk_has_bounds_and_says_that_there_may_be_more(tmp_path: Path) -> None:
    put(tmp_path, *(f"d/{number}.csv" for number in range(8)))
    few, short, whole = (
        NearestFirst(tmp_path, "m", found=3),
        NearestFirst(tmp_path, "m", seen=4),
        NearestFirst(tmp_path, "m"),
    )
    assert sum(map(len, few.batches())) == 3
    assert sum(map(len, short.batches())) < 8
    assert sum(map(len, whole.batches())) == 8
    assert (few.bounded, short.bounded, whole.bounded) == (True, True, False)


def test_a_walk_stops_when_nobody_wants_more(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", "d/b.csv", "d/e/c.csv")
    walk = NearestFirst(tmp_path, "m").batches(lambda: True)
    assert list(walk) == [["a.csv"]]


def test_paths_complete_as_they_were_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "data/rows-1.csv", "data/rows-2.csv", "data/notes.txt", "my dir/a b.csv", ".secret/x.csv")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert completed(tmp_path, "da") == "data/"
    assert completed(tmp_path, "data/r") == "data/rows-"
    assert completed(tmp_path, "my") == "my dir/"
    assert completed(tmp_path, "my dir/") == "my dir/a b.csv"
    assert completed(tmp_path, f"{tmp_path}/data/") == f"{tmp_path}/data/rows-"
    assert completed(tmp_path, "data/n") == "data/notes.txt"
    assert completed(tmp_path, "~") == "~/"
    assert completed(tmp_path, "~/d") == "~/data/"
    assert completed(tmp_path, "no/such") == "no/such"
    assert completed(tmp_path, "a\0b") == "a\0b"
    assert completions(tmp_path, "") == ["data/", "my dir/"]
    assert typed_path(tmp_path, "~/data/../data/rows-1.csv") == f"{tmp_path}/data/rows-1.csv"
    assert typed_path(tmp_path, "data/rows-1.csv") == f"{tmp_path}/data/rows-1.csv"


def test_a_renamed_file_is_found_again_and_another_one_is_not(tmp_path: Path) -> None:
    put(tmp_path, "old.csv", "other.csv")
    before = identity_at(str(tmp_path / "old.csv"))
    assert before is not None
    (tmp_path / "old.csv").rename(tmp_path / "new.csv")
    assert moved_to(before, str(tmp_path / "old.csv")) == str(tmp_path / "new.csv")
    (tmp_path / "new.csv").write_text("another content\n")
    assert moved_to(before, str(tmp_path / "old.csv")) is None


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("x.CSV", True),
        ("x.csv.gz", True),
        ("x.tsv.xz", True),
        ("x.jsonl", True),
        ("x.joblib.gz", False),
        (".csv", False),
    ],
)
def test_a_table_is_told_by_its_name(name: str, is_one: bool) -> None:
    assert is_named_as_data(name) is is_one
