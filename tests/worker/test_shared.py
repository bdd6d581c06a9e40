"""Numbers in shared memory: sealed before the other side sees them, seen in place, never changed underneath."""

from __future__ import annotations

import mmap
import os
import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy
import pytest
from sklearn.linear_model import Ridge

from backends.core.source import Source
from console.errors import ConsoleError
from console.worker import model as worker_model
from console.worker import shared
from console.worker.child import mapped
from console.worker.child.tables import read_table
from console.worker.launcher import Launcher
from console.worker.model import Worker
from tests.worker.payloads import Load, OpenFile, predicting

X = numpy.random.default_rng(0).normal(size=(60_000, 6))


async def test_large_rows_and_answers_go_through_sealed_memory(launcher: Launcher, open_file: OpenFile) -> None:
    ridge = Ridge().fit(X, X[:, :3])
    worker = await Worker.start(launcher, "ridge")
    await worker.load(open_file(pickle.dumps(ridge), "ridge.pkl"), "pickle")
    assert X.nbytes > worker_model.INLINE_CAP
    for given in (X.tobytes(), X.data.cast("B")):
        (place,), answer, _spent = await worker.call_array("<f8", X.shape, given)
        assert isinstance(answer, memoryview)
        assert answer.readonly
        found = numpy.frombuffer(answer, place.dtype).reshape(place.shape)
        assert numpy.allclose(found, ridge.predict(X), rtol=1e-12)
        del found, answer
    fd = shared.written(X.tobytes())
    with pytest.raises(PermissionError):
        os.pwrite(fd, b"x", 0)
    with pytest.raises(PermissionError):
        os.ftruncate(fd, 8)
    (place,), answer, _spent = await worker.call_array("<f8", X.shape, fd)
    os.close(fd)
    assert place.bytes == len(answer)
    del answer


async def test_a_failure_on_shared_rows_is_told_like_any_other(launcher: Launcher, evil: Load) -> None:
    worker = await Worker.start(launcher, "model.pkl")
    await worker.load(evil(predicting("X.no_such_thing")), "pickle")
    with pytest.raises(ConsoleError, match="no_such_thing"):
        await worker.call_array("<f8", X.shape, X.tobytes())
    assert worker.child.alive


KEEPS = (
    "[setattr(__import__('builtins'), 'kept', [__import__('mmap').mmap(int(fd), 8) for fd in"
    " __import__('os').listdir('/proc/self/fd') if __import__('os').readlink(f'/proc/self/fd/{fd}')"
    ".startswith('/memfd:model-console-array') and not __import__('os').truncate(int(fd), 8)]),"
    " __import__('numpy').zeros(1)][1]"
)


async def test_an_answer_that_its_writer_could_still_change_is_none(launcher: Launcher, evil: Load) -> None:
    worker = await Worker.start(launcher, "model.pkl")
    await worker.load(evil(predicting(KEEPS)), "pickle")
    empty = os.memfd_create("numbers")
    os.write(empty, bytes(8))
    with pytest.raises(ConsoleError) as caught:
        await worker.call_array("<f8", (1, 1), empty)
    os.close(empty)
    assert caught.value.failure is not None
    assert caught.value.failure.code == "protocol"
    await worker.child.ended.wait()


@pytest.fixture
def small_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped, "MAPPED_FROM", 64)


def table(path: Path, target: str | None = None) -> Any:
    fd = os.open(path, os.O_RDONLY)
    try:
        return read_table(Source(fd, path.name), target, None)
    finally:
        os.close(fd)


def in_file(array: Any) -> bool:
    """Whether these numbers are a view of a map."""
    while isinstance(array, numpy.ndarray):
        array = array.base
    return isinstance(array, mmap.mmap) or (isinstance(array, memoryview) and isinstance(array.obj, mmap.mmap))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f8", "<f4", "<i8", "|u1", "|b1"])
@pytest.mark.usefixtures("small_maps")
def test_numbers_of_a_npy_file_are_seen_in_place(tmp_path: Path, dtype: str, order: Any) -> None:
    numbers = numpy.asarray(X[:50] * 3, dtype=dtype, order=order)
    numpy.save(tmp_path / "x.npy", numbers)
    found = table(tmp_path / "x.npy")
    assert in_file(found.X)
    assert not found.X.flags.writeable
    assert found.X.dtype == numbers.dtype
    assert (numbers == found.X).all()
    apart = table(tmp_path / "x.npy", "5")
    assert in_file(apart.X)
    assert (apart.y == numbers[:, 5]).all()


@pytest.mark.usefixtures("small_maps")
def test_numbers_of_a_contiguous_dataset_are_seen_in_place_and_others_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["X"] = X[:50]
        file.create_dataset("y", data=X[:50, 0], chunks=(10,), compression="gzip")
    found = table(tmp_path / "x.h5")
    assert in_file(found.X)
    assert not in_file(found.y)
    assert (X[:50] == found.X).all()


@pytest.mark.usefixtures("small_maps")
def test_what_cannot_be_mapped_is_read_and_what_is_cut_off_refused(tmp_path: Path) -> None:
    numpy.save(tmp_path / "big.npy", X[:50].astype(">f8"))
    found = table(tmp_path / "big.npy")
    assert not in_file(found.X)
    assert (X[:50] == found.X).all()
    numpy.save(tmp_path / "cut.npy", X[:50])
    os.truncate(tmp_path / "cut.npy", 1000)
    with pytest.raises(Exception, match="cannot be read as npy"):
        table(tmp_path / "cut.npy")
    (tmp_path / "head.npy").write_bytes(b"\x93NUMPY\x01\x00\x76\x00{'descr': 'garbage" + b" " * 200)
    with pytest.raises(Exception, match="cannot be read as npy"):
        table(tmp_path / "head.npy")
