"""Artifacts that are directories: one row, one identity, one digest, whatever is done to their members."""

from __future__ import annotations

import asyncio
import hashlib
import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from console.catalog.catalog import Catalog
from console.catalog.index import Index
from console.catalog.listing import row_of
from console.catalog.sweep import Tally, scan_beneath
from console.catalog.watcher import Watcher
from console.errors import ConflictError, InputError
from console.files import directories, roots
from console.files.directories import digest_of_directory, open_directory
from console.records import Artifact
from tests.safetensors_files import INDEX, packed, shard, write_shards
from tests.store.test_watcher import Seen


@pytest.fixture
def llm(store: Path) -> Path:
    """A directory of two shards in a store, with a pickle beside them that belongs to none."""
    write_shards(store / "llm", {"a": ("F32", [4])}, {"b": ("F32", [2])})
    (store / "llm" / "other.pkl").write_bytes(pickle.dumps([1.0] * 9))
    return store / "llm"


def members(llm: Path) -> list[Path]:
    return [llm / INDEX, llm / shard(1, 2), llm / shard(2, 2)]


def digest(store: Path) -> str:
    with open_directory(store, "llm") as opened:
        return digest_of_directory(opened)


def row(catalog: Catalog) -> Artifact:
    found = catalog.row("llm")
    assert found is not None
    return found


def test_it_is_one_row_and_its_members_have_none(store: Path, llm: Path) -> None:
    catalog = Catalog(store)
    catalog.scan_all()
    assert set(catalog.rows()) == {"llm", "llm/other.pkl"}
    statuses = [path.stat() for path in members(llm)]
    assert row(catalog).size == sum(status.st_size for status in statuses)
    assert row(catalog).modified == max(status.st_mtime for status in statuses)
    assert (row(catalog).members, row(catalog).problem) == (3, None)
    assert row_of(store, "llm") == row(catalog)
    listed = {found.path for batch in scan_beneath(store, "", Tally()) for found in batch}
    assert listed == {"llm", "llm/other.pkl"}


def test_a_recipe_beside_it_is_its_own_and_may_come_later(store: Path, llm: Path) -> None:
    catalog = Catalog(store)
    catalog.scan_all()
    assert row(catalog).recipe is None
    (store / "llm.recipe.toml").write_text('[serve]\nload = "never"\n')
    changes = catalog.rescan([""])
    assert [changed.path for changed in changes.changed] == ["llm"]
    assert row(catalog).recipe == row_of(store, "llm").recipe == "llm.recipe.toml"
    assert [found.recipe for batch in scan_beneath(store, "", Tally()) for found in batch if found.members] == [
        "llm.recipe.toml"
    ]
    (store / "llm.recipe.toml").unlink()
    catalog.rescan([""])
    assert row(catalog).recipe is None


def test_a_look_that_finds_it_the_same_keeps_what_is_known_of_it(store: Path, llm: Path) -> None:
    catalog = Catalog(store)
    catalog.scan_all()
    assert catalog.learn(replace(row(catalog), format="safetensors"))
    assert not catalog.scan_all()
    assert not catalog.rescan(["llm"])
    assert row(catalog).format == "safetensors"
    assert (catalog.home("llm"), catalog.home("llm/other.pkl")) == ("llm", "llm")


@pytest.mark.parametrize(
    "change",
    [
        lambda llm: (llm / shard(2, 2)).write_bytes(packed({"b": ("F32", [3])})),
        lambda llm: os.utime(llm / INDEX, (1, 1)),
        lambda llm: (llm / shard(3, 3)).write_bytes(b""),
        lambda llm: (llm / shard(2, 2)).unlink(),
        lambda llm: os.replace(llm / shard(1, 2), llm / shard(2, 2)),
        lambda llm: exchange(llm / shard(1, 2), llm / shard(2, 2)),
    ],
)
def test_a_change_of_any_member_changes_its_identity(change: Callable[[Path], None], store: Path, llm: Path) -> None:
    catalog = Catalog(store)
    catalog.scan_all()
    before = row(catalog)
    change(llm)
    changes = catalog.rescan(["llm"])
    assert [found.path for found in changes.changed] == ["llm"]
    assert row(catalog).identity != before.identity


def exchange(one: Path, other: Path) -> None:
    for old, new in ((one, one.with_name("x")), (other, one), (one.with_name("x"), other)):
        old.rename(new)


def test_its_identity_does_not_hang_on_the_newest_member_alone(llm: Path) -> None:
    """A clock that was wrong may have made one the newest for years."""
    index, first, second = (path.stat() for path in members(llm))
    told = [
        directories.identity_of_members(index, {"a": one, "b": other})
        for one, other in ((first, second), (second, first))
    ]
    assert told[0] != told[1]


def test_what_happens_beside_its_members_is_none_of_it(store: Path, llm: Path) -> None:
    catalog = Catalog(store)
    catalog.scan_all()
    before = row(catalog)
    (llm / "README.md").write_text("")
    (llm / "other.pkl").unlink()
    assert catalog.rescan(["llm"]).rows == {"llm/other.pkl": None}
    assert row(catalog) == before


def test_without_its_index_its_shards_are_files_like_any_other(store: Path, llm: Path) -> None:
    catalog = Catalog(store)
    catalog.scan_all()
    (llm / INDEX).unlink()
    changes = catalog.rescan(["llm"])
    assert changes.removed == ("llm",)
    assert set(catalog.rows()) == {f"llm/{name}" for name in ("other.pkl", shard(1, 2), shard(2, 2))}


def test_it_goes_with_its_directory(store: Path, llm: Path) -> None:
    catalog = Catalog(store)
    catalog.scan_all()
    llm.rename(store / "renamed")
    changes = catalog.rescan([""])
    assert {found.path for found in changes.added} == {"renamed", "renamed/other.pkl"}
    assert set(changes.removed) == {"llm", "llm/other.pkl"}


def test_the_next_session_starts_from_it(store: Path, llm: Path, tmp_path: Path) -> None:
    first = Catalog(store)
    first.scan_all()
    index = Index(store, tmp_path / "cache")
    index.save([replace(row(first), format="safetensors")])
    second = Catalog(store)
    (found,) = index.pages("")
    index.close()
    second.seed(found.rows, found.marks)
    changes = second.scan_all()
    assert [found.path for found in changes.added] == ["llm/other.pkl"]
    assert row(second).format == "safetensors"


async def test_it_settles_when_all_of_it_has(store: Path, llm: Path) -> None:
    """A member that is closed is no reason to take the rest for whole."""
    seen = Seen()
    watcher = Watcher(Catalog(store), seen.listener(), asyncio.get_running_loop(), reconcile_s=1000.0)
    watcher.start()
    try:
        await seen.until(lambda: "+llm" in seen.told)
        (llm / shard(2, 2)).write_bytes(packed({"b": ("F32", [9])}))
        await seen.until(lambda: "~llm" in seen.told[seen.told.index("+llm") :])
        await seen.until(lambda: seen.told[-1] == "+llm")
        assert not seen.rows["llm"].settling
    finally:
        await watcher.aclose()


def test_its_digest_is_that_of_a_manifest_and_of_nothing_else(store: Path, llm: Path) -> None:
    manifest = b""
    for path in sorted(members(llm)):
        data = path.read_bytes()
        manifest += f"sha256:{hashlib.sha256(data).hexdigest()} {len(data)} {path.name}".encode() + b"\0"
    before = digest(store)
    assert before == f"sha256:{hashlib.sha256(manifest).hexdigest()}"
    (llm / "other.pkl").write_bytes(b"changed")
    os.utime(llm / INDEX)
    assert digest(store) == before
    (llm / shard(1, 2)).rename(llm / shard(1, 3))
    assert digest(store) != before


@pytest.mark.parametrize(
    "change",
    [
        lambda llm: (llm / shard(2, 2)).write_bytes(b"other"),
        lambda llm: (llm / shard(3, 3)).write_bytes(b""),
        lambda llm: (llm / shard(1, 2)).unlink(),
    ],
)
def test_a_directory_that_changes_meanwhile_has_no_digest(
    change: Callable[[Path], None], store: Path, llm: Path
) -> None:
    with open_directory(store, "llm") as opened:
        change(llm)
        with pytest.raises(ConflictError, match="while it was being read"):
            digest_of_directory(opened)


def led_elsewhere(llm: Path) -> None:
    (llm / shard(2, 2)).rename(llm.parent / "elsewhere.safetensors")
    (llm / shard(2, 2)).symlink_to("../elsewhere.safetensors")


def made_a_fifo(llm: Path) -> None:
    (llm / shard(2, 2)).unlink()
    os.mkfifo(llm / shard(2, 2))


def made_a_directory(llm: Path) -> None:
    (llm / shard(2, 2)).unlink()
    (llm / shard(2, 2)).mkdir()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (led_elsewhere, "a symbolic link"),
        (made_a_fifo, "a FIFO"),
        (made_a_directory, "a directory"),
        (lambda llm: (llm / shard(2, 2)).write_bytes(b""), "is empty"),
    ],
)
def test_a_member_that_is_no_file_is_named_and_not_opened(
    change: Callable[[Path], None], why: str, store: Path, llm: Path
) -> None:
    change(llm)
    problem = row_of(store, "llm").problem
    assert problem is not None
    assert problem.startswith(f"holds {shard(2, 2)}, which ")
    assert why in problem
    with pytest.raises(InputError, match=f"llm/{shard(2, 2)} is "):
        open_directory(store, "llm")


def test_a_link_to_it_is_not_followed(store: Path, llm: Path) -> None:
    (store / "link").symlink_to("llm")
    catalog = Catalog(store)
    catalog.scan_all()
    assert set(catalog.rows()) == {"llm", "llm/other.pkl"}
    with pytest.raises(InputError, match="symbolic link"):
        open_directory(store, "link")


def test_one_of_more_members_than_a_message_holds_is_refused(
    store: Path, llm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directories, "MOST_MEMBERS", 2)
    assert row_of(store, "llm").problem == "has 3 files, and an artifact that is a directory has at most 2"
    with pytest.raises(InputError, match="has 3 files"):
        open_directory(store, "llm")


def test_a_command_takes_a_directory_for_what_it_is(store: Path, llm: Path) -> None:
    assert roots.place_of(llm, as_artifact=True) == roots.Place(store, "llm")
    assert roots.place_of(llm) == roots.Place(llm, "")
    (llm / ".model-console").mkdir()
    assert roots.place_of(llm, as_artifact=True) == roots.Place(llm, "")
