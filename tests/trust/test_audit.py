"""The audit log: chained, append-only, mended after a crash, shared by processes."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from console.errors import InputError, OperationError
from console.trust.audit import Audit
from console.trust.audit_records import identity

DIGEST = "sha256:" + "cd" * 32
HOUSE = Path(__file__).parents[2]


@pytest.fixture
def audit(tmp_path: Path) -> Audit:
    return Audit(tmp_path, tmp_path / "mirror" / "head.json")


def fill(audit: Audit, count: int = 3) -> None:
    for number in range(count):
        audit.append("load", artifact=f"m{number}.pkl", digest=DIGEST, result="done")


def lines(audit: Audit) -> list[bytes]:
    return audit.path.read_bytes().splitlines(keepends=True)


def test_a_record_tells_who_what_when_and_the_outcome(audit: Audit) -> None:
    written = audit.append("promote", artifact="a.joblib", digest=DIGEST, result="intent", version=3)
    (entry,) = audit.entries()
    assert entry == written
    assert (entry.seq, entry.action, entry.artifact, entry.digest, entry.result) == (
        1,
        "promote",
        "a.joblib",
        DIGEST,
        "intent",
    )
    assert entry.who["uid"] == os.getuid()
    assert set(entry.who) >= {"login", "uid", "user"}
    assert entry.detail == {"version": 3}
    raw = json.loads(audit.path.read_bytes())
    assert raw["monotonic"] > 0
    assert len(raw["boot"]) == 36


def test_the_login_id_is_the_kernels_or_none() -> None:
    kernel = int(Path("/proc/self/loginuid").read_text())
    assert identity()["login"] == (None if kernel == 0xFFFFFFFF else kernel)


def test_an_untouched_log_is_whole(audit: Audit) -> None:
    assert audit.verify().ok
    fill(audit)
    check = audit.verify()
    assert (check.ok, check.entries, check.problem) == (True, 3, None)


def test_the_file_is_private_and_appended_to(audit: Audit) -> None:
    fill(audit, 1)
    first = audit.path.read_bytes()
    fill(audit, 1)
    assert audit.path.read_bytes().startswith(first)
    assert stat.S_IMODE(audit.path.stat().st_mode) & 0o137 == 0


@pytest.mark.parametrize("field", ["artifact", "result", "digest", "when", "action"])
def test_a_changed_record_is_found(audit: Audit, field: str) -> None:
    fill(audit)
    all_lines = lines(audit)
    record = json.loads(all_lines[1])
    record[field] = 1.0 if field == "when" else "forged"
    all_lines[1] = json.dumps(record, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    audit.path.write_bytes(b"".join(all_lines))
    check = audit.verify()
    assert (check.ok, check.entries, check.line) == (False, 1, 2)
    assert "record 2 was changed" in str(check.problem)


def test_removed_and_reordered_records_are_found(audit: Audit) -> None:
    fill(audit)
    first, second, third = lines(audit)
    for wrong in ([first, third], [second, third], [first, third, second], [first, first, second, third]):
        audit.path.write_bytes(b"".join(wrong))
        assert "removed, added or reordered" in str(audit.verify().problem), wrong


def test_a_log_cut_short_is_found_by_the_mirror(audit: Audit) -> None:
    fill(audit)
    audit.path.write_bytes(b"".join(lines(audit)[:2]))
    check = audit.verify()
    assert not check.ok
    assert "cut short" in str(check.problem)
    audit.path.unlink()
    assert not audit.verify().ok


def test_a_cut_stays_known_when_more_is_appended(audit: Audit) -> None:
    fill(audit, 5)
    audit.path.write_bytes(b"".join(lines(audit)[:2]))
    fill(audit, 3)
    check = audit.verify()
    assert (check.ok, check.entries) == (False, 2)
    assert "record 5 was gone" in str(check.problem)
    assert audit.entries()[2].detail["missing_seq"] == 5


def test_a_record_exchanged_for_another_is_known_at_the_next_append(audit: Audit, tmp_path: Path) -> None:
    fill(audit, 2)
    audit.path.unlink()
    fill(Audit(tmp_path, tmp_path / "other-head.json"), 4)
    fill(audit, 1)
    assert "record 2 was gone" in str(audit.verify().problem)


def test_a_log_removed_as_a_whole_begins_anew_and_says_so(audit: Audit) -> None:
    fill(audit, 3)
    audit.path.unlink()
    fill(audit, 1)
    check = audit.verify()
    assert (check.ok, check.entries) == (True, 2)
    assert "of 3 records" in str(check.note)


def test_without_a_mirror_the_check_says_that_it_proves_less(audit: Audit, tmp_path: Path) -> None:
    fill(audit)
    assert audit.verify().mirrored
    assert not Audit(tmp_path, tmp_path / "none.json").verify().mirrored
    (tmp_path / "mirror" / "head.json").write_text("{")
    assert not audit.verify().mirrored
    fill(audit, 1)
    assert audit.verify().mirrored


@pytest.mark.parametrize(
    "field", [{"seq": "4"}, {"seq": -1}, {"when": 1e300}, {"when": None}, {"digest": 3}, {"who": []}, {"detail": 1}]
)
def test_a_line_that_we_could_not_have_written_is_no_record(audit: Audit, field: dict[str, object]) -> None:
    fill(audit)
    record = {**json.loads(lines(audit)[2]), **field}
    with audit.path.open("ab") as file:
        file.write(json.dumps(record).encode() + b"\n")
    assert len(audit.entries()) == 3
    assert not audit.verify().ok


def test_a_directory_behind_a_link_is_not_written_in(audit: Audit, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    audit.path.parent.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OperationError, match="cannot write the audit log"):
        audit.append("load")
    with pytest.raises(InputError, match="cannot read the audit log"):
        audit.entries()
    assert os.listdir(tmp_path / "elsewhere") == []


def test_a_log_of_something_else_is_neither_appended_to_nor_read_whole(audit: Audit) -> None:
    audit.path.parent.mkdir()
    with audit.path.open("wb") as file:
        file.truncate(1 << 34)
    with pytest.raises(OperationError, match="hold no record"):
        audit.append("load")
    with pytest.raises(InputError, match="1024 MiB"):
        audit.entries()
    assert audit.path.stat().st_size == 1 << 34


def test_the_users_own_log_lies_outside_the_store(tmp_path: Path) -> None:
    own = Audit(tmp_path, own=True)
    own.append("load", artifact="a.pkl")
    assert ".model-console" not in own.path.parts
    assert own.path.parent.stat().st_mode & 0o077 == 0
    assert own.verify().mirrored
    assert own.last("nothing") is None
    own.append("policy", policy="one")
    own.append("policy", policy="two")
    found = own.last("policy")
    assert found is not None
    assert found.detail["policy"] == "two"


APPENDING = """
import sys
from pathlib import Path
from console.trust.audit import Audit
audit = Audit(Path(sys.argv[1]), Path(sys.argv[1]) / "head.json")
print("ready", flush=True)
for number in range(3):
    audit.append("load", artifact=f"{number}")
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize(
    "fault",
    [
        *(f"{call}:signal=KILL:when={n}" for call in ("write", "fdatasync") for n in (1, 2, 3)),
        "fdatasync:error=EIO:when=2",
        "write:error=ENOSPC:when=2",
    ],
)
def test_a_crash_at_any_step_leaves_a_log_that_goes_on(tmp_path: Path, fault: str) -> None:
    fill(Audit(tmp_path, tmp_path / "head.json"), 1)
    path = tmp_path / ".model-console" / "audit.jsonl"
    command = ["strace", "-f", "-qq", "-o", "/dev/null", "-P", str(path), "-e", f"inject={fault}"]
    done = subprocess.run(
        [*command, sys.executable, "-c", APPENDING, str(tmp_path)], capture_output=True, text=True, cwd=HOUSE
    )
    assert "ready" in done.stdout
    assert done.returncode != 0
    audit = Audit(tmp_path, tmp_path / "head.json")
    audit.append("load", artifact="after")
    check = audit.verify()
    assert check.ok, check.problem
    assert audit.entries()[-1].artifact == "after"


def test_a_log_written_anew_is_found_by_the_mirror(audit: Audit, tmp_path: Path) -> None:
    fill(audit)
    audit.path.unlink()
    fill(Audit(tmp_path, tmp_path / "other-head.json"))
    check = audit.verify()
    assert not check.ok
    assert "written anew" in str(check.problem)


@pytest.mark.parametrize("cut", [2, 20, 100])
def test_a_torn_last_line_is_kept_marked_and_followed(audit: Audit, cut: int) -> None:
    fill(audit)
    torn = lines(audit)[2][:-cut]
    audit.path.write_bytes(b"".join([*lines(audit)[:2], torn]))
    before = audit.verify()
    assert not before.ok
    assert "torn by a crash" in str(before.problem)
    audit.append("load", artifact="after.pkl")
    assert torn in audit.path.read_bytes()
    actions = [entry.action for entry in audit.entries()]
    assert actions[-2:] == ["audit.repaired", "load"]
    check = Audit(audit.path.parent.parent, audit.path.with_name("no-mirror.json")).verify()
    assert (check.ok, check.repaired) == (True, 1)


def test_a_record_that_lacks_only_its_newline_still_counts(audit: Audit) -> None:
    fill(audit)
    audit.path.write_bytes(audit.path.read_bytes()[:-1])
    fill(audit, 1)
    check = audit.verify()
    assert (check.ok, check.entries, check.repaired) == (True, 4, 0)


def test_a_repair_mark_excuses_only_the_bytes_it_measured(audit: Audit) -> None:
    fill(audit, 2)
    audit.path.write_bytes(audit.path.read_bytes()[:-30])
    fill(audit, 1)
    assert audit.verify().repaired == 1
    all_lines = lines(audit)
    all_lines[1] = b'{"seq": 2, "action": "something else"\n'
    audit.path.write_bytes(b"".join(all_lines))
    assert not audit.verify().ok


def test_names_from_outside_are_kept_as_they_are(audit: Audit) -> None:
    name = "\x1b]0;pwn\x07\n\udcff\u202e.pkl"
    audit.append("load", artifact=name)
    assert audit.entries()[0].artifact == name
    assert audit.path.read_bytes().count(b"\n") == 1
    assert audit.path.read_bytes().isascii()
    assert audit.verify().ok


def _append_many(store: Path, mirror: Path, word: str) -> None:
    for number in range(40):
        Audit(store, mirror).append(word, artifact=f"{number}")


def test_writers_in_several_processes_keep_one_chain(tmp_path: Path) -> None:
    mirror = tmp_path / "head.json"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_append_many, args=(tmp_path, mirror, word)) for word in ("a", "b", "c")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    audit = Audit(tmp_path, tmp_path / "no-mirror.json")
    assert audit.verify().entries == 120
    assert audit.verify().ok
    for word in ("a", "b", "c"):
        assert [entry.artifact for entry in audit.entries() if entry.action == word] == [str(n) for n in range(40)]


def test_a_log_longer_than_the_tail_window_goes_on(audit: Audit) -> None:
    fill(audit, 2)
    audit.append("load", artifact="x" * 200_000)
    fill(audit, 2)
    assert audit.verify().entries == 5


@pytest.mark.parametrize(
    "make", [lambda path: path.mkdir(), lambda path: os.mkfifo(path), lambda path: path.symlink_to("/dev/null")]
)
def test_what_is_no_plain_file_is_refused(audit: Audit, make: object) -> None:
    audit.path.parent.mkdir(parents=True)
    make(audit.path)  # type: ignore[operator]
    with pytest.raises(OperationError, match="cannot write the audit log"):
        audit.append("load")


def test_an_unreadable_log_is_an_error(audit: Audit) -> None:
    audit.path.mkdir(parents=True)
    with pytest.raises(InputError, match="cannot read the audit log"):
        audit.verify()
