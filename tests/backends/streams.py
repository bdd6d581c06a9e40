"""Compressed streams of many small parts, put together by hand, and what opening one comes to."""

from __future__ import annotations

import bz2
import lzma
import os
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from backends.core import compression as envelopes
from backends.core.inspection import Finding
from backends.core.source import Source

END = 0x177245385090
_POLYNOMIAL = 0x04C11DB7


class Result(NamedTuple):
    """What came out of an envelope: bytes, whether they are all, and what was remarked."""

    data: bytes
    complete: bool
    findings: tuple[Finding, ...]


def opened(data: bytes, max_bytes: int = envelopes.MAX_BYTES) -> Result:
    """The whole of what `open_envelope` makes of these bytes."""
    fd = os.memfd_create("stream", os.MFD_CLOEXEC)
    try:
        os.write(fd, data)
        with envelopes.open_envelope(Source(fd, "stream"), max_bytes) as found:
            assert os.fstat(found.source.fd).st_size == found.source.size
            return Result(found.source.read(0, found.source.size), found.complete, tuple(found.findings))
    finally:
        os.close(fd)


def bz2_of(parts: Sequence[bytes]) -> bytes:
    """One bz2 stream with a block for each part (of one byte to 100 kB): they start at any bit."""
    bits, combined = "", 0
    for part in parts:
        stream = bz2.compress(part, 1)
        text = bin(int.from_bytes(b"\1" + stream, "big"))[3:]
        end = text.rindex(f"{END:048b}")
        combined = ((combined << 1 | combined >> 31) & 0xFFFFFFFF) ^ int(text[32 + 48 : 32 + 80], 2)
        bits += text[32:end]
    bits += f"{END:048b}{combined:032b}"
    bits += "0" * (-len(bits) % 8)
    return b"BZh1" + int(bits, 2).to_bytes(len(bits) // 8, "big")


def xz_of(parts: Sequence[bytes], check: int = lzma.CHECK_CRC64) -> bytes:
    """One xz stream with a block for each part, as `xz --block-size` writes it."""
    blocks = [xz_block(part, check) for part in parts]
    return xz_frame(b"".join(block for block, _ in blocks), [sizes for _, sizes in blocks], check)


def xz_block(part: bytes, check: int = lzma.CHECK_CRC64) -> tuple[bytes, tuple[int, int]]:
    """A block, and what the index tells of it: its size without what pads it, the size of what is inside."""
    stream = lzma.compress(part, check=check, preset=0)
    index = 4 * int.from_bytes(stream[-8:-4], "little") + 4
    unpadded = shift = 0
    for byte in stream[-12 - index + 2 :]:
        unpadded |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            break
    return stream[12 : -12 - index], (unpadded, len(part))


def xz_frame(blocks: bytes, records: Sequence[tuple[int, int]], check: int = lzma.CHECK_CRC64) -> bytes:
    """A header, these bytes, and index and footer that tell of such blocks."""
    flags = bytes((0, check))
    return b"\xfd7zXZ\0" + flags + checksum(flags) + blocks + xz_end(records, check)


def xz_end(records: Sequence[tuple[int, int]], check: int = lzma.CHECK_CRC64) -> bytes:
    """Index and footer."""
    index = b"\0" + _number(len(records)) + b"".join(_number(each) for record in records for each in record)
    index += bytes(-len(index) % 4)
    index += checksum(index)
    backward = (len(index) // 4 - 1).to_bytes(4, "little") + bytes((0, check))
    return index + checksum(backward) + backward + b"YZ"


def checksum(data: bytes) -> bytes:
    """As xz writes it."""
    return zlib.crc32(data).to_bytes(4, "little")


def _number(value: int) -> bytes:
    return bytes((value,)) if value < 0x80 else bytes((value & 0x7F | 0x80,)) + _number(value >> 7)


def misleading_block() -> bytes:
    """Bytes whose bz2 block holds the number that blocks start with, in its table of which bytes there are."""
    symbols = [
        16 * row + column
        for row, mask in ((3, 0x3141), (4, 0x5926), (5, 0x5359))
        for column in range(16)
        if mask << column & 0x8000
    ]
    return bytes(symbols) * 50


def model_bytes(size: int) -> bytes:
    """Numbers as models have them: compressible to about a half."""
    random = np.random.default_rng(0)
    return np.round(random.normal(size=size // 8), 2).tobytes()


def without_checksum(data: bytes) -> bytes:
    """The data with four bytes more, so that the checksum of its bz2 block is 0."""
    register = int.from_bytes(b"\xff" * 4, "big")
    for byte in data:
        register ^= byte << 24
        for _ in range(8):
            register = (register << 1 ^ (_POLYNOMIAL if register >> 31 else 0)) & 0xFFFFFFFF
    wanted = 0xFFFFFFFF
    for _ in range(32):
        wanted = (wanted ^ _POLYNOMIAL) >> 1 | 1 << 31 if wanted & 1 else wanted >> 1
    return data + (register ^ wanted).to_bytes(4, "big")
