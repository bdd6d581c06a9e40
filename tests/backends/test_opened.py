"""Decompressed content, put where somebody else loads it from: as much as the plan says, and opened only once."""

from __future__ import annotations

import gzip
import os
import pickle
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import joblib
import numpy as np
import pytest

from backends.core import registry
from backends.core.errors import Damaged
from backends.core.frozen import Frozen
from backends.core.inspection import Inspection
from backends.core.load_plan import NUMBERS, LoadPlan, Piece
from backends.core.source import Source


@contextmanager
def memory(data: bytes = b"") -> Iterator[int]:
    fd = os.memfd_create("opened", os.MFD_CLOEXEC)
    try:
        os.write(fd, data)
        yield fd
    finally:
        os.close(fd)


def inspected(data: bytes, into: int) -> tuple[Inspection, bytes]:
    """The facts and the plan of a stored file."""
    with memory(data) as fd:
        source = Source(fd, "m.joblib")
        source.plan, source.into = LoadPlan(), into
        return registry.inspect(source), source.plan.to_bytes()


@pytest.fixture
def joblib_bytes(tmp_path: Path) -> bytes:
    joblib.dump({"a": np.arange(1000.0), "b": np.array(["x", "yz"])}, tmp_path / "whole")
    return (tmp_path / "whole").read_bytes()


def test_it_holds_all_of_a_joblib_file_and_is_loaded_by_the_same_plan(joblib_bytes: bytes) -> None:
    with memory() as into:
        found, plan = inspected(zlib.compress(joblib_bytes), into)
        assert os.pread(into, len(joblib_bytes) + 1, 0) == joblib_bytes
        loaded = registry.load(Frozen(into, "m.joblib", plan, opened=True), found.format)
        assert loaded.model["a"].tolist() == list(range(1000))
        assert loaded.model["b"].tolist() == ["x", "yz"]
        assert set(loaded.phases) == {"unpickle"}


@pytest.mark.parametrize("cut", [1, 4000, 8000])
def test_a_plan_that_leaves_it_is_no_plan(joblib_bytes: bytes, cut: int) -> None:
    with memory() as into:
        found, plan = inspected(zlib.compress(joblib_bytes), into)
        os.ftruncate(into, len(joblib_bytes) - cut)
        with pytest.raises((ValueError, EOFError, pickle.UnpicklingError)):
            registry.load(Frozen(into, "m.joblib", plan, opened=True), found.format)
        pieces = (Piece(at=10, offset=20, length=len(joblib_bytes), kind=NUMBERS),)
        with pytest.raises(ValueError, match="leaves the file"):
            Frozen(into, "m.joblib", LoadPlan(pieces, inside=True).to_bytes(), opened=True)


def test_a_pickle_that_looks_like_a_compression_is_not_opened_once_more() -> None:
    inner = b"BZh9\0" + bytes(0x39685A) + b"."
    with memory(inner) as fd:
        assert registry.load(Frozen(fd, "m.pkl", opened=True), "pickle").model == bytes(0x39685A)


def test_joblib_itself_never_reads_it(joblib_bytes: bytes) -> None:
    with memory(joblib_bytes) as fd, pytest.raises(Damaged, match="without the load plan"):
        registry.load(Frozen(fd, "m.joblib", opened=True), "joblib")


@pytest.mark.parametrize(
    "odd",
    [
        lambda data: zlib.compress(data)[:-9],
        lambda data: zlib.compress(data) + b"more",
        lambda data: zlib.compress(data + data),
        lambda data: gzip.compress(data[:-1]),
        lambda data: data,
    ],
)
def test_nothing_is_there_that_is_not_loaded_from_it(joblib_bytes: bytes, odd: object) -> None:
    assert callable(odd)
    with memory() as into:
        inspected(odd(joblib_bytes), into)
        assert os.fstat(into).st_size == 0
