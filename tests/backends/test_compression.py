"""Compressed streams, whole, damaged, cut off and too large: all that is wrong with one is told."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable

import pytest

from tests.backends.streams import model_bytes, opened

INSIDE = model_bytes(500_000)
WRITERS: dict[str, Callable[[bytes], bytes]] = {
    "zlib": zlib.compress,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
}
compressions = pytest.mark.parametrize("compression", WRITERS)


@compressions
def test_a_whole_stream_is_opened(compression: str) -> None:
    assert opened(WRITERS[compression](INSIDE)) == (INSIDE, True, ())


def test_a_second_stream_is_told_and_not_opened() -> None:
    first, second = (lzma.compress(part) for part in (INSIDE, b"more"))
    found = opened(first + second)
    assert found.data == INSIDE
    assert [each.code for each in found.findings] == ["several-members"]


@compressions
def test_a_stream_that_is_cut_off_gives_what_came_before(compression: str) -> None:
    data = WRITERS[compression](INSIDE)
    for length in (len(data) // 2, len(data) - 1):
        found = opened(data[:length])
        assert not found.complete
        assert INSIDE.startswith(found.data)
        (one,) = found.findings
        assert (one.code, one.detail) == (
            "damaged-compression",
            f"the {compression} stream is cut off after {length} bytes",
        )


@pytest.mark.parametrize(("compression", "at"), [("zlib", -3), ("gzip", -6), ("bz2", -3), ("xz", -40)])
def test_a_wrong_checksum_is_damage(compression: str, at: int) -> None:
    data = bytearray(WRITERS[compression](INSIDE))
    data[at] ^= 0x10
    found = opened(bytes(data))
    assert not found.complete
    (one,) = found.findings
    assert one.code == "damaged-compression"
    assert one.detail.startswith(f"the {compression} stream is damaged: ")


@compressions
def test_no_more_comes_out_than_may(compression: str) -> None:
    found = opened(WRITERS[compression](bytes(4 << 20)), max_bytes=1 << 20)
    assert [each.code for each in found.findings] == ["decompression-bomb"]
    assert not found.complete
    assert len(found.data) < 2 << 20


def test_a_ratio_that_no_model_has_is_a_bomb() -> None:
    found = opened(bz2.compress(bytes(80 << 20)))
    assert [each.code for each in found.findings] == ["decompression-bomb"]
