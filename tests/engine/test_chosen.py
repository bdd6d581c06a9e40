"""A choice of data outlives the process, follows a renamed model, and is nobody's but its store's."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from console.access.recipes import Recipes
from console.config import state_dir
from console.errors import OperationError
from console.recipes.chosen import Chosen


@pytest.fixture
def store(tmp_path: Path) -> Path:
    root = tmp_path / "store"
    root.mkdir()
    for name in ("m.joblib", "other.joblib", "rows.csv", "bad\udcff\n.csv"):
        (root / name).write_text(name.encode("utf-8", "replace").decode())
    return root


def kept(root: Path, path: str, data: Path, target: str | tuple[str, ...] | None) -> Chosen:
    chosen = Chosen(root)
    asyncio.run(chosen.keep(path, str(data), target))
    return chosen


@pytest.mark.parametrize("target", [None, "y", ("a", "b")])
@pytest.mark.parametrize("name", ["rows.csv", "bad\udcff\n.csv", "/elsewhere/rows.csv"])
def test_a_choice_is_there_in_the_next_session(store: Path, name: str, target: str | tuple[str, ...] | None) -> None:
    kept(store, "m.joblib", store / name, target)
    later = Chosen(store)
    assert later.of("m.joblib") is None
    later.load()
    found = later.of("m.joblib")
    assert found is not None
    assert (found.data, found.target) == (str(store / name), target)
    assert later.of("other.joblib") is None


def test_sessions_side_by_side_lose_nothing_of_each_other(store: Path) -> None:
    first, second = Chosen(store), Chosen(store)
    asyncio.run(first.keep("m.joblib", str(store / "rows.csv"), "y"))
    asyncio.run(second.keep("other.joblib", str(store / "rows.csv"), None))
    assert first.follow("other.joblib") is not None
    assert second.of("m.joblib") is not None


def test_a_renamed_model_takes_its_choice_along_and_a_copy_does_not(store: Path) -> None:
    chosen = kept(store, "m.joblib", store / "rows.csv", "y")
    (store / "copy.joblib").write_bytes((store / "m.joblib").read_bytes())
    assert chosen.follow("copy.joblib") is None
    os.link(store / "m.joblib", store / "linked.joblib")
    assert chosen.follow("linked.joblib") is None
    (store / "m.joblib").rename(store / "renamed.joblib")
    found = chosen.follow("renamed.joblib")
    assert found is not None
    assert found.target == "y"


@pytest.mark.parametrize(
    "written",
    ["", "{", "[]", '{"chosen": []}', '{"chosen": {"m.joblib": 1}}', "[" * 100_000, '{"chosen": {"m": {"data": ""}}}'],
)
def test_a_damaged_memory_counts_for_nothing_and_is_written_anew(store: Path, written: str) -> None:
    kept(store, "m.joblib", store / "rows.csv", "y")
    (file,) = (state_dir() / "data").glob("*.json")
    file.write_text(written)
    chosen = Chosen(store)
    assert chosen.follow("m.joblib") is None
    asyncio.run(chosen.keep("m.joblib", str(store / "rows.csv"), "y"))
    assert json.loads(file.read_text())["chosen"]["m.joblib"]["data"] == "rows.csv"
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_written_down_is_remembered_until_one_leaves(store: Path) -> None:
    state_dir().parent.mkdir(parents=True)
    state_dir().write_text("a file where the directory should be")
    chosen = Chosen(store)
    with pytest.raises(OperationError, match="until you leave"):
        asyncio.run(chosen.keep("m.joblib", str(store / "rows.csv"), "y"))
    assert chosen.follow("m.joblib") is not None


def test_a_recipe_goes_before_what_was_chosen(store: Path) -> None:
    chosen = kept(store, "m.joblib", store / "rows.csv", "y")
    recipes = Recipes(store, chosen=chosen)
    assert recipes.of("m.joblib").data.train == str(store / "rows.csv")
    (store / "m.recipe.toml").write_text('[gate]\nmetric = "accuracy"\n')
    assert recipes.of("m.joblib").data.target == "y"
    (store / "m.recipe.toml").write_text('[data]\nholdout = "own.csv"\n')
    read = recipes.of("m.joblib").data
    assert (read.train, read.holdout, read.target) == (None, str(store / "own.csv"), None)
