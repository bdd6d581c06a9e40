"""The blocks of a bz2 stream, decompressed by several threads.

A stream is a header of 32 bits, blocks that start with one number of 48 bits at any bit, and an end of 80 bits: another
number, and a checksum over those of the blocks. A block depends on none before it, so each is made a stream of its own.
Where the numbers stand is only a guess: a block is taken for one if the decompressor, which checks its checksum, finds
its end just where the next guess is. So what is given out is what a decompressor of the whole would give, and where
anything else is met, nothing counts.
"""

from __future__ import annotations

import bz2
from collections.abc import Iterator
from contextlib import closing
from typing import Callable, NamedTuple

from backends.core.source import Source, write_all
from backends.parallel import Irregular, in_order

__all__ = ["open_bz2"]

_BLOCK, _END = 0x314159265359, 0x177245385090
_NUMBER, _CHECKSUM = 48, 32
_HEADER = 32
"""Bits of the header: "BZh" and the size of a block."""
_READ = 1 << 20
_LONGEST = 4 << 20
"""Bytes that a block does not reach: 900,000 symbols of at most 20 bits, and what tells how they are coded."""
_MOST_OUT = 8 << 20
"""Bytes of one block up to which it is kept in memory; only long runs of one byte make it open to more."""


class _Piece(NamedTuple):
    """A block as a stream of its own, its checksum, and where in the file it starts (byte)."""

    stream: bytes
    checksum: int
    start: int


def open_bz2(source: Source, fd: int, threads: int, allowed: Callable[[int, int], bool]) -> int:
    """Write what is inside a file that is one bz2 stream to the empty `fd`; returns the bytes written.

    `allowed` tells whether so many bytes may have come out (second) before the byte at an offset (first) was read.
    Raises Irregular, with anything written; OSError, and RuntimeError where no thread can be started.
    """
    end, expected = _end(source)
    combined = written = 0
    with closing(in_order(_opened, _pieces(source, end), threads)) as parts:
        for piece, data in parts:
            combined = ((combined << 1 | combined >> 31) & 0xFFFFFFFF) ^ piece.checksum
            if not allowed(piece.start, written + len(data)):
                raise Irregular
            written += write_all(fd, data)
    if combined != expected:
        raise Irregular
    return written


def _end(source: Source) -> tuple[int, int]:
    """Where the end of the stream starts (bit) if it ends with the file, and the checksum there. Raises Irregular."""
    tail = int.from_bytes(source.read(source.size - 11, 11), "big")
    for padding in range(8):
        number, checksum = divmod(tail >> padding, 1 << _CHECKSUM)
        if number & ((1 << _NUMBER) - 1) == _END:
            return 8 * source.size - padding - _CHECKSUM - _NUMBER, checksum
    raise Irregular


def _opened(piece: _Piece) -> tuple[_Piece, bytes]:
    decompressor = bz2.BZ2Decompressor()
    try:
        data = decompressor.decompress(piece.stream, _MOST_OUT)
    except (OSError, ValueError, EOFError):
        raise Irregular from None
    if not decompressor.eof or decompressor.unused_data:
        raise Irregular
    return piece, data


def _pieces(source: Source, end: int) -> Iterator[_Piece]:
    """The blocks up to bit `end`, if the numbers that are met are those of blocks. Raises Irregular, OSError."""
    header = source.read(0, _HEADER // 8)
    held, base, start, searched = header, 0, 0, 0
    for offset in range(len(header), source.size, _READ):
        held += source.read(offset, _READ)
        stops = _numbers(held, searched, 8 * base)
        if offset + _READ >= source.size:
            stops.append(end)
        for stop in stops:
            if start:
                yield _piece(header, held, base, start, stop)
            elif stop != _HEADER:
                raise Irregular
            start = stop
        searched = len(held) - _NUMBER // 8
        gone = start // 8 - base
        held, base, searched = held[gone:], base + gone, searched - gone
        if not start or len(held) > _LONGEST:
            raise Irregular


def _numbers(held: bytes, searched: int, base: int) -> list[int]:
    """Where the numbers of blocks stand from byte `searched` on, as bits of the file (`base` is that of held[0]).

    Wherever one starts, five of its bytes are whole ones: they are searched for, and then all of it compared. One that
    starts in the last six bytes of `held` is left out.
    """
    found = []
    for shift in range(8):
        needle = (_BLOCK << 8 - shift).to_bytes(7, "big")[1:6]
        at = held.find(needle, searched + 1, len(held) - 1)
        while at >= 0:
            around = int.from_bytes(held[at - 1 : at + 6], "big") >> 8 - shift
            if around & ((1 << _NUMBER) - 1) == _BLOCK:
                found.append(base + 8 * (at - 1) + shift)
            at = held.find(needle, at + 1, len(held) - 1)
    return sorted(found)


def _piece(header: bytes, held: bytes, base: int, start: int, stop: int) -> _Piece:
    """The block from bit `start` to bit `stop`, with a header before it and an end behind it. Raises Irregular."""
    length = stop - start
    if length <= _NUMBER + _CHECKSUM:
        raise Irregular
    after = (stop + 7) // 8
    block = int.from_bytes(held[start // 8 - base : after - base], "big") >> 8 * after - stop
    block &= (1 << length) - 1
    checksum = block >> length - _NUMBER - _CHECKSUM & 0xFFFFFFFF
    padding = -length % 8
    stream = int.from_bytes(header, "big") << length | block
    stream = ((stream << _NUMBER | _END) << _CHECKSUM | checksum) << padding
    size = (_HEADER + length + _NUMBER + _CHECKSUM + padding) // 8
    return _Piece(stream.to_bytes(size, "big"), checksum, start // 8)
