"""Reading through a copy made once, sealed skeletons, and plans that are not believed."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from backends.core import registry
from backends.core.errors import Damaged, NotLoadable
from backends.core.frozen import Freezing, Frozen
from backends.core.load_plan import BUFFER, DATASET, NUMBERS, OBJECTS, LoadPlan, Piece
from tests.frozen import froze, frozen

X = np.random.RandomState(0).normal(size=(40, 3))
Y = X[:, 0] > 0


@pytest.fixture
def memory() -> Iterator[int]:
    """An empty memfd."""
    fd = os.memfd_create("memory", os.MFD_ALLOW_SEALING)
    yield fd
    os.close(fd)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    """100,000 random bytes in a file that can be read and written."""
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    os.write(fd, os.urandom(100_000))
    yield fd
    os.close(fd)


def test_bytes_are_copied_once_and_read_from_the_copy_ever_after(file: int, memory: int) -> None:
    os.ftruncate(memory, 100_000)
    source = Freezing(file, memory)
    random = np.random.RandomState(1)
    seen: list[int | None] = [None] * 100_000
    for _ in range(300):
        start, length = int(random.randint(0, 100_000)), int(random.randint(0, 3000))
        now = os.pread(file, length, start)
        found = source.read(start, length)
        before = seen[start : start + length]
        assert found == bytes(new if old is None else old for old, new in zip(before, now, strict=True))
        seen[start : start + length] = list(found)
        os.pwrite(file, random.bytes(50), int(random.randint(0, 99_950)))
        assert source.read(start, length) == found
    assert None in seen


def test_a_file_that_became_shorter_and_one_that_is_too_much(file: int, memory: int) -> None:
    os.ftruncate(memory, 100_000)
    with pytest.raises(NotLoadable, match="fits into memory"):
        Freezing(file, memory, limit=1000).read(0, 1001)
    os.ftruncate(file, 50_000)
    with pytest.raises(Damaged, match="shrank"):
        Freezing(file, memory).read(49_000, 2000)


def test_all_but_large_numbers_is_sealed(tmp_path: Path) -> None:
    path = tmp_path / "a.joblib"
    joblib.dump({"large": np.arange(1e6), "small": np.arange(9.0)}, path)
    with frozen(path) as taken:
        (raw,) = taken.plan.raw
        assert (raw.kind, raw.length) == (NUMBERS, 8_000_000)
        whole = path.read_bytes()
        for start, stop in taken.plan.sealed(len(whole)):
            assert os.pread(taken.memory, stop - start, start) == whole[start:stop]
        assert os.fstat(taken.memory).st_blocks * 512 < 3_000_000
        source = taken.source()
        assert source.read(raw.offset - 5, 5) == whole[raw.offset - 5 : raw.offset]
        with pytest.raises(Damaged, match="raw numbers"):
            source.read(raw.offset, 1)
        with pytest.raises(Damaged, match="raw numbers"):
            source.read(raw.offset + raw.length - 1, 1)
        assert source.read(raw.offset + raw.length, 3) == whole[raw.offset + raw.length :][:3]


def test_what_is_rewritten_alters_numbers_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.joblib"
    joblib.dump({"large": np.arange(1e5), "small": np.arange(9.0)}, path)
    with frozen(path) as taken:
        path.write_bytes(b"\x01" * path.stat().st_size)
        found: Any = taken.load()
        assert found["small"].tolist() == list(range(9))
        assert set(found["large"].view(np.uint8)) == {1}
        os.truncate(path, 1000)
        with pytest.raises(Damaged, match="shrank underneath"):
            taken.load()


@pytest.mark.parametrize("compress", [("zlib", 1), ("lz4", 1)])
def test_a_compressed_file_is_sealed_whole(tmp_path: Path, compress: Any) -> None:
    path = tmp_path / "a.joblib"
    joblib.dump(np.random.RandomState(0).bytes(300_000), path, compress=compress)
    joblib.dump(np.arange(1e5), path, compress=compress)
    with frozen(path) as taken:
        assert taken.plan.inside
        assert not taken.plan.raw
        path.write_bytes(b"")
        assert np.array_equal(taken.load(), np.arange(1e5))


PIECE = Piece(10, 20, 30, NUMBERS)
WRONG = {
    "out of order": (PIECE._replace(at=60, offset=60), PIECE),
    "overlapping": (PIECE, PIECE._replace(at=49, offset=49)),
    "beyond the end": (PIECE._replace(length=100),),
    "far beyond the end": (PIECE._replace(length=(1 << 62)), PIECE),
    "negative": (PIECE._replace(at=-1),),
    "of negative length": (PIECE._replace(length=-1),),
    "before its opcodes": (PIECE._replace(at=21),),
    "of no kind": (PIECE._replace(kind=9),),
    "objects left out": (PIECE._replace(kind=OBJECTS, raw=True),),
}


@pytest.mark.parametrize("pieces", WRONG.values(), ids=WRONG)
def test_plans_that_are_refused(pieces: tuple[Piece, ...], memory: int) -> None:
    data = LoadPlan(pieces).to_bytes()
    with pytest.raises(ValueError, match="load plan"):
        LoadPlan.from_bytes(data, 100)
    os.ftruncate(memory, 100)
    with pytest.raises(ValueError, match="load plan"):
        Frozen(memory, "", data, memory)


def test_plans_come_back_as_they_were_written(memory: int) -> None:
    pieces = (PIECE, Piece(50, 51, 9, OBJECTS), Piece(70, 70, 30, DATASET, True), Piece(100, 100, 0, BUFFER))
    for inside in (False, True):
        plan = LoadPlan(tuple(each._replace(raw=each.raw and not inside) for each in pieces), inside)
        again = LoadPlan.from_bytes(plan.to_bytes(), 100)
        assert (again.pieces, again.inside) == (plan.pieces, inside)
    with pytest.raises(ValueError, match="leaves out"):
        LoadPlan.from_bytes(LoadPlan(pieces, True).to_bytes(), 100)
    for data in (b"1", b"\0" * 16, b"\2" + b"\0" * 7):
        with pytest.raises(ValueError, match="load plan"):
            LoadPlan.from_bytes(data, 100)
    assert not LoadPlan.from_bytes(b"", 100)
    os.ftruncate(memory, 100)
    with pytest.raises(ValueError, match="no file"):
        Frozen(memory, "", LoadPlan(pieces[:3]).to_bytes())


def stored(path: Path, **options: Any) -> Any:
    """A model in the own HDF5 layout with arrays of every kind that is large enough to be mapped."""
    model = LogisticRegression().fit(X, Y)
    model.plain_ = np.arange(2e4)
    model.fortran_ = np.asfortranarray(np.arange(2e4).reshape(100, 200))
    model.dates_ = np.arange(2e4).astype("M8[s]")
    model.flags_ = np.arange(90_000) % 3 == 0
    model.complex_ = np.arange(2e4) * 1j
    model.record_ = np.zeros(9000, [("a", "i4"), ("b", "f8")])
    model.texts_ = np.array([f"word {number}" for number in range(9000)])
    with path.open("w+b") as file:
        registry.save(model, "hdf5", file.fileno(), **options)
    return model


def test_large_arrays_of_an_hdf5_file_are_mapped_and_the_rest_is_sealed(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    model = stored(path)
    before = path.read_bytes()
    with frozen(path) as taken:
        assert {piece.kind for piece in taken.plan.raw} == {DATASET}
        assert len(taken.plan.raw) >= 6
        again: Any = taken.load()
        for name in ("plain_", "fortran_", "dates_", "flags_", "complex_", "record_", "texts_", "coef_"):
            left, right = getattr(again, name), getattr(model, name)
            assert (left.dtype, left.shape, left.tolist()) == (right.dtype, right.shape, right.tolist())
        assert again.fortran_.flags.f_contiguous
        assert np.array_equal(again.predict(X), model.predict(X))
        again.plain_[:] = 5
        assert path.read_bytes() == before
        path.write_bytes(bytes(len(before)))
        rewritten: Any = taken.load()
        assert not rewritten.plain_.any()
        assert rewritten.texts_.tolist() == model.texts_.tolist()
        assert np.array_equal(rewritten.predict(X), model.predict(X))


def test_a_compressed_hdf5_file_is_sealed_whole(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    model = stored(path, compression="gzip")
    with frozen(path) as taken:
        names = {each.offset for each in taken.plan.raw}
        path.write_bytes(bytes(path.stat().st_size))
        assert np.array_equal(taken.load().plain_, model.plain_)
    assert not names


def test_weights_are_mapped_too(tmp_path: Path) -> None:
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        file["model/weights/weight_0"] = np.arange(90_000.0).reshape(1, 90_000)
        file["model/weights/weight_1"] = np.zeros(1)
        file["model/classes"] = np.arange(20_000)[:2]
        file["model"].attrs["class"] = "sklearn.linear_model.LogisticRegression"
    with frozen(path) as taken:
        assert taken.inspection.format == "hdf5-weights"
        assert len(taken.plan.raw) == 1
        again: Any = taken.load()
        assert again.coef_[0, :3].tolist() == [0, 1, 2]
        assert again.predict(np.ones((1, 90_000))).tolist() == [1]


def test_two_datasets_over_the_same_bytes_are_not_mapped(tmp_path: Path, memory: int) -> None:
    path = tmp_path / "m.h5"
    stored(path)
    file = os.open(path, os.O_RDONLY)
    try:
        taken = froze(file, memory, "m.h5")
    finally:
        os.close(file)
    (first, *_) = taken.plan.raw
    pieces = (first._replace(length=first.length - 8), *taken.plan.pieces[1:])
    with frozen(path) as again, pytest.raises(Damaged, match="disagree"):
        registry.load(Frozen(again.memory, "m", LoadPlan(pieces).to_bytes(), again.file), "hdf5")


class Callee:
    """Pickles into a call with this argument."""

    def __init__(self, callee: Any, *args: Any) -> None:
        self.call = callee, args

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_numbers_of_a_plain_pickle_stay_in_the_file(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "a.pkl"
    model = LogisticRegression().fit(X, Y)
    model.large_ = np.arange(4e4)
    model.fortran_ = np.asfortranarray(np.arange(4e4, dtype="f4").reshape(200, 200))
    model.dates_ = np.arange(2e4).astype("M8[s]")
    model.texts_ = np.array([f"word {number}" for number in range(9000)])
    model.again_ = model.large_
    path.write_bytes(pickle.dumps(model, protocol))
    with frozen(path) as taken:
        raw = {piece.length for piece in taken.plan.raw}
        assert raw == (set() if protocol == 2 else {320_000, 160_000})
        again = taken.load()
        assert pickle.dumps(again, protocol) == path.read_bytes()
        assert again.large_ is again.again_
        assert again.large_.flags.writeable
        assert again.large_.flags.aligned
        path.write_bytes(bytes(path.stat().st_size))
        rewritten = taken.load()
        assert rewritten.large_.any() == (protocol == 2)
        assert rewritten.texts_.tolist() == model.texts_.tolist()
        assert np.array_equal(rewritten.predict(X), model.predict(X))
        if raw:
            os.truncate(path, 1000)
            with pytest.raises(Damaged, match="shrank underneath"):
                taken.load()


def test_byte_strings_that_are_no_numbers_are_sealed(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    data = bytes(range(256)) * 1000
    for content in (
        pickle.dumps(data, 4),
        pickle.dumps([data, np.arange(3)], 4),
        pickle.dumps(Callee(bytes.hex, data), 4),
        pickle.dumps(Callee(np.frombuffer, data), 5),
        pickle.dumps(np.array(["text"] * 20_000), 4),
        shared_bytes(4),
        shared_bytes(5),
    ):
        path.write_bytes(content)
        with frozen(path) as taken:
            assert not taken.plan.raw, content[:200]


def shared_bytes(protocol: int) -> bytes:
    """A pickle whose array and a bare byte string are one and the same."""
    stream = pickle.dumps(np.arange(5e4), protocol)
    head = {4: b"B", 5: b"\x96"}[protocol] + (400_000).to_bytes({4: 4, 5: 8}[protocol], "little")
    end = stream.index(head) + len(head) + 400_000
    return stream[:end] + b"q\xfe" + stream[end:-1] + b"0h\xfe."
