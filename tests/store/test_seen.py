"""Two records a path, kept over sessions; whatever is wrong with the file, nothing is raised."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from console.inspection import previous_content
from console.inspection.previous_content import Contents, SeenContents


def test_what_was_put_is_there_in_the_next_session(tmp_path: Path) -> None:
    first = SeenContents(tmp_path, tmp_path / "cache")
    assert first.get("a.pkl") is None
    assert first.put([("a.pkl", Contents("one")), ("odd\udcff\n.pkl", Contents("now", "before"))])
    first.close()
    second = SeenContents(tmp_path, tmp_path / "cache")
    assert second.get("a.pkl") == Contents("one")
    assert second.get("odd\udcff\n.pkl") == Contents("now", "before")
    assert second.put([("a.pkl", Contents("two", "one"))])
    assert second.get("a.pkl") == Contents("two", "one")
    second.close()


def test_asking_writes_nothing(tmp_path: Path) -> None:
    SeenContents(tmp_path, tmp_path / "cache").get("a.pkl")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("junk", [b"not a database at all" * 100, b""])
def test_a_broken_file_is_dropped(tmp_path: Path, junk: bytes) -> None:
    (tmp_path / "seen.sqlite").write_bytes(junk)
    known = SeenContents(tmp_path, tmp_path)
    assert known.get("a.pkl") is None
    assert known.put([("a.pkl", Contents("one"))])
    assert known.get("a.pkl") == Contents("one")
    known.close()


def test_a_broken_record_is_unknown(tmp_path: Path) -> None:
    known = SeenContents(tmp_path, tmp_path)
    known.put([("a.pkl", Contents("one"))])
    known.close()
    with sqlite3.connect(tmp_path / "seen.sqlite") as base:
        base.execute("UPDATE seen SET current = ?", (b"rubbish",))
    base.close()
    assert known.get("a.pkl") is None
    assert known.put([("a.pkl", Contents("one"))])
    known.close()


def test_a_directory_nobody_may_write_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    known = SeenContents(tmp_path, tmp_path / "file" / "cache")
    assert not known.put([("a.pkl", Contents("one"))])
    assert known.get("a.pkl") is None


def test_it_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previous_content, "PATHS_CAP", 2)
    known = SeenContents(tmp_path, tmp_path)
    known.put([("long", Contents("x" * (previous_content.RECORD_CAP + 1)))])
    assert known.get("long") is None
    known.put([(str(number), Contents("one")) for number in range(5)])
    assert sum(known.get(str(number)) is not None for number in range(5)) == 2
    known.close()
