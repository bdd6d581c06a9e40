from __future__ import annotations

import io
import os
import pickle
import random
import shutil
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from console.catalog.catalog import Catalog
from console.catalog.listing import Changes
from console.files.root_guard import StoreOffline
from console.records import Artifact

MODEL = pickle.dumps({"a": list(range(20))}, 4)


def put(root: Path, *names: str, data: bytes = MODEL) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def paths(catalog: Catalog) -> set[str]:
    return set(catalog.rows())


def test_finds_what_may_be_a_model_by_content_or_claims_to_be_one_and_skips_the_rest(store: Path) -> None:
    put(store, "a.pkl", "sub/b.joblib", "sub/deep/c", "odd.name")
    put(store, "named-so.pkl", "notes", data=b"nothing of the kind\n")
    put(store, "table.csv", "run.py", "data.csv.gz", ".hidden.pkl", ".git/x.pkl", "__pycache__/y.pkl")
    put(store, ".model-console/history/k/1-abc")
    catalog = Catalog(store)
    changes = catalog.scan_all()
    assert paths(catalog) == {"a.pkl", "sub/b.joblib", "sub/deep/c", "odd.name", "named-so.pkl"}
    assert {row.path for row in changes.added} == paths(catalog)
    row = catalog.rows()["a.pkl"]
    status = (store / "a.pkl").stat()
    assert (row.size, row.modified, row.format, row.problem) == (status.st_size, status.st_mtime, None, None)
    assert row.identity is not None
    assert row.identity.inode == status.st_ino
    assert set(catalog.marks()) == {"notes"}


def test_a_model_in_an_archive_is_found_by_its_directory_and_others_by_their_magic(store: Path) -> None:
    put(store, "first", data=zipped("m/data/0", "m/data.pkl"))
    put(store, "last", data=zipped(*(f"m/data/{number:060}" for number in range(200)), "m/data.pkl"))
    put(store, "none", data=zipped(*(f"word/{number:060}.xml" for number in range(200))))
    put(store, "language", data=b"\xba\x16\x4f\x2f\x0c\0\0\0" + bytes(60))
    catalog = Catalog(store)
    catalog.scan_all()
    assert paths(catalog) == {"first", "last", "language"}


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as whole:
        for name in names:
            whole.writestr(name, b"")
    return file.getvalue()


COPIES = [
    "m.joblib.bak",
    "m.joblib~",
    "m.joblib.1",
    "m.joblib.old",
    "m.joblib.orig",
    "m.joblib_old",
    "#m.joblib#",
    "m.joblib.2024-01-31",
    "m.joblib.part",
    "m.joblib.crdownload",
]


def test_a_copy_is_a_row_like_what_it_is_a_copy_of_unless_it_is_hidden(store: Path) -> None:
    copies = {*COPIES, "m (1).joblib", "m.joblib (2)", "m copy.joblib"}
    put(store, *copies, data=b"nothing of the kind\n")
    put(store, "._m.joblib", ".m.joblib.swp", ".#m.joblib", ".~lock.m.joblib#", "m.joblib.tmp", "t.csv.bak", "t.csv.1")
    catalog = Catalog(store)
    catalog.scan_all()
    assert paths(catalog) == copies
    assert not catalog.marks()


def test_what_a_dvc_pointer_stands_for_takes_its_place(store: Path) -> None:
    put(store, "here.pkl")
    put(store, "here.pkl.dvc", "away.pkl.dvc", "away.csv.dvc", data=b"outs:\n- md5: 00\n  path: away.pkl\n")
    catalog = Catalog(store)
    catalog.scan_all()
    assert paths(catalog) == {"here.pkl", "away.pkl.dvc"}
    put(store, "away.pkl")
    catalog.scan_all()
    assert paths(catalog) == {"here.pkl", "away.pkl"}


def test_a_link_of_git_annex_says_what_brings_its_content(store: Path) -> None:
    (store / "m.pkl").symlink_to(".git/annex/objects/x/MD5-s9--00/MD5-s9--00")
    catalog = Catalog(store)
    catalog.scan_all()
    assert "`git annex get` brings it" in str(catalog.rows()["m.pkl"].problem)
    put(store, ".git/annex/objects/x/MD5-s9--00/MD5-s9--00")
    catalog.scan_all()
    row = catalog.rows()["m.pkl"]
    assert (row.problem, row.link) == (None, ".git/annex/objects/x/MD5-s9--00/MD5-s9--00")


def test_rows_that_cannot_be_read_say_why_and_stop_nothing(store: Path, tmp_path: Path) -> None:
    put(store, "good.pkl")
    put(store, "empty.pkl", "empty.xyz", data=b"")
    (store / "link.pkl").symlink_to(tmp_path)
    (store / "loop.joblib").symlink_to("loop.joblib")
    (store / "dirlink").symlink_to(tmp_path)
    os.mkfifo(store / "fifo.h5")
    catalog = Catalog(store)
    catalog.scan_all()
    problems = {path: row.problem for path, row in catalog.rows().items()}
    assert problems == {
        "good.pkl": None,
        "empty.pkl": "is empty: its bytes never came, so bring it again from where it was made",
        "link.pkl": f"is a link to {tmp_path}, an absolute path, which is not followed: name that file",
        "loop.joblib": "is a link to loop.joblib, which leads in a circle",
        "fifo.h5": "is a FIFO, not a regular file",
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")
def test_what_permissions_forbid_is_a_row_of_its_own(store: Path) -> None:
    put(store, "good.pkl", "shut.pkl", "private/m.pkl", "listed/m.pkl")
    os.chmod(store / "shut.pkl", 0)
    os.chmod(store / "private", 0)
    os.chmod(store / "listed", 0o744)
    for directory in (store, *store.parents):
        os.chmod(directory, directory.stat().st_mode | 0o055)
    found: dict[str, Artifact | None] = {}
    errors: list[BaseException] = []

    def look() -> None:
        import ctypes

        try:
            # of this thread alone: the file system's idea of who asks (setfsuid(2))
            ctypes.CDLL(None).setfsuid(65534)
            catalog = Catalog(store)
            catalog.scan_all()
            found.update({path: catalog.row(path) for path in catalog.rows()})
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert not errors
    assert {path: row.problem for path, row in found.items() if row} == {
        "good.pkl": None,
        "shut.pkl": "cannot be read: permission denied",
        "private": "directory cannot be read: permission denied",
        "listed/m.pkl": "cannot be read: permission denied",
    }


def test_hostile_names_are_rows_like_others(store: Path) -> None:
    names = [
        os.fsdecode(name) for name in (b"\xff\xfe.pkl", b"a\nb.pkl", b"\x1b]52;c;x\x07.pkl", b"-rf.pkl", b"n" * 255)
    ]
    names.append("[@click=app.quit]x.pkl")
    put(store, *names)
    catalog = Catalog(store)
    catalog.scan_all()
    assert paths(catalog) == set(names)


def test_a_recipe_is_found_beside_and_its_data_are_no_artifacts(store: Path) -> None:
    put(store, "m.pkl", "data/hold.pkl", "other/train.pkl", "data/more.pkl", "n.pkl.gz", "free.pkl")
    (store / "z").mkdir()
    (store / "z" / "m.recipe.toml").write_text('[data]\ntrain = "../other/train.pkl"\n')
    (store / "m.recipe.toml").write_text('[data]\nholdout = "data/hold.pkl"\n')
    catalog = Catalog(store)
    catalog.scan_all()
    assert paths(catalog) == {"m.pkl", "data/more.pkl", "n.pkl.gz", "free.pkl"}
    assert catalog.rows()["m.pkl"].recipe == "m.recipe.toml"
    assert catalog.rows()["free.pkl"].recipe is None


def test_a_recipe_that_changes_moves_files_in_and_out(store: Path) -> None:
    put(store, "m.pkl", "data/a.pkl", "data/b.pkl")
    catalog = Catalog(store)
    catalog.scan_all()
    (store / "m.recipe.toml").write_text('[data]\ntrain = "data/a.pkl"\n')
    changes = catalog.rescan([""])
    assert changes.removed == ("data/a.pkl",)
    assert [row.recipe for row in changes.changed] == ["m.recipe.toml"]
    (store / "m.recipe.toml").write_text('[data]\ntrain = "data/b.pkl"  # the other\n')
    changes = catalog.rescan([""])
    assert changes.removed == ("data/b.pkl",)
    assert [row.path for row in changes.added] == ["data/a.pkl"]
    (store / "m.recipe.toml").unlink()
    catalog.rescan([""])
    assert paths(catalog) == {"m.pkl", "data/a.pkl", "data/b.pkl"}
    assert catalog.rows()["m.pkl"].recipe is None


def test_an_untouched_file_is_looked_into_once(store: Path) -> None:
    put(store, "a.pkl", "b.pkl")
    put(store, "c", data=b"no model")
    looked: list[bytes] = []

    def sniff(head: bytes) -> bool:
        looked.append(head)
        return head.startswith(b"\x80")

    catalog = Catalog(store, sniff=sniff)
    catalog.scan_all()
    assert len(looked) == 3
    assert not catalog.scan_all()
    assert not catalog.rescan([""])
    assert len(looked) == 3
    again = Catalog(store, sniff=sniff)
    again.seed(catalog.rows().values(), catalog.marks())
    assert not again.scan_all()
    assert len(looked) == 3
    put(store, "b.pkl", data=MODEL + b"x")
    assert [row.path for row in again.scan_all().changed] == ["b.pkl"]
    assert len(looked) == 4


def test_what_was_learnt_stays_until_the_file_changes(store: Path) -> None:

    put(store, "a.pkl")
    catalog = Catalog(store)
    catalog.scan_all()
    row = catalog.rows()["a.pkl"]
    assert catalog.learn(replace(row, model_class="x.Y"))
    assert not catalog.scan_all()
    assert catalog.rows()["a.pkl"].model_class == "x.Y"
    put(store, "a.pkl", data=MODEL + b"more")
    catalog.scan_all()
    assert catalog.rows()["a.pkl"].model_class is None
    assert not catalog.learn(replace(row, model_class="x.Y"))


def test_what_is_learnt_during_a_scan_is_not_lost(store: Path) -> None:

    for number in range(40):
        put(store, *(f"{number}/{one}.pkl" for one in range(40)))
    catalog = Catalog(store)
    for look in range(2):
        batches = catalog.scan()
        row = next(batches)[0]
        assert catalog.learn(replace(row, model_class=f"x.Y{look}"))
        list(batches)
        assert catalog.rows()[row.path].model_class == f"x.Y{look}"
    assert not catalog.learn(replace(row, path="never.pkl"))


def test_directories_that_come_and_go(store: Path) -> None:
    put(store, "a.pkl", "d/e/f.pkl", "d/g.pkl")
    catalog = Catalog(store)
    catalog.scan_all()
    shutil.move(store / "d", store / "h")
    changes = catalog.rescan([""])
    assert set(changes.removed) == {"d/e/f.pkl", "d/g.pkl"}
    assert {row.path for row in changes.added} == {"h/e/f.pkl", "h/g.pkl"}
    shutil.rmtree(store / "h")
    assert set(catalog.rescan(["h/e", "h"]).removed) == {"h/e/f.pkl", "h/g.pkl"}
    assert paths(catalog) == {"a.pkl"}


def test_what_was_found_from_below_goes_with_its_parents(store: Path) -> None:
    put(store, "a.pkl")
    catalog = Catalog(store)
    catalog.scan_all()
    put(store, "d/e/f.pkl")
    assert [row.path for row in catalog.rescan(["d/e"]).added] == ["d/e/f.pkl"]
    shutil.rmtree(store / "d")
    assert catalog.rescan([""]).removed == ("d/e/f.pkl",)


def test_first_rows_come_before_the_scan_ends(store: Path) -> None:
    for number in range(40):
        put(store, *(f"{number}/{one}.pkl" for one in range(40)))
    catalog = Catalog(store)
    batches = catalog.scan()
    first = next(batches)
    assert 0 < len(first) < 1600
    assert catalog.rows() == {}
    assert len(first) + sum(len(batch) for batch in batches) == 1600


def test_a_cancelled_scan_changes_nothing(store: Path) -> None:
    put(store, "a.pkl", "b/c.pkl")
    catalog = Catalog(store)
    assert catalog.scan_all(lambda: True) == Changes()
    assert catalog.rows() == {}


def test_a_store_that_vanished_is_an_error_and_what_was_known_stays(store: Path) -> None:
    put(store, "a.pkl", "b/c.pkl")
    catalog = Catalog(store)
    catalog.scan_all()
    away = store.with_name("away")
    store.rename(away)
    for look in (catalog.scan_all, lambda: catalog.rescan(["b"]), catalog.check_root):
        with pytest.raises(StoreOffline, match="cannot be reached"):
            look()
    store.mkdir()
    with pytest.raises(StoreOffline, match="replaced by an empty directory"):
        catalog.scan_all()
    assert paths(catalog) == {"a.pkl", "b/c.pkl"}
    store.rmdir()
    away.rename(store)
    assert not catalog.scan_all()
    assert paths(catalog) == {"a.pkl", "b/c.pkl"}


def test_a_store_that_vanishes_during_a_scan_loses_nothing(store: Path) -> None:
    for number in range(100):
        put(store, *(f"{number}/{one}.pkl" for one in range(10)))
    catalog = Catalog(store)
    catalog.scan_all()
    batches = catalog.scan()
    next(batches)
    store.rename(store.with_name("away"))
    with pytest.raises(StoreOffline):
        list(batches)
    assert len(catalog.rows()) == 1000


def test_another_directory_in_its_place_is_the_store_once_something_is_in_it(store: Path) -> None:
    put(store, "a.pkl")
    catalog = Catalog(store)
    catalog.scan_all()
    store.rename(store.with_name("old"))
    put(store, "b.pkl")
    changes = catalog.scan_all()
    assert changes.removed == ("a.pkl",)
    assert paths(catalog) == {"b.pkl"}


def test_no_descriptor_stays_open(store: Path) -> None:
    put(store, "a.pkl", "b/c.pkl")
    catalog = Catalog(store)
    catalog.scan_all()
    catalog.rescan(["b"])
    next(catalog.scan())
    links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
    assert not [link for link in links if os.path.lexists(link) and os.readlink(link).startswith(str(store))]


@pytest.mark.slow
def test_twenty_thousand_files_after_random_changes(store: Path) -> None:
    draw = random.Random(7)
    names = [f"{n % 40}/{n % 200}/m{n}.pkl" for n in range(20_000)]
    for one in {os.path.dirname(name) for name in names}:
        (store / one).mkdir(parents=True)
    (store / "seed").write_bytes(MODEL)
    for name in names:
        os.link(store / "seed", store / name)
    catalog = Catalog(store)
    catalog.scan_all()
    expected = set(names) | {"seed"}
    assert paths(catalog) == expected
    touched = set()
    for name in draw.sample(names, 300):
        act = draw.choice(("delete", "rewrite", "rename"))
        touched.add(os.path.dirname(name))
        (store / name).rename(store / f"{name}.x") if act == "rename" else (store / name).unlink()
        expected.discard(name)
        if act == "rename":
            expected.add(f"{name}.x")
        elif act == "rewrite":
            put(store, name, data=MODEL + name.encode())
            expected.add(name)
    catalog.rescan(touched)
    assert paths(catalog) == expected
    fresh = Catalog(store)
    fresh.scan_all()
    assert {path: row.identity for path, row in fresh.rows().items() if path in touched} == {
        path: row.identity for path, row in catalog.rows().items() if path in touched
    }
    assert paths(fresh) == expected


def test_data_that_a_recipe_names_never_shows_up_not_even_for_a_moment(store: Path) -> None:
    put(store, "m/model.pkl", "m/data/rows.npz")
    (store / "m/model.recipe.toml").write_text('[data]\nholdout = "data/rows.npz"\n')
    catalog = Catalog(store)
    for _ in range(2):
        shown = [row.path for batch in catalog.scan() for row in batch]
        assert shown == ["m/model.pkl"]


def test_a_glance_tells_of_a_change_before_the_scan_ends(store: Path) -> None:
    for number in range(30):
        (store / f"d{number:02}").mkdir()
        put(store, *(f"d{number:02}/{one}.pkl" for one in range(40)))
    catalog = Catalog(store)
    catalog.scan_all()
    batches = catalog.scan()
    next(batches)
    put(store, "d00/0.pkl", "d29/0.pkl", "d29/new.pkl", data=MODEL + MODEL)
    (store / "d29/1.pkl").unlink()
    told = catalog.glance(["d00", "d29", "never"])
    assert {row.path for row in told.changed} == {"d00/0.pkl", "d29/0.pkl"}
    assert [row.path for row in told.added] == ["d29/new.pkl"]
    assert told.removed == ("d29/1.pkl",)
    rest = None
    try:
        while True:
            next(batches)
    except StopIteration as end:
        rest = end.value
    assert rest == Changes()
    assert catalog.rows()["d00/0.pkl"].size == 2 * len(MODEL)


def test_a_glance_keeps_data_out_and_leaves_new_directories_to_the_scan(store: Path) -> None:
    put(store, *(f"a/{one}.pkl" for one in range(600)))
    put(store, "b/rows.npz")
    (store / "b/m.recipe.toml").write_text('[data]\nholdout = "rows.npz"\n')
    catalog = Catalog(store)
    catalog.scan_all()
    batches = catalog.scan()
    next(batches)
    put(store, "b/rows.npz", "b/c/m.pkl", data=MODEL + MODEL)
    assert not catalog.glance(["b"])
    for _ in batches:
        pass
    assert "b/c/m.pkl" in catalog.rows()
    assert "b/rows.npz" not in catalog.rows()
