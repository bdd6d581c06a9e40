from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.errors import Failed
from console.store.journal import Journal, Operation, decode, encode
from console.store.own_files import Busy, OwnFiles, artifact_lock

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
        with pytest.raises(Failed, match="cut short"):
            journal.append(STEP, "staged")


def test_a_lock_is_for_one_at_a_time(store: Path) -> None:
    with OwnFiles(store, create=True) as own, OwnFiles(store) as other, artifact_lock(own, "m.pkl", wait=0):
        with pytest.raises(Busy, match="replacing m"), artifact_lock(other, "m.pkl", wait=0.05):
            pass
        with artifact_lock(other, "n.pkl", wait=0):
            pass
    with OwnFiles(store) as own, artifact_lock(own, "m.pkl", wait=0):
        pass
