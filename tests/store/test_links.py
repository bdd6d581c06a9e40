# ruff: noqa: ASYNC240 (what is watched are real files, changed right here)
"""Links: the store given by way of some that come to lead elsewhere, and those in a store."""

from __future__ import annotations

import asyncio
import os
import pickle
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from console.store import roots, watcher
from console.store.catalog import Catalog
from console.store.watcher import Watcher
from tests.store.test_watcher import Seen

MODEL = pickle.dumps({"a": list(range(20))}, 4)


def turn(link: Path, target: str) -> None:
    """Have a link lead elsewhere in one step, as Kubernetes and `ln -sfT` do it."""
    new = link.with_name(f"{link.name}_tmp")
    new.symlink_to(target)
    new.replace(link)


def put(path: Path, data: bytes = MODEL) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (1e9, 1e9))


class Moves(Seen):
    """What a watcher told, and where the store went."""

    def __init__(self) -> None:
        super().__init__()
        self.places: list[Path] = []

    def moved(self, root: Path) -> None:
        self.places.append(root)
        self._note("moved")


@pytest.fixture
async def moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Moves]:
    """A store given as `current`, which leads to `v1`; only a notice has the path resolved anew."""
    monkeypatch.setattr(watcher, "_ROOT_EVERY", 3600.0)
    put(tmp_path / "v1" / "both.pkl")
    put(tmp_path / "v1" / "old.pkl")
    put(tmp_path / "v2" / "both.pkl", MODEL + b"2")
    put(tmp_path / "v2" / "new.pkl")
    (tmp_path / "current").symlink_to("v1")
    told = Moves()
    given = tmp_path / "current"
    listener = replace(told.listener(), moved=told.moved)
    catalog = Catalog(Path(os.path.realpath(given)), given=given)
    one = Watcher(catalog, listener, asyncio.get_running_loop(), reconcile_s=3600)
    told.watcher = one  # type: ignore[attr-defined]
    one.start()
    await told.until(lambda: "coverage" in told.told and "scanned" in told.told)
    yield told
    await one.aclose()


async def test_the_store_follows_its_link(moves: Moves, tmp_path: Path) -> None:
    turn(tmp_path / "current", "v2")
    await moves.until(lambda: set(moves.rows) == {"both.pkl", "new.pkl"} and moves.told.count("scanned") > 1)
    assert moves.places == [tmp_path / "v2"]
    assert moves.rows["both.pkl"].size == len(MODEL) + 1
    assert moves.told.index("moved") < moves.told.index("+new.pkl")
    assert not [one for one in moves.told if one.startswith("offline")]
    put(tmp_path / "v2" / "later.pkl")
    await moves.until(lambda: "later.pkl" in moves.rows)


async def test_what_happens_in_the_place_it_left_is_no_news(moves: Moves, tmp_path: Path) -> None:
    turn(tmp_path / "current", "v2")
    await moves.until(lambda: set(moves.rows) == {"both.pkl", "new.pkl"} and moves.told.count("scanned") > 1)
    shutil.rmtree(tmp_path / "v1")
    put(tmp_path / "v2" / "later.pkl")
    await moves.until(lambda: "later.pkl" in moves.rows)
    assert not [one for one in moves.told if one.startswith("offline")]


async def test_a_link_that_leads_nowhere_is_told_until_it_leads_somewhere(
    moves: Moves, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "_ROOT_EVERY", 0.05)
    turn(tmp_path / "current", "nowhere")
    await moves.until(lambda: any("leads to no directory" in one for one in moves.told))
    assert set(moves.rows) == {"both.pkl", "old.pkl"}
    turn(tmp_path / "current", "v2/new.pkl")
    turn(tmp_path / "current", "v2")
    await moves.until(lambda: set(moves.rows) == {"both.pkl", "new.pkl"})
    assert moves.told.index("moved") < moves.told.index("online")


async def test_a_link_above_the_store_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "_ROOT_EVERY", 3600.0)
    put(tmp_path / "..one" / "models" / "a.pkl")
    put(tmp_path / "..two" / "models" / "b.pkl")
    (tmp_path / "..data").symlink_to("..one")
    (tmp_path / "models").symlink_to("..data/models")
    given, told = tmp_path / "models", Moves()
    catalog = Catalog(Path(os.path.realpath(given)), given=given)
    one = Watcher(catalog, replace(told.listener(), moved=told.moved), asyncio.get_running_loop(), reconcile_s=3600)
    one.start()
    await told.until(lambda: "coverage" in told.told and "scanned" in told.told)
    turn(tmp_path / "..data", "..two")
    shutil.rmtree(tmp_path / "..one")
    await told.until(lambda: set(told.rows) == {"b.pkl"})
    assert told.places == [tmp_path / "..two" / "models"]
    await one.aclose()


def test_the_links_on_the_way(tmp_path: Path) -> None:
    (tmp_path / "v1" / "models").mkdir(parents=True)
    (tmp_path / "data").symlink_to("v1")
    (tmp_path / "models").symlink_to(tmp_path / "data" / "models")
    assert roots.passed_links(tmp_path / "models") == (tmp_path / "models", tmp_path / "data")
    assert roots.passed_links(tmp_path / "v1" / "models") == ()
    (tmp_path / "loop").symlink_to("loop")
    assert set(roots.passed_links(tmp_path / "loop")) == {tmp_path / "loop"}


def test_the_store_is_kept_as_it_was_given(tmp_path: Path) -> None:
    (tmp_path / "v1" / "sub").mkdir(parents=True)
    (tmp_path / "current").symlink_to("v1")
    assert roots.place_of(tmp_path / "current") == roots.Place(tmp_path / "current", "")
    (tmp_path / "v1" / ".model-console").mkdir()
    assert roots.place_of(tmp_path / "current" / "sub") == roots.Place(tmp_path / "current", "sub")
