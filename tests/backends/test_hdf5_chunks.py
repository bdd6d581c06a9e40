"""Compressed datasets opened by several threads: what libhdf5 reads, or left to it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends import hdf5_chunks
from backends.core.errors import Damaged
from backends.core.source import Source
from backends.formats.hdf5.arrays import read_numbers
from backends.formats.hdf5.tree import damage_as_errors

NUMBERS = np.round(np.random.default_rng(0).normal(size=6000), 1)
GZIP = {"compression": "gzip", "shuffle": True}
PLAIN: dict[str, tuple[Any, dict[str, Any]]] = {
    "one row": (NUMBERS, {**GZIP, "chunks": (1000,)}),
    "a short last chunk": (NUMBERS, {**GZIP, "chunks": (999,)}),
    "chunks as h5py chooses them": (NUMBERS.reshape(60, 100), GZIP),
    "edges everywhere": (NUMBERS.reshape(10, 20, 30), {**GZIP, "chunks": (3, 7, 11)}),
    "one chunk": (NUMBERS.reshape(60, 100), {**GZIP, "chunks": (60, 100)}),
    "not shuffled": (NUMBERS, {"compression": "gzip", "chunks": (700,)}),
    "large numbers first": (NUMBERS.astype(">f4"), {**GZIP, "chunks": (700,)}),
    "truths": (NUMBERS > 0, {**GZIP, "chunks": (700,)}),
    "complex": (NUMBERS * 1j, {**GZIP, "chunks": (700,)}),
    "bytes": (NUMBERS.astype("i1"), {**GZIP, "chunks": (700,)}),
    "level 9": (NUMBERS.astype("u2"), {**GZIP, "chunks": (700,), "compression_opts": 9}),
}
ODD: dict[str, tuple[Any, dict[str, Any]]] = {
    "a checksum": (NUMBERS, {**GZIP, "chunks": (700,), "fletcher32": True}),
    "lzf": (NUMBERS, {"compression": "lzf", "chunks": (700,)}),
    "not compressed": (NUMBERS, {"chunks": (700,)}),
    "shuffled only": (NUMBERS, {"chunks": (700,), "shuffle": True}),
    "rounded": (NUMBERS.astype("i4"), {**GZIP, "chunks": (700,), "scaleoffset": 0}),
    "records": (np.zeros(6000, [("a", "i4"), ("b", "f8")]), {**GZIP, "chunks": (700,)}),
    "bytes of one length": (NUMBERS.astype("S5"), {**GZIP, "chunks": (700,)}),
}


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Open datasets of any size with so many threads."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hdf5_chunks, "processors", lambda: count)
        patch.setattr(hdf5_chunks, "_LEAST", 0)
        patch.setattr(hdf5_chunks, "_AT_A_TIME", 10_000)
        yield


@contextmanager
def dataset(path: Path) -> Iterator[tuple[Any, Source]]:
    with path.open("rb") as raw:
        source = Source(raw.fileno())
        with source.file() as file, h5py.File(file, "r") as opened:
            yield opened["x"], source


def write(path: Path, data: Any, options: dict[str, Any], **more: Any) -> None:
    with h5py.File(path, "w", **more) as file:
        file.create_dataset("x", data=data, **options)


def read(path: Path, count: int) -> Any:
    """The array, or what is told instead."""
    with threads(count), dataset(path) as (found, source):
        try:
            with damage_as_errors("x"):
                array = read_numbers(found, source)
        except Damaged as error:
            return str(error)
        return array.dtype, array.shape, array.tobytes()


@pytest.mark.parametrize("what", PLAIN)
def test_plain_datasets_are_opened_by_threads(tmp_path: Path, what: str) -> None:
    write(tmp_path / "a.h5", *PLAIN[what])
    with threads(2), dataset(tmp_path / "a.h5") as (found, source):
        array = hdf5_chunks.read_chunks(found, source)
        assert array is not None
        assert (array.dtype, array.tobytes()) == (found.dtype, PLAIN[what][0].tobytes())
        assert array.flags.writeable


@pytest.mark.parametrize("what", ODD)
def test_others_are_left_to_libhdf5(tmp_path: Path, what: str) -> None:
    write(tmp_path / "a.h5", *ODD[what])
    with threads(2), dataset(tmp_path / "a.h5") as (found, source):
        assert hdf5_chunks.read_chunks(found, source) is None
        assert read_numbers(found, source).tobytes() == ODD[what][0].tobytes()


def test_a_file_behind_other_bytes_is_left_to_libhdf5(tmp_path: Path) -> None:
    write(tmp_path / "a.h5", *PLAIN["one row"], userblock_size=512)
    with threads(2), dataset(tmp_path / "a.h5") as (found, source):
        assert hdf5_chunks.read_chunks(found, source) is None


def test_small_arrays_start_no_thread(tmp_path: Path) -> None:
    write(tmp_path / "a.h5", *PLAIN["one row"])
    with dataset(tmp_path / "a.h5") as (found, source):
        assert hdf5_chunks.read_chunks(found, source) is None


def directly(path: Path, chunks: dict[int, bytes], mask: int = 0, **options: Any) -> None:
    """A dataset of 2,000 numbers in chunks of 1,000, whose chunks are these bytes."""
    with h5py.File(path, "w") as file:
        made = file.create_dataset("x", (2000,), "f8", chunks=(1000,), compression="gzip", **options)
        for offset, data in chunks.items():
            made.id.write_direct_chunk((offset,), data, mask)


def deflated(size: int = 8000) -> bytes:
    return zlib.compress((NUMBERS.tobytes() * 2)[:size])


UNSET = "one opens to too little"
"""libhdf5 gives what stood in its memory for the rest, each time something else."""
CHUNKS: dict[str, dict[int, bytes]] = {
    "one is missing": {0: deflated()},
    UNSET: {0: deflated(), 1000: deflated(7992)},
    "one opens to too much": {0: deflated(), 1000: deflated(8008)},
    "bytes follow": {0: deflated(), 1000: deflated() + b"more"},
    "one is cut off": {0: deflated(), 1000: deflated()[:-5]},
    "a checksum is wrong": {0: deflated(), 1000: deflated()[:-1] + b"?"},
    "one is as large as what is inside": {0: deflated(), 1000: bytes(8000)},
}


@pytest.mark.parametrize("what", CHUNKS)
def test_odd_chunks_are_left_to_libhdf5(tmp_path: Path, what: str) -> None:
    path = tmp_path / "a.h5"
    directly(path, CHUNKS[what])
    with threads(2), dataset(path) as (found, source):
        assert hdf5_chunks.read_chunks(found, source) is None
    if what != UNSET:
        assert read(path, 3) == read(path, 1)


def test_chunks_that_were_not_filtered_are_left_to_libhdf5(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    directly(path, {0: NUMBERS[:1000].tobytes(), 1000: NUMBERS[1000:2000].tobytes()}, mask=1)
    left_to_libhdf5(path, NUMBERS[:2000])


def test_chunks_that_were_not_shuffled_are_left_to_libhdf5(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    directly(path, {0: deflated(), 1000: deflated()}, mask=1, shuffle=True)
    left_to_libhdf5(path, np.concatenate([NUMBERS[:1000]] * 2))


def test_bytes_shuffled_in_other_numbers_are_left_to_libhdf5(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write(path, *PLAIN["one row"])
    raw = path.read_bytes()
    usual, other = (b"shuffle\0" + size.to_bytes(4, "little") for size in (8, 4))
    assert raw.count(usual) == 1
    path.write_bytes(raw.replace(usual, other))
    with threads(2), dataset(path) as (found, source):
        assert hdf5_chunks.read_chunks(found, source) is None
        assert found[()].tobytes() != NUMBERS.tobytes()


def test_numbers_that_have_to_be_converted_are_left_to_libhdf5(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    kind = h5py.h5t.STD_I32LE.copy()
    kind.set_precision(16)
    kind.set_offset(8)
    with h5py.File(path, "w") as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((1000,))
        plist.set_deflate(4)
        made = h5py.h5d.create(file.id, b"x", kind, h5py.h5s.create_simple((2000,)), plist)
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, np.arange(2000, dtype="i4"))
    left_to_libhdf5(path, np.arange(2000, dtype="i4"))


def left_to_libhdf5(path: Path, expected: Any) -> None:
    with threads(2), dataset(path) as (found, source):
        assert hdf5_chunks.read_chunks(found, source) is None
        assert read_numbers(found, source).astype(expected.dtype).tobytes() == expected.tobytes()


def test_a_chunk_as_large_as_what_is_inside_is_left_to_libhdf5(tmp_path: Path) -> None:
    """It may be one at the edge that was not filtered: that is not told of each chunk."""
    random = np.random.default_rng(0).bytes(8000)
    inside = next(
        some for some in (random[:-zeros] + bytes(zeros) for zeros in range(1, 100)) if len(zlib.compress(some)) == 8000
    )
    path = tmp_path / "a.h5"
    directly(path, {0: deflated(), 1000: zlib.compress(inside)})
    left_to_libhdf5(path, np.frombuffer(NUMBERS[:1000].tobytes() + inside))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(PLAIN)), st.data())
def test_threads_read_what_libhdf5_reads_of_damaged_chunks(tmp_path: Path, what: str, data: st.DataObject) -> None:
    path = tmp_path / "a.h5"
    write(path, *PLAIN[what])
    places: list[Any] = []
    with dataset(path) as (found, _):
        found.id.chunk_iter(places.append)
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 2))):
        place = data.draw(st.sampled_from(places))
        at = place.byte_offset + data.draw(st.integers(0, place.size - 1))
        raw[at] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(raw)
    assert read(path, 3) == read(path, 1)
