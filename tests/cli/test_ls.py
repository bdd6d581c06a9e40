"""`ls` of one place in a store looks at nothing else there."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from tests.cli.running import Run

STORE = ".model-console"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with a recipe at its root that calls a file of a directory data."""
    root = tmp_path / "store"
    for name in ("a.pkl", "sub/b.pkl", "sub/deep/c.pkl", "sub/rows.pkl", "other/d.pkl"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(pickle.dumps([1.0] * 9))
    (root / ".model-console").mkdir()
    (root / "a.recipe.toml").write_text('[data]\ntrain = "sub/rows.pkl"\n')
    (root / "link.pkl").symlink_to("a.pkl")
    return root


def listed(run: Run, path: Path) -> dict[str, str | None]:
    done = run("ls", "--json", str(path))
    assert done.code == 0, done.err
    return {row["path"]: row["verdict"] for row in done.json}


def test_a_file_is_listed_alone_and_its_store_is_not_walked(
    run: Run, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walked = []
    scandir = os.scandir
    monkeypatch.setattr("os.scandir", lambda path: walked.append(os.fspath(path)) or scandir(path))
    assert listed(run, store / "sub/b.pkl") == {"sub/b.pkl": "safe"}
    assert listed(run, store / "link.pkl") == {"link.pkl": None}
    assert not [path for path in walked if path.startswith(f"{store}/") and STORE not in path]
    assert run("ls", str(store / "none.pkl")).code == 4


def test_a_directory_is_listed_as_it_is_in_its_store(run: Run, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walked = []
    scandir = os.scandir
    monkeypatch.setattr("os.scandir", lambda path: walked.append(os.fspath(path)) or scandir(path))
    assert listed(run, store / "sub") == {"sub/b.pkl": "safe", "sub/deep/c.pkl": "safe"}
    assert f"{store}/other" not in walked
    monkeypatch.undo()
    assert listed(run, store) == {
        "a.pkl": "safe", "link.pkl": None, "other/d.pkl": "safe", "sub/b.pkl": "safe", "sub/deep/c.pkl": "safe",
    }  # fmt: skip
