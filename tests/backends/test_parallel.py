"""Streams opened by several threads: the same bytes, or the same words about them, as by one."""

from __future__ import annotations

import bz2
import lzma
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends import bz2_blocks, parallel, xz_blocks
from backends.core import compression as envelopes
from backends.core.source import Source
from tests.backends.streams import (
    Result,
    bz2_of,
    checksum,
    misleading_block,
    model_bytes,
    opened,
    without_checksum,
    xz_block,
    xz_end,
    xz_frame,
    xz_of,
)

PARTS = [model_bytes(3000), b"a", b"\0" * 5000, misleading_block(), model_bytes(80), bytes(range(256)) * 7, b"xyz" * 99]
MAKERS: dict[str, Callable[[Sequence[bytes]], bytes]] = {"bz2": bz2_of, "xz": xz_of}


@contextmanager
def threads(count: int, least: int = 0) -> Iterator[None]:
    """Open streams of at least so many bytes with so many threads."""
    patch = pytest.MonkeyPatch()
    patch.setattr(envelopes, "processors", lambda: count)
    ways = {name: (way, least) for name, (way, _) in envelopes.IN_PARALLEL.items()}
    patch.setattr(envelopes, "IN_PARALLEL", ways)
    try:
        yield
    finally:
        patch.undo()


def alone(data: bytes, max_bytes: int = envelopes.MAX_BYTES) -> Result:
    with threads(1):
        return opened(data, max_bytes)


def together(data: bytes, max_bytes: int = envelopes.MAX_BYTES) -> Result:
    with threads(3):
        return opened(data, max_bytes)


def in_parts(data: bytes, compression: str) -> bytes | None:
    """What the threads alone make of a stream, None where they leave it to one."""
    fd, out = os.memfd_create("in"), os.memfd_create("out")
    try:
        os.write(fd, data)
        size = envelopes.IN_PARALLEL[compression][0](Source(fd), out, 2, lambda taken, written: True)
        assert os.fstat(out).st_size == size
        return os.pread(out, size, 0)
    except parallel.Irregular:
        return None
    finally:
        os.close(fd)
        os.close(out)


@pytest.mark.parametrize("parts", [PARTS, PARTS * 5, [b"one", b"two"]], ids=["few", "many", "two"])
@pytest.mark.parametrize("compression", MAKERS)
def test_streams_of_many_parts_are_opened_by_threads(compression: str, parts: list[bytes]) -> None:
    parts = [part for part in parts if part != misleading_block()]
    data = MAKERS[compression](parts)
    assert {"bz2": bz2, "xz": lzma}[compression].decompress(data) == b"".join(parts)
    assert in_parts(data, compression) == b"".join(parts)
    assert together(data) == Result(b"".join(parts), True, ()) == alone(data)


@pytest.mark.parametrize("level", [1, 9])
def test_what_the_library_writes_is_opened_by_threads(level: int) -> None:
    inside = model_bytes(2_500_000)
    assert in_parts(bz2.compress(inside, level), "bz2") == inside


def test_a_number_of_blocks_inside_a_block_misleads_nobody() -> None:
    stream = bz2.compress(misleading_block(), 1)
    bits = int.from_bytes(stream, "big")
    assert sum(bits >> at & (1 << 48) - 1 == 0x314159265359 for at in range(8 * len(stream) - 48)) == 2
    data = bz2_of(PARTS)
    assert in_parts(data, "bz2") is None
    assert together(data) == Result(b"".join(PARTS), True, ()) == alone(data)


def test_a_wrong_sum_over_right_blocks_is_told() -> None:
    data = bytearray(bz2_of(PARTS[:3]))
    data[-2] ^= 0x10
    assert in_parts(bytes(data), "bz2") is None
    assert together(bytes(data)) == alone(bytes(data))
    assert not alone(bytes(data)).complete


@pytest.mark.parametrize("check", [lzma.CHECK_NONE, lzma.CHECK_CRC32, lzma.CHECK_CRC64, lzma.CHECK_SHA256])
def test_xz_blocks_with_each_checksum(check: int) -> None:
    data = xz_of(PARTS, check)
    assert in_parts(data, "xz") == b"".join(PARTS) == alone(data).data


def same(data: bytes, compression: str) -> bool:
    """Whether threads leave it to one and tell what one tells; what one tells is damage."""
    return in_parts(data, compression) is None and together(data) == alone(data) and not alone(data).complete


def test_an_end_between_blocks_is_told_as_by_one_thread() -> None:
    first = without_checksum(b"one")
    assert bz2_of([first])[-4:] == bytes(4)
    data = bz2_of([first]) + bz2_of([b"two", b"three"])
    assert same(data, "bz2")
    assert alone(data).data == first


A, B = xz_block(b"a" * 1000), xz_block(b"b" * 1000)
LYING: dict[str, bytes] = {
    "a size inside": xz_frame(A[0] + B[0], [(A[1][0], 999), B[1]]),
    "two sizes inside that add up": xz_frame(A[0] + B[0], [(A[1][0], 999), (B[1][0], 1001)]),
    "a size outside": xz_frame(A[0] + B[0], [(A[1][0] + 1, 1000), B[1]]),
    "more blocks": xz_frame(A[0] + B[0], [A[1], B[1], B[1]]),
    "fewer blocks": xz_frame(A[0] + B[0] + B[0], [A[1], B[1]]),
    "bytes before the index": xz_frame(A[0] + B[0] + bytes(4), [A[1], B[1]]),
    "an end inside a block": xz_frame(A[0] + xz_end([A[1]]) + B[0], [(len(A[0]) + len(xz_end([A[1]])), 1000), B[1]]),
    "two streams": xz_frame(A[0], [A[1]]) + xz_frame(A[0] + B[0], [A[1], B[1]]),
    "padding behind": xz_frame(A[0] + B[0], [A[1], B[1]]) + bytes(4),
    "a checksum of another kind": xz_frame(A[0] + B[0], [A[1], B[1]], lzma.CHECK_CRC32),
    "other flags at the end": xz_frame(A[0] + B[0], [A[1], B[1]])[:-12] + xz_end([A[1], B[1]], lzma.CHECK_CRC32)[-12:],
}


@pytest.mark.parametrize("what", LYING)
def test_an_index_that_lies_is_told_as_by_one_thread(what: str) -> None:
    assert same(LYING[what], "xz")


def test_one_block_is_left_to_one_thread() -> None:
    assert in_parts(lzma.compress(PARTS[0]), "xz") is None


def test_a_block_never_opens_to_more_than_the_index_tells(tmp_path: Path) -> None:
    large = xz_block(bytes(5 << 20))
    (tmp_path / "in").write_bytes(xz_frame(large[0] + B[0], [(large[1][0], 1000), B[1]]))
    with (tmp_path / "in").open("rb") as file, (tmp_path / "out").open("wb") as out:
        with pytest.raises(parallel.Irregular):
            xz_blocks.open_xz(Source(file.fileno()), out.fileno(), 2, lambda taken, written: True)
        assert os.fstat(out.fileno()).st_size <= 2000


def test_endless_numbers_in_an_index_end() -> None:
    words = (1 << 18) - 1
    footer = words.to_bytes(4, "little") + b"\0\4"
    header = b"\xfd7zXZ\0\0\4" + checksum(b"\0\4")
    data = header + b"\xff" * (4 * words + 4) + checksum(footer) + footer + b"YZ"
    assert in_parts(data, "xz") is None


SMALL = {name: maker([b"one", b"two" * 20]) for name, maker in MAKERS.items()}


@pytest.mark.parametrize("compression", MAKERS)
def test_every_bit_flipped_and_every_length_is_told_as_by_one_thread(compression: str) -> None:
    data = SMALL[compression]
    assert together(data) == alone(data) == Result(b"one" + b"two" * 20, True, ())
    for bit in range(8 * len(data)):
        flipped = (int.from_bytes(data, "big") ^ 1 << bit).to_bytes(len(data), "big")
        assert together(flipped) == alone(flipped)
    for length in range(len(data)):
        assert together(data[:length]) == alone(data[:length])


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Streams of several parts: whole, cut, flipped, with more behind, one after another, with numbers of blocks."""
    maker = MAKERS[draw(st.sampled_from(sorted(MAKERS)))]
    data = maker(draw(st.lists(st.sampled_from(PARTS), min_size=1, max_size=6)))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(["cut", "flip", "behind", "again", "number", "end", "out", "twice"])):
            case "cut":
                data = data[:at]
            case "flip" if at < len(data):
                data = data[:at] + bytes((data[at] ^ 1 << draw(st.integers(0, 7)),)) + data[at + 1 :]
            case "behind":
                data += draw(st.binary(max_size=20))
            case "again":
                data += maker(draw(st.lists(st.sampled_from(PARTS), max_size=2)))
            case "number":
                data = data[:at] + (0x314159265359).to_bytes(6, "big") + data[at + 6 :]
            case "end":
                data = data[:at] + (0x177245385090).to_bytes(6, "big") + draw(st.binary(min_size=4, max_size=4))
            case "out":
                data = data[:at] + data[at + draw(st.integers(1, 200)) :]
            case "twice":
                data = data[:at] + data[draw(st.integers(0, at)) :]
    return data


CAPS = st.sampled_from([1, 1000, 8000, 1 << 20])


def check(data: bytes, max_bytes: int, free: int, ratio: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(envelopes, "FREE_BYTES", free)
        patch.setattr(envelopes, "MAX_RATIO", ratio)
        assert together(data, max_bytes) == alone(data, max_bytes)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(streams(), CAPS, CAPS, st.sampled_from([1, 3, 200]))
def test_threads_open_what_one_opens(data: bytes, max_bytes: int, free: int, ratio: int) -> None:
    check(data, max_bytes, free, ratio)


@pytest.mark.slow
@pytest.mark.timeout(600)
@settings(max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(streams(), CAPS, CAPS, st.sampled_from([1, 3, 200]))
def test_threads_open_what_one_opens_in_a_long_sweep(data: bytes, max_bytes: int, free: int, ratio: int) -> None:
    check(data, max_bytes, free, ratio)


def test_numbers_that_lie_across_two_readings_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bz2_of(PARTS[:3] * 20)
    inside = b"".join(PARTS[:3] * 20)
    for size in range(60, 100):
        monkeypatch.setattr(bz2_blocks, "_READ", size)
        assert in_parts(data, "bz2") == inside


def test_a_bomb_is_told_as_by_one_thread() -> None:
    data = bz2.compress(bytes(80 << 20), 9)
    with threads(2):
        found = opened(data)
    assert [each.code for each in found.findings] == ["decompression-bomb"]
    assert found == alone(data)


def test_no_thread_is_left_and_small_files_start_none(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[threading.Thread] = []
    start = threading.Thread.start

    def note(thread: threading.Thread) -> None:
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", note)
    before = threading.active_count()
    assert together(bz2_of(PARTS[:3])).complete
    assert started
    assert threading.active_count() == before
    started.clear()
    for count, least in ((2, envelopes.IN_PARALLEL["bz2"][1]), (1, 0)):
        with threads(count, least):
            assert opened(bz2_of(PARTS[:3])).complete
    assert not started


@pytest.mark.filterwarnings("error")
def test_where_no_thread_can_be_started_one_opens_it() -> None:
    data = bz2_of(PARTS[:3])
    usual = threading.stack_size(1 << 47)
    try:
        with pytest.raises(RuntimeError):
            threading.Thread(target=print).start()
        assert together(data) == Result(b"".join(PARTS[:3]), True, ())
    finally:
        threading.stack_size(usual)


def test_an_abandoned_reading_leaves_no_thread() -> None:
    before = threading.active_count()
    made = parallel.in_order(str, iter(range(1000)), 2)
    assert [next(made), next(made)] == ["0", "1"]
    made.close()
    assert threading.active_count() == before
