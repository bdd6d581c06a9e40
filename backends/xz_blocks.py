"""The blocks of an xz stream, decompressed by several threads (The .xz File Format 1.1.0).

The index behind the blocks tells where each lies and what size it opens to; `xz` writes several where it compresses in
threads. Each block is made a stream of its own, with an index of one record: the decompressor compares the block with
both, and checks its checksum. What is no single stream, or whose index is not as it is written, is irregular.
"""

from __future__ import annotations

import lzma
import os
import zlib
from collections.abc import Iterator
from contextlib import closing
from threading import Lock
from typing import Callable, NamedTuple

from backends.core.source import Source
from backends.parallel import Irregular, in_order

__all__ = ["MEMORY", "open_xz"]

MEMORY = 512 << 20
"""The most memory, in bytes, that the decompressor of one stream may ask for."""
_HEADER = _FOOTER = 12
_MAX_INDEX = 1 << 20
_MAX_BITS = 63
_READ = 1 << 18
_WRITE = 1 << 20


class _Block(NamedTuple):
    """Where a block starts, its size without what pads it, where what is inside starts, and the size of that."""

    start: int
    unpadded: int
    place: int
    size: int


def open_xz(source: Source, fd: int, threads: int, allowed: Callable[[int, int], bool]) -> int:
    """Write what is inside a file that is one xz stream of several blocks to the empty `fd`; returns the bytes written.

    `allowed` tells whether so many bytes may have come out (second) before the byte at an offset (first) was read.
    Raises Irregular, with anything written; OSError, MemoryError, and RuntimeError where no thread can be started.
    """
    header = source.read(0, _HEADER)
    blocks = _blocks(source, header)
    if not all(allowed(block.start, block.place + block.size) for block in blocks):
        raise Irregular
    reading = Lock()

    def opened(block: _Block) -> int:
        return _open_block(_stream(source, reading, header, block), fd, block)

    with closing(in_order(opened, blocks, threads)) as sizes:
        return sum(sizes)


def _blocks(source: Source, header: bytes) -> list[_Block]:
    """What the index tells, if header, blocks, index and footer are the whole file. Raises Irregular, OSError."""
    footer = source.read(source.size - _FOOTER, _FOOTER)
    flags = header[6:8]
    if len(footer) < _FOOTER or footer[:4] != _checksum(footer[4:10]):
        raise Irregular
    size = 4 * int.from_bytes(footer[4:8], "little") + 4
    at = source.size - _FOOTER - size
    if footer[8:] != flags + b"YZ" or size > _MAX_INDEX or at < _HEADER:
        raise Irregular
    index = source.read(at, size)
    records = _records(index)
    blocks, start, place = [], _HEADER, 0
    for unpadded, inside in records:
        blocks.append(_Block(start, unpadded, place, inside))
        start, place = start + _padded(unpadded), place + inside
    if start != at or len(blocks) < 2 or index != _index(records):
        raise Irregular
    return blocks


def _records(index: bytes) -> list[tuple[int, int]]:
    """The sizes that an index tells, unpadded and inside, be it well formed or not. Raises Irregular for an odd one."""
    numbers = _numbers(index)
    try:
        return [(next(numbers), next(numbers)) for _ in range(next(numbers))]
    except StopIteration:
        raise Irregular from None


def _numbers(index: bytes) -> Iterator[int]:
    """The numbers in it: seven bits a byte, the least first, the last of them without the highest bit."""
    number = shift = 0
    for byte in index[1:-4]:
        number |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            yield number
            number = shift = 0
        elif shift >= _MAX_BITS:
            raise Irregular


def _index(records: list[tuple[int, int]]) -> bytes:
    """The index of such blocks, as it is always written."""
    index = b"\0" + _number(len(records)) + b"".join(_number(each) for record in records for each in record)
    index += bytes(-len(index) % 4)
    return index + _checksum(index)


def _number(value: int) -> bytes:
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _checksum(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "little")


def _padded(size: int) -> int:
    return (size + 3) // 4 * 4


def _stream(source: Source, reading: Lock, header: bytes, block: _Block) -> Iterator[bytes]:
    """The parts of a stream that holds just this block; the file is read by one thread at a time."""
    yield header
    stop = block.start + _padded(block.unpadded)
    for offset in range(block.start, stop, _READ):
        with reading:
            data = source.read(offset, min(_READ, stop - offset))
        yield data
    index = _index([(block.unpadded, block.size)])
    backward = (len(index) // 4 - 1).to_bytes(4, "little") + header[6:8]
    yield index + _checksum(backward) + backward + b"YZ"


def _open_block(stream: Iterator[bytes], fd: int, block: _Block) -> int:
    decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY)
    written = 0
    while not decompressor.eof:
        data = next(stream, b"") if decompressor.needs_input else b""
        if decompressor.needs_input and not data:
            raise Irregular
        try:
            opened = memoryview(decompressor.decompress(data, _WRITE))
        except (lzma.LZMAError, EOFError, ValueError):
            raise Irregular from None
        if written + len(opened) > block.size:
            raise Irregular
        while opened:
            count = os.pwrite(fd, opened, block.place + written)
            opened, written = opened[count:], written + count
    if next(stream, b""):
        raise Irregular
    return written
