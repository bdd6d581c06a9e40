# ruff: noqa: ASYNC240 (what is watched are real files, changed right here)
"""Links: the store given by way of some that come to lead elsewhere, and those in a store."""

from __future__ import annotations

import asyncio
import itertools
import os
import pickle
import shutil
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from console.catalog import watcher
from console.catalog.catalog import Catalog
from console.catalog.listing import row_of
from console.catalog.sweep import Tally, scan_beneath
from console.catalog.watcher import Watcher
from console.errors import InputError
from console.files import opening, roots, syscalls
from console.records import FileIdentity
from tests.store.test_watcher import PATIENCE, Seen

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
    """The reports of a watcher, and where the store went."""

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


@pytest.fixture
def farm(tmp_path: Path) -> Path:
    """A store with one link of each kind beside a model, and a model outside of it."""
    root = tmp_path / "farm"
    put(root / "m.pkl")
    put(root / "sub" / "n.pkl", MODEL + b"n")
    put(root / "text.csv", b"a,b\n")
    put(tmp_path / "outside.pkl")
    os.mkfifo(root / "pipe")
    for name, target in {
        "latest": "sub/n.pkl",
        "sub/up.pkl": "../m.pkl",
        "by.pkl": "latest",
        "out.pkl": "../outside.pkl",
        "out": "../outside.pkl",
        "abs.pkl": str(root / "m.pkl"),
        "dangling.pkl": "nothing",
        "loop.pkl": "loop.pkl",
        "dir.pkl": "sub",
        "dir": "sub",
        "pipe.pkl": "pipe",
        "note": "text.csv",
    }.items():
        (root / name).symlink_to(target)
    return root


REFUSED = {
    "out.pkl": "is a link to ../outside.pkl, which leads out of the store and is not followed: name that file",
    "out": "is a link to ../outside.pkl, which leads out of the store and is not followed: name that file",
    "dangling.pkl": "is a link to nothing, where nothing is: bring that file, or remove it",
    "loop.pkl": "is a link to loop.pkl, which leads in a circle",
    "dir.pkl": "is a link to sub, which is a directory, not a regular file",
    "pipe.pkl": "is a link to pipe, which is a FIFO, not a regular file",
}
FOLLOWED = {"latest": "sub/n.pkl", "by.pkl": "sub/n.pkl", "sub/up.pkl": "m.pkl"}


def test_lists_scans_and_single_looks_agree_on_links(farm: Path) -> None:
    refused = {
        **REFUSED,
        "abs.pkl": f"is a link to {farm / 'm.pkl'}, an absolute path, which is not followed: name that file",
    }
    catalog, tally = Catalog(farm), Tally()
    catalog.scan_all()
    scanned = {row.path: row for batch in scan_beneath(farm, "", tally) for row in batch}
    for rows in (catalog.rows(), scanned):
        assert set(rows) == {"m.pkl", "sub/n.pkl", *refused, *FOLLOWED}
        assert {path: rows[path].problem for path in refused} == refused
        assert {path: rows[path].link for path in FOLLOWED} == FOLLOWED
        assert {path: rows[path].identity for path in FOLLOWED} == {
            path: rows[target].identity for path, target in FOLLOWED.items()
        }
    assert tally.special == {"a FIFO": 1, "a symbolic link": 2}
    for path, row in catalog.rows().items():
        assert row_of(farm, path) == row


def test_a_link_is_opened_for_reading_alone_and_beneath_the_store_alone(farm: Path) -> None:
    for path in FOLLOWED:
        with opening.open_artifact(farm, path, links=True) as opened:
            assert opened.identity == row_of(farm, path).identity
        with pytest.raises(InputError, match="links are not followed"):
            opening.open_artifact(farm, path)
    for path, problem in REFUSED.items():
        with pytest.raises(InputError) as told:
            opening.open_artifact(farm, path, links=True)
        assert told.value.message == f"{path} {problem}"
    with pytest.raises(InputError, match="is not there"):
        opening.open_artifact(farm, "nothing/at/all.pkl", links=True)


def test_without_the_call_of_the_kernel_no_link_is_followed(farm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syscalls, "_SYS_OPENAT2", 100_000)
    with pytest.raises(InputError, match="this kernel cannot follow links safely"):
        opening.open_artifact(farm, "latest", links=True)
    with opening.open_artifact(farm, "m.pkl", links=True):
        pass


def test_a_link_that_is_turned_meanwhile_never_leads_out(farm: Path, tmp_path: Path) -> None:
    """Where it leads is changed as fast as it goes: to a file, out of the store, to a directory that leads out."""
    outside = opening.identity_of(os.stat(tmp_path / "outside.pkl"))
    (farm / "way").symlink_to("..")
    ended = threading.Event()
    seen: set[FileIdentity | str] = set()

    def turning() -> None:
        for target in itertools.cycle(("m.pkl", "../outside.pkl", "way/outside.pkl", str(tmp_path / "outside.pkl"))):
            turn(farm / "latest", target)
            if ended.is_set():
                return

    thread = threading.Thread(target=turning)
    thread.start()
    catalog = Catalog(farm)
    end = time.monotonic() + PATIENCE
    for number in itertools.count():
        if (number >= 1500 and {str, FileIdentity} <= {type(one) for one in seen}) or time.monotonic() > end:
            break
        try:
            with opening.open_artifact(farm, "latest", links=True) as opened:
                seen.add(opened.identity)
        except InputError as error:
            seen.add(error.message)
    for _ in range(50):
        catalog.scan_all()
        row = catalog.rows().get("latest")
        assert row is None or row.identity != outside
    ended.set()
    thread.join()
    assert outside not in seen
    assert {str, FileIdentity} <= {type(one) for one in seen}


async def test_a_mounted_map_of_links_is_followed_through_its_swaps(tmp_path: Path) -> None:
    """As Kubernetes updates it: a new hidden directory, `..data` renamed onto the old one, the old one removed."""
    root = tmp_path / "config"
    put(root / "..one" / "m.pkl")
    put(root / "..one" / "gone.pkl")
    (root / "..data").symlink_to("..one")
    for name in ("m.pkl", "gone.pkl", "sub/deep.pkl"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).symlink_to(os.path.join("../" * name.count("/"), "..data", name.replace("sub/deep", "m")))
    told = Seen()

    def leads(wanted: dict[str, str]) -> bool:
        return {path: told.rows[path].link for path in wanted} == wanted

    one = Watcher(Catalog(root), told.listener(), asyncio.get_running_loop(), reconcile_s=3600)
    one.start()
    await told.until(lambda: "coverage" in told.told and "scanned" in told.told)
    assert {path: row.link for path, row in told.rows.items()} == {
        "m.pkl": "..one/m.pkl", "sub/deep.pkl": "..one/m.pkl", "gone.pkl": "..one/gone.pkl",
    }  # fmt: skip
    for number in range(3):
        name = f"..{number}"
        put(root / name / "m.pkl", MODEL + b"2" * number)
        turn(root / "..data", name)
        shutil.rmtree(root / ("..one" if number == 0 else f"..{number - 1}"))
        await told.until(partial(leads, {"m.pkl": f"{name}/m.pkl", "sub/deep.pkl": f"{name}/m.pkl"}))
        await told.until(lambda: told.rows["gone.pkl"].problem is not None)
    assert told.rows["m.pkl"].size == len(MODEL) + 2
    await one.aclose()


async def test_a_link_to_a_file_that_changes_changes_with_it(tmp_path: Path) -> None:
    put(tmp_path / "s" / "v" / "m.pkl")
    (tmp_path / "s" / "links").mkdir()
    (tmp_path / "s" / "links" / "latest").symlink_to("../v/m.pkl")
    told = Seen()
    one = Watcher(Catalog(tmp_path / "s"), told.listener(), asyncio.get_running_loop(), reconcile_s=3600)
    one.start()
    await told.until(lambda: "coverage" in told.told and "scanned" in told.told)
    put(tmp_path / "s" / "v" / "m.pkl", MODEL + b"4")
    await told.until(lambda: told.rows["links/latest"].size == len(MODEL) + 1)
    await one.aclose()
