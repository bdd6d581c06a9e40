"""The walk against real unpicklers: a short fuzzing run every day, a minute in the long sweep, and what they found."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from backends.core import registry
from backends.core.source import Source
from backends.formats.pickle.walk import walk
from console.records import Verdict
from console.trust.policy import Policy
from console.trust.verdict import judge
from tests import hostile
from tests.fuzzing.campaign import faults
from tests.fuzzing.mutation import opcodes
from tests.fuzzing.references import ENGINES
from tests.fuzzing.trials import Outcome, facts, importable, writable

ROOT = Path(__file__).parents[2]


def fuzz(*, executions: int, seconds: int, seed: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzzing", "--seconds", str(seconds), "--executions", str(executions)]
    command += ["--seed", str(seed), "--corpus", str(tmp_path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds + 100, check=False)
    assert ended.stdout, ended.stderr
    report = json.loads(ended.stdout)
    assert report["findings"] == [], [path.read_text() for path in tmp_path.glob("findings/*.txt")]
    assert ended.returncode == 0, ended.stderr
    assert report["executions"] == executions or report["seconds"] >= seconds
    assert report["features"] > 500


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_thousand_fuzzed_inputs_find_nothing(tmp_path: Path) -> None:
    fuzz(executions=1000, seconds=180, seed=1, tmp_path=tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ten_thousand_fuzzed_inputs_find_nothing(tmp_path: Path) -> None:
    fuzz(executions=10_000, seconds=240, seed=2, tmp_path=tmp_path)


@contextlib.contextmanager
def opened(data: bytes) -> Iterator[Source]:
    fd = os.memfd_create("pickle", os.MFD_CLOEXEC)
    try:
        os.write(fd, data)
        yield Source(fd)
    finally:
        os.close(fd)


def outcome(data: bytes) -> Outcome:
    with opened(data) as source:
        found = Outcome(facts(walk(source)))
    for engine, load in ENGINES.items():
        asked: set[tuple[str, str]] = set()
        with contextlib.suppress(Exception):
            load(data, lambda module, name, asked=asked: asked.add((module, name)))  # type: ignore[misc]
        found.asked[engine] = asked
    return found


SYSTEM = b"cos\nsystem\n."
FOUND = {
    "behind bytes that are no pickle": b"\x80\x04N.\x8c\x02os\x8c\x06system\x93.",
    "behind a frame that goes on after STOP": b"\x80\x04\x95\x05\0\0\0\0\0\0\0N.\xff\xff\xff" + SYSTEM,
    "behind a frame that hides another start": b"\x80\x04\x95\x04\0\0\0\0\0\0\0N.N." + SYSTEM,
    "memo index with a sign": b"\x8c\x02osp+1\n\x8c\x06systemp1_2\ng 1\ng12\n\x93.",
    "memo index with a NUL": b"\x8c\x02osp1\0x\n0g1\n\x8c\x06system\x93.",
    "integer of another base": b"I0x10\nL0o7L\nF1_0\n" + SYSTEM,
    "line end missing": b"cos\nsystem",
    "behind a name that a function gave back": b"\x80\x04(cnumpy\namax\nVos\no\x8c\x06system\x93)R.",
}
"""Streams in which a name was once not listed."""


@pytest.mark.parametrize("data", FOUND.values(), ids=list(FOUND))
def test_what_fuzzing_found_stays_mended(data: bytes) -> None:
    found = outcome(data)
    assert any(found.asked.values())
    assert faults(found, data) == []


def test_a_name_that_the_walk_does_not_list_is_a_fault() -> None:
    found = outcome(SYSTEM)
    assert found.walked is not None
    found.walked["names"] = []
    assert [fault.partition(";")[0] for fault in faults(found, SYSTEM)] == [f"missed: {engine}" for engine in ENGINES]
    assert faults(Outcome(fault="the walk was lost after 12.0 s, wait status 9"), SYSTEM)


def test_names_that_nothing_can_reach_are_forgiven_and_no_others() -> None:
    reached = [("os", "system"), ("my-mod.sub", "A.b"), ("möd", "fün"), ("_x", "_")]
    assert all(importable(pair) and writable(pair) for pair in reached)
    in_text = [("os", "systemJS'touch x'"), ("joblib", "-oad"), ("jTb|ib", "load"), ("os", "a..b"), ("os", "1a")]
    assert all(importable(pair) and not writable(pair) for pair in in_text)
    nowhere = [("", "system"), (" os ", "system\t"), ("a..b", "c"), ("a/b", "c"), ("os", "")]
    assert not any(importable(pair) or writable(pair) for pair in nowhere)


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_payload_between_any_two_opcodes_is_never_safe(protocol: int) -> None:
    rows = np.random.RandomState(0).rand(10, 2)
    honest = pickle.dumps(make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, np.arange(10) % 2), protocol)
    parts, payload = opcodes(honest), hostile.evil("/nonexistent/marker") + b"0"
    assert judged(honest) is Verdict.SAFE
    for at in range(1, len(parts)):
        assert judged(b"".join([*parts[:at], payload, *parts[at:]])) is Verdict.BLOCKED, at


def judged(data: bytes) -> Verdict | None:
    with opened(data) as source:
        return judge(registry.inspect(source), Policy()).verdict
