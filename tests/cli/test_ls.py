"""`ls` of one place in a store looks at nothing else there."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import Run
from tests.safetensors_files import packed

ROOT = Path(__file__).parents[2]
LISTED = """
import sys
sys.addaudithook(lambda event, given: print(given[0], file=sys.stderr) if event == "os.scandir" else None)
from console.__main__ import main
sys.exit(main(["ls", "--json", sys.argv[1]]))
"""
"""`ls` that tells on stderr which directories it lists."""


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


def listed(path: Path) -> tuple[dict[str, str | None], set[str]]:
    """The rows with their verdicts, and the directories that were listed."""
    done = subprocess.run(
        [sys.executable, "-c", LISTED, str(path)], capture_output=True, text=True, cwd=ROOT, timeout=60, check=True
    )
    return {row["path"]: row["verdict"] for row in json.loads(done.stdout)}, set(done.stderr.splitlines())


def test_a_file_is_listed_alone_and_its_store_is_not_walked(run: Run, store: Path) -> None:
    rows, walked = listed(store / "sub/b.pkl")
    assert rows == {"sub/b.pkl": "safe"}
    assert not {one.rstrip("/") for one in walked} & {str(store), str(store / "sub"), str(store / "other")}
    assert [one["verdict"] for one in run("ls", "--json", str(store / "link.pkl")).json] == ["safe"]
    assert run("ls", str(store / "none.pkl")).code == 4


def test_what_a_file_is_in_a_few_words_is_told_in_lists_and_alone(run: Run, store: Path) -> None:
    (store / "weights.safetensors").write_bytes(packed({"a": ("F32", [2, 3]), "b": ("F32", [4])}))
    told = "10 F32"
    assert {row["path"]: row.get("summary") for row in run("ls", "--json", str(store)).json} == {
        **dict.fromkeys(("a.pkl", "link.pkl", "other/d.pkl", "sub/b.pkl", "sub/deep/c.pkl")),
        "weights.safetensors": told,
    }
    assert told in run("ls", str(store)).out
    assert run("inspect", "--json", str(store / "weights.safetensors")).json["summary"] == told
    assert f"summary     {told}" in run("inspect", str(store / "weights.safetensors")).out


@pytest.mark.slow
def test_a_directory_is_listed_as_it_is_in_its_store(store: Path) -> None:
    rows, walked = listed(store / "sub")
    assert rows == {"sub/b.pkl": "safe", "sub/deep/c.pkl": "safe"}
    assert str(store / "sub/deep") in walked
    assert str(store / "other") not in walked
    assert len(listed(store)[0]) == 5
