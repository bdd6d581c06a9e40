"""The walk sees what a real unpickler would: every name, every array, and never more than its budget."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import random
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends.core.errors import ArtifactError
from backends.core.source import Source
from backends.formats.pickle.plain import inspect_pickle
from backends.formats.pickle.reader import Budget
from backends.formats.pickle.values import DictValue, Instance
from backends.formats.pickle.walk import Walk, walk
from tests.hostile import SAMPLES


@contextlib.contextmanager
def opened(data: bytes) -> Iterator[Source]:
    fd = os.memfd_create("pickle", os.MFD_CLOEXEC)
    try:
        with io.FileIO(fd, "wb", closefd=False) as file:
            file.write(data)
        yield Source(fd)
    finally:
        os.close(fd)


def walked(data: bytes, budget: Budget | None = None) -> Walk:
    with opened(data) as source:
        return walk(source, budget)


class Recorder(pickle._Unpickler):
    """CPython's own unpickler, noting each name it asks for."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self.names: set[str] = set()

    def find_class(self, module: str, name: str) -> Any:
        self.names.add(f"{module}.{name}")
        return super().find_class(module, name)


class Refuser(Recorder):
    """Notes names and builds nothing of them."""

    def find_class(self, module: str, name: str) -> Any:
        self.names.add(f"{module}.{name}")
        return lambda *args, **kwargs: None


LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50) | st.binary(max_size=300)
    | st.dates() | st.timedeltas() | st.decimals() | st.fractions() | st.complex_numbers()
)  # fmt: skip
HASHABLE = st.integers() | st.text(max_size=8) | st.tuples(st.integers(), st.text(max_size=4))
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=6) | st.dictionaries(HASHABLE, inner, max_size=6)
        | st.lists(inner, max_size=4).map(tuple)
        | st.lists(inner, max_size=4).map(deque)
        | st.sets(HASHABLE, max_size=5) | st.frozensets(HASHABLE, max_size=5)
        | st.dictionaries(st.text(max_size=4), inner, max_size=4).map(OrderedDict)
        | st.lists(inner, max_size=3).map(lambda items: [items, items]) | st.lists(HASHABLE, max_size=5).map(Counter)
    ),
    max_leaves=40,
)  # fmt: skip


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(value=VALUES, protocol=st.integers(0, 5))
def test_every_name_a_real_unpickler_asks_for_is_listed(value: Any, protocol: int) -> None:
    data = pickle.dumps(value, protocol)
    recorder = Recorder(data)
    recorder.load()
    result = walked(data)
    assert {str(use) for use in result.names} >= recorder.names
    assert result.complete
    assert [each for each in result.findings if each.code != "nested-pickle"] == []


_COSTLY = ("26", "44", "45", "68")
"""Samples on which CPython's own unpickler would not come back."""


def seeds() -> list[bytes]:
    values: list[Any] = [
        {"a": [1, 2.5, None, "text", b"bytes", (1, 2), {3}, date(2024, 1, 1), Decimal("1.5"), Fraction(1, 3)]},
        [
            np.arange(5),
            np.array(["a", None], dtype=object),
            np.float64(2.5),
            timedelta(1),
            np.arange(3).astype("M8[D]"),
        ],
    ]
    found = [pickle.dumps(value, protocol) for value in values for protocol in range(6)]
    for value in values:
        file = io.BytesIO()
        joblib.dump(value, file)
        found.append(file.getvalue())
    return found + [sample.build("/nonexistent/marker") for sample in SAMPLES if sample.title[:2] not in _COSTLY]


@pytest.mark.parametrize("seed", range(4))
def test_damage_of_any_kind_is_a_finding_and_costs_little(seed: int) -> None:
    rng, corpus = random.Random(seed), seeds()
    for _ in range(250):
        data = bytearray(rng.choice(corpus))
        for _ in range(rng.randint(1, 6)):
            at = rng.randrange(len(data))
            data[at] = rng.randrange(256)
        data = data[: rng.randrange(len(data)) + 1] if rng.random() < 0.5 else data
        started = time.process_time()
        with opened(bytes(data)) as source, contextlib.suppress(ArtifactError):
            inspect_pickle(source)
        assert time.process_time() - started < 8


@pytest.mark.parametrize("seed", range(4))
def test_names_in_damaged_streams_are_a_superset(seed: int) -> None:
    """Both CPython unpicklers stop somewhere in a damaged stream; what they asked for until then is listed."""
    rng, corpus = random.Random(1000 + seed), [each for each in seeds() if b"ArrayWrapper" not in each]
    for _ in range(250):
        data = bytearray(rng.choice(corpus))
        for _ in range(rng.randint(0, 3)):
            data[rng.randrange(len(data))] = rng.choice(
                b"(.012FIJKLMNPQRSTUVXabcd}eghijlo]pqrst)uG\x81\x85\x86\x93\x94\x95"
            )
        if b"\x8b" in data or b"r\xff" in data or b"\x96" in data:
            continue
        refuser = Refuser(bytes(data))
        with contextlib.suppress(Exception):
            refuser.load()
        result = walked(bytes(data))
        listed = {str(use) for use in result.names}
        if not any(each.code in ("frame", "exponential", "odd-literal") for each in result.findings):
            assert refuser.names <= listed, (bytes(data), result.findings)


def test_every_truncation_is_told() -> None:
    file = io.BytesIO()
    joblib.dump({"a": np.arange(30.0), "b": np.array(["x", None], dtype=object)}, file)
    data = file.getvalue()
    assert walked(data).complete
    for length in range(1, len(data)):
        result = walked(data[:length])
        assert not result.complete, length
        assert result.findings


BUDGETS: dict[str, tuple[dict[str, Any], bytes]] = {
    "opcodes": ({"opcodes": 5000}, b"\x80\x04" + b"N0" * 10_000 + b"N."),
    "memo": ({"memo": 1000}, b"\x80\x04N" + b"\x94" * 5000 + b"."),
    "depth": ({"depth": 100}, b"\x80\x04" + b"(" * 200 + b"t" * 200 + b"."),
    "time": ({"seconds": 0}, b"\x80\x04" + b"N0" * 10_000 + b"N."),
    "time in a line": ({"seconds": 0}, b"V" + b"x" * (1 << 20) + b"\n0N."),
    "memory": ({"memory": 16 << 20}, b"\x80\x04" + b"}" * 1_000_000 + b"N."),
    "names": ({}, b"".join(b"cm\nn%d\n" % number for number in range(10_001)) + b"."),
    "length of a name": ({}, b"c" + b"x" * (1 << 17) + b"\nx\n."),
    "length of a name in a large file": ({}, b"c" + b"x" * (1 << 21) + b"\nx\n."),
    "streams": ({}, b"\x80\x04N." * 1001),
    "memo index": ({}, b"\x80\x04Nr\xff\xff\xff\xff."),
}


@pytest.mark.parametrize(("limits", "data"), BUDGETS.values(), ids=list(BUDGETS))
def test_a_budget_that_runs_out_is_a_finding(limits: dict[str, Any], data: bytes) -> None:
    result = walked(data, Budget(**limits))
    assert not result.complete
    assert [each.code for each in result.findings] == ["limit"]
    assert all(each.offset is not None and each.detail for each in result.findings)


def test_raw_arrays_are_stepped_over_unread(tmp_path: Path) -> None:
    path = tmp_path / "model.joblib"
    joblib.dump({"big": np.zeros(4 << 20), "small": np.arange(3), "after": np.arange(4.0)}, path)
    fd = os.open(path, os.O_RDONLY)
    try:
        source = Source(fd)
        result = walk(source)
        arrays = [region.array for region in result.regions if region.array is not None]
        assert result.complete
        assert source.bytes_read < 100_000
        assert [array.shape for array in arrays] == [(4 << 20,), (3,), (4,)]
        assert np.frombuffer(source.read(arrays[2].offset, arrays[2].length)).tolist() == [0.0, 1.0, 2.0, 3.0]
        tiled = 0
        for region in result.regions:
            assert region.offset == tiled
            tiled += region.length
    finally:
        os.close(fd)
    assert tiled == path.stat().st_size


def test_long_bytes_of_a_plain_pickle_are_stepped_over_unread() -> None:
    with opened(pickle.dumps({"a": b"x" * (8 << 20), "b": "y" * (4 << 20), "c": 1}, 5)) as source:
        result = walk(source)
        assert source.bytes_read < 200_000
    assert result.complete


def test_python_2_strings_are_read_as_latin_1() -> None:
    result = walked(b"(dp0\nS'caf\\xe9'\np1\nS'\xe9t\xe9'\np2\ns.")
    assert result.complete
    assert type(result.roots[0]) is DictValue
    assert result.roots[0].flat == ["caf\xe9", "\xe9t\xe9"]


def test_several_pickles_are_all_walked() -> None:
    result = walked(
        b"".join(pickle.dumps(value, 2) for value in ([1, 2, 3], {"a": date(2024, 1, 2)}, [date(2024, 1, 3)]))
    )
    assert len(result.roots) == 3
    assert {str(use) for use in result.names} == {"datetime.date", "_codecs.encode"}
    assert [each.code for each in result.findings] == ["several-pickles"]


def test_state_set_by_instance_is_kept() -> None:
    root = walked(pickle.dumps(np.random.RandomState(0), 4)).roots[0]
    assert type(root) is Instance
    assert root.state is not None
