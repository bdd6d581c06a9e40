from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from console.errors import ConflictError, InputError, OperationError
from console.files import snapshot
from console.files.state_dir import HISTORY, artifact_key
from console.versions import history, publish, recovery
from console.versions.publish import Promotion

Content = Callable[[bytes], snapshot.Snapshot]
ME = Promotion("ann", "better", {"accuracy": 0.9})


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@pytest.fixture(autouse=True)
def no_descriptor_stays_open(tmp_path: Path) -> Iterator[None]:
    yield
    assert open_below(tmp_path) == []


def open_below(directory: Path) -> list[str]:
    """The files that this process has open under a directory."""
    found = []
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/self/fd/{fd}"))
    return [path for path in found if path.startswith(f"{directory}/")]


def put(store: Path, content: Content, data: bytes, path: str = "m.pkl", **more: object) -> object:
    """Publish `data` over whatever is there."""
    there = store / path
    replaces = digest(there.read_bytes()) if there.exists() else None
    with content(data) as one:
        return publish.publish(store, path, one, ME, replaces=replaces, **more)  # type: ignore[arg-type]


def names(store: Path) -> set[str]:
    return {one.name for one in store.iterdir()}


def test_the_new_is_in_place_and_the_old_is_kept(store: Path, content: Content) -> None:
    (store / "m.pkl").write_bytes(b"one")
    done = put(store, content, b"two")
    assert (store / "m.pkl").read_bytes() == b"two"
    assert names(store) == {"m.pkl", ".model-console"}
    new, old = history.versions(store, "m.pkl")
    assert new == done
    assert (new.version, new.digest, new.who, new.why, new.current) == (2, digest(b"two"), "ann", "better", True)
    assert new.metrics == {"accuracy": 0.9}
    assert (old.version, old.digest, old.why, old.current) == (1, digest(b"one"), "as found", False)
    with history.open_version(store, "m.pkl", 1) as kept:
        assert os.pread(kept.fd, 10, 0) == b"one"


def test_a_first_file_needs_its_place_to_be_free(store: Path, content: Content) -> None:
    put(store, content, b"one", "n.pkl")
    assert (store / "n.pkl").read_bytes() == b"one"
    with content(b"two") as two, pytest.raises(ConflictError, match="exists already"):
        publish.publish(store, "n.pkl", two, ME, replaces=None)
    assert (store / "n.pkl").read_bytes() == b"one"
    assert [one.version for one in history.versions(store, "n.pkl")] == [1]


def test_owner_mode_and_attributes_are_the_targets(store: Path, content: Content) -> None:
    (store / "m.pkl").write_bytes(b"one")
    os.chmod(store / "m.pkl", 0o2640)
    if os.geteuid() == 0:
        os.chown(store / "m.pkl", 1234, 2345)
        os.chmod(store / "m.pkl", 0o640)
    marked = True
    try:
        os.setxattr(store / "m.pkl", "user.origin", b"lab")
    except OSError:
        marked = False
    before = (store / "m.pkl").stat()
    put(store, content, b"two")
    after = (store / "m.pkl").stat()
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
    assert not marked or os.getxattr(store / "m.pkl", "user.origin") == b"lab"


def test_a_new_file_has_the_mode_of_any_new_file(store: Path, content: Content) -> None:
    (store / "other").touch()
    put(store, content, b"one")
    assert (store / "m.pkl").stat().st_mode == (store / "other").stat().st_mode


def test_own_files_are_shared_with_whom_the_store_is_shared(store: Path, content: Content) -> None:
    os.chmod(store, 0o2770)
    put(store, content, b"one")
    own = store / ".model-console"
    assert stat.S_IMODE(own.stat().st_mode) == 0o2770
    assert stat.S_IMODE((own / "journal.jsonl").stat().st_mode) & 0o007 == 0


def test_verification_sees_the_bytes_and_can_say_no(store: Path, content: Content) -> None:
    (store / "m.pkl").write_bytes(b"one")
    seen = []

    def look(fd: int) -> None:
        seen.append(os.pread(fd, 10, 0))
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.write(fd, b"x")

    put(store, content, b"two", verify=look)
    assert seen == [b"two"]

    def refuse(fd: int) -> None:
        raise OperationError("it does not load")

    with pytest.raises(OperationError, match="it does not load"):
        put(store, content, b"three", verify=refuse)
    assert (store / "m.pkl").read_bytes() == b"two"
    assert names(store) == {"m.pkl", ".model-console"}
    assert len(history.versions(store, "m.pkl")) == 2


@pytest.mark.parametrize("how", ["replaced", "in place", "gone", "link"])
def test_a_foreign_change_during_verification_is_noticed_and_not_lost(store: Path, content: Content, how: str) -> None:
    target = store / "m.pkl"
    target.write_bytes(b"one")

    def interfere(fd: int) -> None:
        if how == "in place":
            target.write_bytes(b"foreign")
        else:
            target.unlink()
            if how == "replaced":
                target.write_bytes(b"foreign")
            elif how == "link":
                target.symlink_to("elsewhere")

    with pytest.raises(ConflictError, match="changed by somebody else"):
        put(store, content, b"two", verify=interfere)
    if how == "gone":
        assert not target.exists()
    elif how == "link":
        assert os.readlink(target) == "elsewhere"
    else:
        assert target.read_bytes() == b"foreign"
    assert not [name for name in names(store) if name.startswith(".mc-")]
    assert recovery.recover(store) == ()


def test_a_file_created_during_verification_of_a_first_one_stays(store: Path, content: Content) -> None:
    with pytest.raises(ConflictError):
        put(store, content, b"one", verify=lambda fd: (store / "m.pkl").write_bytes(b"foreign") and None)
    assert (store / "m.pkl").read_bytes() == b"foreign"
    assert names(store) == {"m.pkl", ".model-console"}


def test_what_was_compared_must_still_be_there(store: Path, content: Content) -> None:
    (store / "m.pkl").write_bytes(b"other")
    with content(b"two") as two, pytest.raises(ConflictError, match="no longer what the candidate was compared with"):
        publish.publish(store, "m.pkl", two, ME, replaces=digest(b"one"))
    with content(b"two") as two, pytest.raises(ConflictError, match="is not there"):
        publish.publish(store, "n.pkl", two, ME, replaces=digest(b"one"))
    assert (store / "m.pkl").read_bytes() == b"other"


def test_the_same_content_is_not_published_again(store: Path, content: Content) -> None:
    (store / "m.pkl").write_bytes(b"one")
    with pytest.raises(OperationError, match="exactly this content"):
        put(store, content, b"one")


def test_rollback_and_forth(store: Path, content: Content) -> None:
    (store / "m.pkl").write_bytes(b"1")
    for data in (b"2", b"3"):
        put(store, content, data)
    back = publish.rollback(store, "m.pkl", None, Promotion("bob", "worse"))
    assert (back.version, back.digest, back.metrics) == (2, digest(b"2"), {"accuracy": 0.9})
    assert (store / "m.pkl").read_bytes() == b"2"
    assert publish.rollback(store, "m.pkl", None, ME).version == 1
    with pytest.raises(InputError, match="no older version"):
        publish.rollback(store, "m.pkl", None, ME)
    with pytest.raises(InputError, match="in place already"):
        publish.rollback(store, "m.pkl", 1, ME)
    with pytest.raises(InputError, match="no retained version 9"):
        publish.rollback(store, "m.pkl", 9, ME)
    assert publish.rollback(store, "m.pkl", 3, ME).version == 3
    assert [(one.version, one.current) for one in history.versions(store, "m.pkl")] == [
        (3, True),
        (2, False),
        (1, False),
    ]


def test_a_content_from_outside_is_a_version_of_its_own(store: Path, content: Content) -> None:
    (store / "m.pkl").write_bytes(b"1")
    put(store, content, b"2")
    (store / "m.pkl").write_bytes(b"foreign")
    found = history.versions(store, "m.pkl")
    assert [(one.version, one.digest, one.why, one.current) for one in found] == [
        (3, digest(b"foreign"), "changed outside the console", True),
        (1, digest(b"1"), "as found", False),
    ]
    publish.rollback(store, "m.pkl", 1, ME)
    assert (store / "m.pkl").read_bytes() == b"1"
    with history.open_version(store, "m.pkl", 3) as kept:
        assert os.pread(kept.fd, 10, 0) == b"foreign"


@pytest.mark.parametrize("how", ["missing", "empty"])
def test_a_lost_artifact_can_be_rolled_back(store: Path, content: Content, how: str) -> None:
    (store / "m.pkl").write_bytes(b"1")
    put(store, content, b"2")
    (store / "m.pkl").unlink()
    if how == "empty":
        (store / "m.pkl").touch()
    assert publish.rollback(store, "m.pkl", None, ME).version == 1
    assert (store / "m.pkl").read_bytes() == b"1"


def test_a_version_that_was_tampered_with_is_not_promoted(store: Path, content: Content) -> None:
    (store / "m.pkl").write_bytes(b"1")
    put(store, content, b"2")
    kept = next((store / ".model-console" / HISTORY / artifact_key("m.pkl")).glob("1-*"))
    assert stat.S_IMODE(kept.stat().st_mode) == 0o444
    os.chmod(kept, 0o644)
    kept.write_bytes(b"evil")
    with pytest.raises(OperationError, match="was changed after it was retained"):
        publish.rollback(store, "m.pkl", 1, ME)
    assert (store / "m.pkl").read_bytes() == b"2"


def test_a_version_is_a_copy_where_the_old_file_has_other_names(store: Path, content: Content) -> None:
    (store / "m.pkl").write_bytes(b"1")
    os.link(store / "m.pkl", store / "backup")
    put(store, content, b"2")
    with open(store / "backup", "r+b") as file:
        file.write(b"X")
    with history.open_version(store, "m.pkl", 1) as kept:
        assert os.pread(kept.fd, 10, 0) == b"1"


def test_only_so_many_versions_are_kept_by_the_order_of_promotion(
    store: Path, content: Content, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter((5e9, 1e9, 4e9, 2e9, 3e9))
    (store / "m.pkl").write_bytes(b"0")
    for data in (b"1", b"2", b"3", b"4"):
        monkeypatch.setattr("console.versions.publish.time.time", lambda: next(clock))
        with content(data) as one:
            promotion = Promotion("ann", "x", keep=3)
            publish.publish(store, "m.pkl", one, promotion, replaces=digest((store / "m.pkl").read_bytes()))
    assert [one.version for one in history.versions(store, "m.pkl")] == [5, 4, 3]


def test_a_damaged_line_of_the_journal_costs_that_line_and_not_the_store(store: Path, content: Content) -> None:
    (store / "m.pkl").write_bytes(b"1")
    put(store, content, b"2")
    journal = store / ".model-console" / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([lines[0].replace(b"ann", b"bob"), *lines[1:]]))
    assert recovery.damaged(store) == (1,)
    put(store, content, b"3")
    assert (store / "m.pkl").read_bytes() == b"3"
    assert [one.version for one in history.versions(store, "m.pkl")] == [3, 2, 1]


def test_a_torn_last_line_is_repaired(store: Path, content: Content) -> None:
    (store / "m.pkl").write_bytes(b"1")
    put(store, content, b"2")
    journal = store / ".model-console" / "journal.jsonl"
    with open(journal, "ab") as file:
        file.write(b'{"identity": [], "met')
    put(store, content, b"3")
    assert [one.version for one in history.versions(store, "m.pkl")] == [3, 2, 1]


def test_two_at_once_do_not_lose_an_update(store: Path, content: Content) -> None:
    (store / "m.pkl").write_bytes(b"1")
    inside, go_on = threading.Event(), threading.Event()

    def wait(fd: int) -> None:
        inside.set()
        assert go_on.wait(20)

    results: list[object] = []

    def first() -> None:
        results.append(put(store, content, b"2", verify=wait))

    with content(b"3") as three:
        thread = threading.Thread(target=first)
        thread.start()
        assert inside.wait(20)
        second = threading.Thread(target=lambda: results.append(_outcome(store, three)))
        second.start()
        go_on.set()
        thread.join()
        second.join()
    assert (store / "m.pkl").read_bytes() == b"2"
    assert isinstance(results[1], ConflictError)


def _outcome(store: Path, content: snapshot.Snapshot) -> object:
    try:
        return publish.publish(store, "m.pkl", content, ME, replaces=digest(b"1"))
    except ConflictError as error:
        return error


def test_recovery_leaves_alone_what_another_process_is_at(store: Path, content: Content) -> None:
    (store / "m.pkl").write_bytes(b"1")
    seen = []
    put(store, content, b"2", verify=lambda fd: seen.append(recovery.recover(store)))
    assert seen == [()]
    assert (store / "m.pkl").read_bytes() == b"2"


def test_reading_the_history_writes_nothing(store: Path) -> None:
    (store / "m.pkl").write_bytes(b"1")
    (one,) = history.versions(store, "m.pkl")
    assert (one.version, one.digest, one.why, one.current) == (1, digest(b"1"), "as found", True)
    assert recovery.recover(store) == ()
    assert names(store) == {"m.pkl"}


@pytest.mark.parametrize("name", [b"\xff\xfe.pkl", b"a\n\x1b[2J.pkl", b"n" * 255])
def test_hostile_names_are_published_like_others(store: Path, content: Content, name: bytes) -> None:
    path = os.fsdecode(name)
    (store / path).write_bytes(b"1")
    put(store, content, b"2", path)
    assert (store / path).read_bytes() == b"2"
    assert [one.version for one in history.versions(store, path)] == [2, 1]


def test_links_are_never_written_through(store: Path, tmp_path: Path, content: Content) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "m.pkl").write_bytes(b"1")
    (store / "way").symlink_to(tmp_path / "out")
    (store / "m.pkl").symlink_to(tmp_path / "out" / "m.pkl")
    for path in ("way/m.pkl", "m.pkl"):
        with content(b"2") as two, pytest.raises((OperationError, ConflictError)):
            publish.publish(store, path, two, ME, replaces=digest(b"1"))
    assert (tmp_path / "out" / "m.pkl").read_bytes() == b"1"
    (store / ".model-console").rename(tmp_path / "own")
    (store / ".model-console").symlink_to(tmp_path / "own")
    (store / "n.pkl").write_bytes(b"1")
    with content(b"2") as two, pytest.raises(OperationError):
        publish.publish(store, "n.pkl", two, ME, replaces=digest(b"1"))


def test_a_full_file_system_leaves_the_old_in_place(tmp_path: Path, content: Content) -> None:
    import subprocess

    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(small)], check=False)
    if mounted.returncode:
        pytest.skip("this place may not mount")
    try:
        (small / "m.pkl").write_bytes(b"1" * 2**19)
        with pytest.raises(OperationError, match="no space is left"):
            put(small, content, b"2" * 2**20)
        assert (small / "m.pkl").read_bytes() == b"1" * 2**19
        assert names(small) == {"m.pkl", ".model-console"}
        put(small, content, b"2" * 2**18)
        assert [one.version for one in history.versions(small, "m.pkl")] == [2, 1]
        subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
        with pytest.raises(OperationError, match="mounted read-only"):
            put(small, content, b"3")
        assert (small / "m.pkl").read_bytes() == b"2" * 2**18
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_an_artifact_on_another_file_system_than_the_stores_own_directory(store: Path, content: Content) -> None:
    import subprocess

    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    (store / "inner").mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "none", str(store / "inner")], check=False).returncode:
        pytest.skip("this place may not mount")
    try:
        (store / "inner" / "m.pkl").write_bytes(b"1")
        put(store, content, b"2", "inner/m.pkl")
        assert names(store / "inner") == {"m.pkl"}
        assert publish.rollback(store, "inner/m.pkl", None, ME).version == 1
    finally:
        subprocess.run(["umount", str(store / "inner")], check=True)
