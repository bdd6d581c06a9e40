"""Compression around a model file: told by their first bytes, opened once, under a size and ratio cap.

The choice by first bytes is joblib's (joblib/compressor.py), made stricter where joblib looks at one byte only.
"""

from __future__ import annotations

import bz2
import importlib
import lzma
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Optional, Protocol

from backends.core.errors import Damaged, Unopened, Unsupported
from backends.core.findings import finding
from backends.core.inspection import Finding
from backends.core.memory import give_back, memory_file
from backends.core.source import Source, write_all

COMPRESSIONS: tuple[str, ...] = ("zlib", "gzip", "bz2", "lzma", "xz", "lz4")
MAX_BYTES = 4 << 30
"""The most bytes a compression may open to."""
MAX_RATIO = 200
"""The most bytes out for a byte in, once FREE_BYTES are out."""
FREE_BYTES = 64 << 20
MEMORY = 512 << 20
"""The most memory, in bytes, that the decompressor of one stream may ask for."""
_BZ2 = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90|.{0,5}\Z)", re.DOTALL)
"""The magic number and that of the first block or of the end: a pickle can start with the first four of these bytes."""
_CHUNK = 1 << 16
_GZIP_MORE = 0x04 | 0x10
"""Flags of a gzip header with an extra field or a comment (RFC 1952), which neither gzip nor joblib writes."""
_WINDOWS = {"deflate": -zlib.MAX_WBITS, "zlib": zlib.MAX_WBITS, "gzip": zlib.MAX_WBITS | 16}
_TRAILER = 64
"""The last bytes are fed one by one, so that a wrong checksum does not take what came before it away."""


class Decompressor(Protocol):
    """Decompressor of one stream, in the manner of bz2 and lzma."""

    @property
    def eof(self) -> bool:
        """Whether the end of the stream was reached."""

    @property
    def needs_input(self) -> bool:
        """Whether it wants more of the stream before it gives anything."""

    @property
    def unused_data(self) -> Optional[bytes]:
        """The bytes behind the end of the stream."""

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """These bytes decompressed, at most `max_length` of it now."""


class _Zlib:
    """zlib and gzip streams behind the interface that bz2 and lzma have."""

    def __init__(self, window_bits: int) -> None:
        self._inner = zlib.decompressobj(window_bits)
        self._pending = b""

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._pending

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        out = self._inner.decompress(self._pending + data, max(0, max_length))
        self._pending = self._inner.unconsumed_tail
        return out


def compression_of(head: bytes) -> Optional[str]:
    """The compression these first bytes announce (one of COMPRESSIONS, or "zfile" of joblib before 0.10), or None."""
    if head[:1] == b"\x78" and len(head) > 1 and int.from_bytes(head[:2], "big") % 31 == 0:
        return "zlib"
    if _BZ2.match(head):
        return "bz2"
    for magic, name in (
        (b"\x1f\x8b\x08", "gzip"),
        (b"\xfd7zXZ\x00", "xz"),
        (b"\x5d\x00\x00", "lzma"),
        (b"\x04\x22\x4d\x18", "lz4"),
        (b"ZF0x", "zfile"),
    ):
        if head.startswith(magic):
            return name
    return None


def opener_of(compression: str) -> Decompressor:
    """The decompressor of one stream; beside COMPRESSIONS, "deflate" without a frame. Raises Unopened."""
    if compression in _WINDOWS:
        return _Zlib(_WINDOWS[compression])
    if compression == "bz2":
        return bz2.BZ2Decompressor()
    if compression in ("lzma", "xz"):
        container = lzma.FORMAT_XZ if compression == "xz" else lzma.FORMAT_ALONE
        return lzma.LZMADecompressor(container, memlimit=MEMORY)
    if compression == "lz4":
        try:
            frame: Any = importlib.import_module("lz4.frame")
        except ImportError:
            raise Unopened("compressed with lz4: install the lz4 extra to read it") from None
        opener: Decompressor = frame.LZ4FrameDecompressor()
        return opener
    raise Unsupported("compressed by joblib before 0.10 (ZF): load and save it again with a joblib of its time")


ERRORS = (zlib.error, lzma.LZMAError, OSError, ValueError, EOFError, RuntimeError)
"""Errors of decompressors on damaged data."""


def compressed(data: bytes, compression: str) -> bytes:
    """These bytes in one of COMPRESSIONS, as `gzip.open` and its like make it."""
    if compression == "lzma":
        return lzma.compress(data, format=lzma.FORMAT_ALONE)
    codec: Any = importlib.import_module({"xz": "lzma", "lz4": "lz4.frame"}.get(compression, compression))
    return bytes(codec.compress(data))


def open_head(head: bytes, compression: str) -> Optional[bytes]:
    """The first bytes inside, as far as `head` allows; None when it tells nothing (or the codec is missing)."""
    try:
        opened = opener_of(compression).decompress(head, 4096)
    except (*ERRORS, Unsupported):
        return None
    return opened or None


def opened_until(head: bytes, compression: str) -> tuple[bytes, bool]:
    """These first bytes decompressed, and whether that ends in damage: a byte at a time, so that nothing gets lost.

    Two bytes announce zlib and three LZMA, which text and numbers have by chance. Raises Unopened, Unsupported.
    """
    decompressor, opened = opener_of(compression), b""
    try:
        for at in range(len(head)):
            opened += decompressor.decompress(head[at : at + 1], 4096)
    except ERRORS:
        return opened, True
    return opened, False


def peek(source: Source, length: int) -> tuple[Optional[str], bytes]:
    """The compression (None for none) and the first `length` bytes inside it. Raises Damaged, Unsupported, OSError."""
    head = source.read(0, length)
    compression = compression_of(head)
    if compression is None:
        return None, head
    if compression == "zfile":
        return compression, b""
    decompressor, opened, offset = opener_of(compression), b"", 0
    while len(opened) < length and not decompressor.eof:
        data = _next_chunk(source, offset) if decompressor.needs_input else b""
        if decompressor.needs_input and not data:
            break
        offset += len(data)
        try:
            opened += decompressor.decompress(data, length - len(opened))
        except ERRORS as error:
            if opened:
                break
            raise Damaged(f"the {compression} compression is damaged: {error}", offset=0) from None
    return compression, opened


def _next_chunk(source: Source, offset: int) -> bytes:
    return source.read(offset, min(_CHUNK, max(1, source.size - offset - _TRAILER)))


class Opened:
    """The bytes inside a compression (the file's own bytes where there is none).

    `complete` is false when the compression could not be opened to its end; what came out before is still there, since
    a reader that streams would have used it. `mapped` = somebody keeps a map of them.
    """

    def __init__(self, source: Source, compression: Optional[str] = None) -> None:
        self.source = source
        self.compression = compression
        self.findings: list[Finding] = []
        self.complete = True
        self.mapped = False

    def report(self, code: str, detail: str, offset: int) -> None:
        """Note something that kept the compression from being opened as its writer would have it."""
        self.findings.append(finding(code, detail, offset))
        self.complete = False


@contextmanager
def decompressed(source: Source, max_bytes: int = MAX_BYTES, into: Optional[int] = None) -> Iterator[Opened]:
    """The compression around a file, opened into memory that is given back in the end, or `into` an empty file of the
    caller's.

    Nothing is copied where there is none. Damage, bombs and further members are findings of the result. Raises
    Unsupported, OSError.
    """
    compression = None if source.opened else compression_of(source.read(0, 16))
    if compression is None:
        yield Opened(source)
        return
    decompressor = opener_of(compression)
    fd = memory_file(f"opened {compression}") if into is None else into
    opened = Opened(Source(fd, source.name, 0), compression)
    opened.source.depth = source.depth
    if compression == "gzip" and int.from_bytes(source.read(3, 1), "little") & _GZIP_MORE:
        opened.report("trailing-bytes", "the gzip header holds bytes that no reader of models looks at", 10)
    try:
        opened.source.size = _decompress(source, decompressor, opened, max_bytes)
        yield opened
    finally:
        if into is None:
            give_back(fd, mapped=opened.mapped)


def _decompress(source: Source, decompressor: Decompressor, opened: Opened, max_bytes: int) -> int:
    """Stream everything into the opened file; returns the bytes written."""
    fd, taken, written = opened.source.fd, 0, 0
    while not decompressor.eof:
        data = b""
        if decompressor.needs_input:
            data = _next_chunk(source, taken)
            if not data:
                detail = f"the {opened.compression} stream is cut off after {taken} bytes"
                opened.report("damaged-compression", detail, taken)
                return written
            taken += len(data)
        try:
            out = decompressor.decompress(data, _CHUNK * 4)
        except ERRORS as error:
            opened.report("damaged-compression", f"the {opened.compression} stream is damaged: {error}", taken)
            return written
        written += write_all(fd, out)
        if written > max_bytes or (written > FREE_BYTES and written > MAX_RATIO * taken):
            opened.report("decompression-bomb", f"{taken} bytes opened to more than {written}", taken)
            return written
    rest = len(decompressor.unused_data or b"") + source.size - taken
    if rest:
        detail = f"{rest} bytes follow the end of the {opened.compression} stream"
        opened.report("several-members", detail, source.size - rest)
    return written
