from __future__ import annotations

import dataclasses
import json
import os
import random
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.errors import OperationError
from console.files.state_dir import OwnFiles, artifact_key, artifact_lock, store_lock
from console.locks import BusyError
from console.versions import journal as journal_module
from console.versions.journal import Journal
from console.versions.operations import Operation, decode, encode

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64
STEP = Operation("op1", "m.pkl", ".mc-op1.tmp", B, A, 2, 1, 1.5, "ann", "why", 3)
TEXT = st.text(st.characters(), max_size=20)


@given(
    path=TEXT,
    who=TEXT,
    metrics=st.dictionaries(TEXT, st.floats(allow_nan=False), max_size=3),
    identity=st.lists(st.integers(0, 2**64), max_size=4).map(tuple),
)
def test_a_line_holds_any_step(path: str, who: str, metrics: dict[str, float], identity: tuple[int, ...]) -> None:
    step = dataclasses.replace(STEP, path=path, who=who, metrics=metrics, identity=identity)
    line = encode(step)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert decode(line) == step


@given(at=st.integers(0, len(encode(STEP)) - 2), by=st.integers(1, 255))
def test_a_changed_byte_is_noticed(at: int, by: int) -> None:
    line = bytearray(encode(STEP))
    line[at] ^= by
    assert decode(bytes(line)) in (None, STEP)


@pytest.mark.parametrize("line", [b"", b"[]", b"{}", b"null", b"\xff", b'{"~crc": 1}', b"[" * 100_000])
def test_what_is_no_step_is_none(line: bytes) -> None:
    assert decode(line) is None


def test_a_line_of_a_later_release_is_read(store: Path) -> None:
    found = json.loads(encode(STEP))
    del found["~crc"]
    found["new_key"] = 1
    import zlib

    text = json.dumps(found, sort_keys=True)
    line = f'{text[:-1]}, "~crc": {zlib.crc32(text.encode())}}}'.encode()
    assert decode(line) == STEP


def test_two_writers_see_each_others_steps(store: Path) -> None:
    with OwnFiles(store, create=True) as own:
        first, second = Journal(own), Journal(own)
        first.append(STEP, "intent")
        second.append(dataclasses.replace(STEP, op="op2", tmp=".mc-op2.tmp"), "intent")
        first.append(STEP, "done")
        second.refresh()
        assert [(one.op, one.state, one.seq) for one in second.operations()] == [
            ("op1", "done", 3),
            ("op2", "intent", 2),
        ]
        assert [one.op for one in second.unfinished()] == ["op2"]


def test_a_journal_cut_short_by_somebody_is_noticed(store: Path) -> None:
    with OwnFiles(store, create=True) as own:
        journal = Journal(own)
        journal.append(STEP, "intent")
        os.truncate(store / ".model-console" / "journal.jsonl", 3)
        with pytest.raises(OperationError, match="cut short"):
            journal.append(STEP, "staged")


def test_a_lock_is_for_one_at_a_time(store: Path) -> None:
    with OwnFiles(store, create=True) as own, OwnFiles(store) as other, artifact_lock(own, "m.pkl", wait=0):
        with pytest.raises(BusyError, match="replacing m"), artifact_lock(other, "m.pkl", wait=0.05):
            pass
        with artifact_lock(other, "n.pkl", wait=0):
            pass
    with OwnFiles(store) as own, artifact_lock(own, "m.pkl", wait=0):
        pass


HERE = Path(__file__).parent
NAMES = ("m.pkl", "a/b/ü.pkl", "x\n\x1b[2J.pkl", "\udcff\udcfe.pkl", "é" * 120, "/".join("d" * 200 for _ in range(18)))
BAD_NAMES = ("", "..", "a/../b", "/etc/passwd", "a//b", "nul\0.pkl", ".")
DATES = (0.0, -1.0, -3600.5, 1e10, -62e9, 253_402_300_790.0, 2**53 / 1e9)
BAD_DATES = (float("nan"), float("inf"), 1e300, -1e18, 253_402_300_900.0)
METRICS = (0.5, -0.0, 1e-320, float("nan"), float("inf"), 2**70, 3)


def step_of(chance: random.Random, number: int) -> tuple[Operation, bool]:
    """A step with whatever can stand in one, and whether it may be written."""
    bad = chance.random() < 0.1
    path = chance.choice(BAD_NAMES) if bad and chance.random() < 0.5 else chance.choice(NAMES)
    date = chance.choice(BAD_DATES) if bad and path in NAMES else chance.choice(DATES)
    text = "".join(chr(chance.choice((chance.randrange(0xD800, 0xE000), chance.randrange(0x250)))) for _ in range(5))
    metrics = {text: chance.choice(METRICS)} if chance.random() < 0.3 else {}
    digest = "sha256:" + f"{chance.getrandbits(256):064x}"
    numbers = (number % 1000 + 1, number % 7)
    step = Operation(f"{number:x}", path, f".mc-{number:x}.tmp", digest, A, *numbers, date, text, text, 3)
    return dataclasses.replace(step, metrics=metrics, old_when=chance.choice(DATES), old_who=text), not bad


def append_and_read_back(store: Path, count: int, seed: int) -> None:
    chance = random.Random(seed)
    with OwnFiles(store, create=True) as own:
        journal = Journal(own)
        last: dict[str, Operation] = {}
        for number in range(count):
            step, allowed = step_of(chance, number)
            state = chance.choice(("done", "done", "done", "committed", "aborted"))
            if not allowed:
                with pytest.raises(OperationError, match="cannot be put on record"):
                    journal.append(step, state, durable=False)
                continue
            written = journal.append(step, state, durable=False)
            if state == "done":
                last[step.path] = written
            if state == "committed":
                journal.append(written, "done", durable=False)
                last[step.path] = dataclasses.replace(written, state="done", seq=written.seq + 1)
            if number % (count // 20) == 0:
                check_read_back(own, last)
        check_read_back(own, last)
    size = (store / ".model-console" / "journal.jsonl").stat().st_size
    assert size < 4 << 20, size


def check_read_back(own: OwnFiles, last: dict[str, Operation]) -> None:
    fresh = Journal(own)
    assert fresh.damaged == ()
    for path, step in last.items():
        assert encode(fresh.of(path)[-1]) == encode(step)


def test_whatever_is_appended_is_read_back(store: Path) -> None:
    append_and_read_back(store, 3000, 1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_million_appends_are_read_back(store: Path) -> None:
    """About six minutes."""
    append_and_read_back(store, 1_000_000, 2)


def test_a_journal_of_an_earlier_release_is_read_the_line_it_called_damaged_too(store: Path) -> None:
    (store / ".model-console").mkdir()
    shutil.copy(HERE / "data" / "journal-of-an-earlier-release.jsonl", store / ".model-console" / "journal.jsonl")
    with OwnFiles(store) as own:
        journal = Journal(own)
        assert journal.damaged == ()
        assert [(one.version, one.old_version, one.who) for one in journal.of("m.pkl")] == [
            (2, 1, "ann"),
            (3, 2, "ann"),
            (2, 3, "bob"),
        ]
        (old,) = journal.of("old.pkl")
        assert (old.old_when, old.state) == (-3600.0, "done")
        assert journal.unfinished() == ()


@pytest.mark.parametrize("junk", [b"\0" * 100, b"{}\n" * 5000, b"x" * (9 << 20)], ids=["zeros", "short", "long"])
def test_damaged_lines_cost_themselves(store: Path, junk: bytes) -> None:
    with OwnFiles(store, create=True) as own:
        Journal(own).append(STEP, "committed")
        with (store / ".model-console" / "journal.jsonl").open("ab") as file:
            file.write(junk + b"\n")
        journal = Journal(own)
        assert journal.damaged[0] == 2
        journal.append(STEP, "done")
        assert [one.state for one in Journal(own).operations()] == ["done"]


def grown(store: Path, size: int) -> None:
    """A journal of about `size` bytes of two artifacts' history, whose newest versions are retained."""
    with OwnFiles(store, create=True) as own:
        first, number = Journal(own).append(STEP, "done"), 0
        lines: list[bytes] = []
        while sum(map(len, lines[-1:])) * len(lines) < size:
            number += 1
            digest = f"sha256:{number:064x}"
            op = f"{number:x}"
            step = dataclasses.replace(STEP, op=op, tmp=f".mc-{op}.tmp", path=f"{number % 2}.pkl", new=digest)
            step = dataclasses.replace(step, old=f"sha256:{number - 2:064x}", version=number + 2, old_version=number)
            for state in ("intent", "staged", "committed", "done"):
                seq = first.seq + len(lines) + 1
                lines.append(encode(dataclasses.replace(step, state=state, seq=seq)))
        with (store / ".model-console" / "journal.jsonl").open("ab") as file:
            file.writelines(lines)
        for kept in (number, number - 1, number - 2):
            with own.directory("history", artifact_key(f"{kept % 2}.pkl"), create=True) as directory:
                os.close(os.open(f"{kept + 2}-{kept:064x}", os.O_CREAT | os.O_WRONLY, 0o400, dir_fd=directory))


def test_a_journal_that_has_grown_is_written_anew_without_what_no_version_needs(store: Path) -> None:
    grown(store, 2 << 20)
    path = store / ".model-console" / "journal.jsonl"
    with OwnFiles(store) as own:
        other = Journal(own)
        before = {one.path: one for one in other.operations() if one.state == "done"}
        Journal(own).append(dataclasses.replace(STEP, op="next", tmp=".mc-next.tmp"), "intent")
        assert path.stat().st_size < 10_000
        after = Journal(own)
        assert [one.op for one in after.unfinished()] == ["next"]
        for one in ("0.pkl", "1.pkl"):
            assert after.of(one)[-1] == before[one]
        assert len(after.of("0.pkl")) + len(after.of("1.pkl")) == 3
        other.append(dataclasses.replace(STEP, op="next", tmp=".mc-next.tmp"), "done")
        assert Journal(own).unfinished() == ()
        assert sorted(os.listdir(store / ".model-console")) == ["history", "journal.jsonl", "lock"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_journal_above_the_old_cap_is_read_and_compacted(store: Path) -> None:
    """About half a minute."""
    grown(store, 2 << 20)
    path = store / ".model-console" / "journal.jsonl"
    path.write_bytes(path.read_bytes() * 129)
    with OwnFiles(store) as own:
        Journal(own).append(dataclasses.replace(STEP, op="next", tmp=".mc-next.tmp"), "done")
    assert (store / ".model-console" / "journal.jsonl").stat().st_size < 10_000


def test_who_holds_the_lock_of_a_journal_is_named(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "_LOCK_WAIT", 0.1)
    named = rf"locked by process {os.getpid()} \(.*python"
    with (
        OwnFiles(store, create=True) as own,
        store_lock(own, wait=0),
        pytest.raises(BusyError, match=named),
    ):
        Journal(own).append(STEP, "intent")
