"""The files in an archive, one after another, as the archive's own directory places them; nothing is written to disk.

A member is where its bytes lie and how they are packed: it is opened piece by piece, so that a look at its first bytes
costs no more than that, whatever it announces.
"""

from __future__ import annotations

import bz2
import contextlib
import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Callable, Optional, cast

from backends.core import compression as compressions
from backends.core.errors import Damaged, Unopened
from backends.core.findings import finding
from backends.core.inspection import Finding
from backends.core.memory import give_back, memory_file
from backends.core.source import Part, Source, write_all
from backends.core.zip_rules import data_offset

_CHUNK = 1 << 16
_NAME = 200
_AR_HEADER = 60
_BLOCK = 512
_TAR_ERRORS = (tarfile.TarError, ValueError, OverflowError, EOFError, IndexError, RecursionError, MemoryError)
_ENCRYPTED = 0x1
_LZMA_MEMORY = 256 << 20

Bounds = Callable[[int, int], Optional[str]]
"""Why no more is opened, by how many bytes were read and how many came out of them; None to go on."""


class _Sparse(Source):
    """A member whose holes tar left out."""

    def __init__(self, whole: Source, file: BinaryIO, size: int, name: str) -> None:
        super().__init__(whole.fd, name, size)
        self._file = file

    def read(self, offset: int, length: int) -> bytes:
        """See Source."""
        try:
            self._file.seek(offset)
            return self._file.read(max(0, min(length, self.size - offset)))
        except _TAR_ERRORS as error:
            raise OSError(str(error)) from None


@dataclass
class Member:
    """One file of an archive. `packed` are its bytes as they stand there, `size` how many they are once opened.

    `method` is the compression by its number in zip archives, 0 for none; `checksum` the CRC-32 that the archive gives;
    `encrypted` whether the archive says that it takes a key.
    """

    name: str
    offset: int
    size: int
    packed: Source
    method: int = zipfile.ZIP_STORED
    checksum: Optional[int] = None
    encrypted: bool = False

    def head(self, length: int) -> bytes:
        """The first bytes, as many of them as can be opened. Raises Unopened where none can, OSError."""
        if self.method == zipfile.ZIP_STORED:
            return self.packed.read(0, length)
        found = b""
        try:
            for piece in self._pieces(length):
                found += piece
                if len(found) >= length:
                    break
        except Damaged as error:
            if not found:
                raise Unopened(str(error)) from None
        return found[:length]

    @contextlib.contextmanager
    def opened(self, bounds: Bounds) -> Iterator[Source]:
        """The member as a source: in place where it is stored as it is, else unpacked into memory.

        Raises Unopened where it opens to more than its bounds, Damaged, OSError.
        """
        if self.method == zipfile.ZIP_STORED:
            yield self.packed
            return
        fd = memory_file("member")
        try:
            written = 0
            for piece in self._pieces(4 * _CHUNK):
                written += write_all(fd, piece)
                over = bounds(self.packed.size, written)
                if over:
                    raise Unopened(over)
            yield Source(fd, self.name, written)
        finally:
            give_back(fd)

    def has_checksum(self) -> bool:
        """Whether the bytes have the CRC-32 that the archive gives; true where it gives none. Raises OSError."""
        if self.checksum is None:
            return True
        found = size = 0
        try:
            for piece in self._pieces(4 * _CHUNK):
                found, size = zlib.crc32(piece, found), size + len(piece)
                if size > self.size:
                    return False
        except (Damaged, Unopened):
            return False
        return found == self.checksum

    def _pieces(self, most: int) -> Iterator[bytes]:
        """All bytes, at most `most` at a time. Raises Unopened, Damaged, OSError."""
        if self.method == zipfile.ZIP_STORED:
            yield from (self.packed.read(at, _CHUNK) for at in range(0, self.packed.size, _CHUNK))
            return
        decompressor, before, offset = self._opener()
        while not decompressor.eof:
            data = b""
            if decompressor.needs_input:
                data = before or self.packed.read(offset, _CHUNK)
                offset += 0 if before else len(data)
                before = b""
                if not data:
                    raise Damaged(f"it is cut off after {offset} bytes")
            try:
                out = decompressor.decompress(data, most)
            except compressions.ERRORS as error:
                raise Damaged(f"its compression is damaged: {error}") from None
            if out:
                yield out

    def _opener(self) -> tuple[compressions.Decompressor, bytes, int]:
        """The decompressor, the bytes to feed it first, and the offset of the compressed ones. Raises Unopened."""
        if self.method == zipfile.ZIP_DEFLATED:
            return compressions.opener_of("deflate"), b"", 0
        if self.method == zipfile.ZIP_BZIP2:
            return bz2.BZ2Decompressor(), b"", 0
        if self.method == zipfile.ZIP_LZMA:
            start = self.packed.read(0, 9)
            alone = start[4:9] + (self.size & (1 << 64) - 1).to_bytes(8, "little")
            return lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_LZMA_MEMORY), alone, 9
        raise Unopened(f"it is packed by method {self.method}, which nothing here opens")


def _cut(name: str) -> str:
    """A name as it is told: its start and its end, where it is longer than anybody reads."""
    return name if len(name) <= 2 * _NAME else f"{name[:_NAME]}…{name[-_NAME:]}"


def zip_members(source: Source, archive: zipfile.ZipFile) -> Iterator[Member]:
    """The members that the directory of a zip archive lists, directories left out."""
    for info in archive.infolist():
        if info.filename.endswith("/") and not info.compress_size:
            continue
        flags = info.flag_bits | int.from_bytes(source.read(info.header_offset + 6, 2), "little")
        name = _cut(info.filename)
        packed = Part(source, data_offset(source, info), info.compress_size, name)
        encrypted = bool(flags & _ENCRYPTED)
        yield Member(name, info.header_offset, info.file_size, packed, info.compress_type, info.CRC, encrypted)


def tar_members(source: Source) -> Iterator[Member]:
    """The regular files of a tar archive, also those behind its end. Raises Damaged where it breaks off, OSError."""
    try:
        with tarfile.TarFile(fileobj=source.file(), ignore_zeros=True, encoding="utf-8") as archive:
            while (info := archive.next()) is not None:
                archive.members = []  # type: ignore[attr-defined]  # else it keeps every header it has read
                if not info.isreg():
                    continue
                name = _cut(info.name)
                packed: Source = Part(source, info.offset_data, info.size, name)
                file = archive.extractfile(info) if info.sparse is not None else None
                if file is not None:
                    packed = _Sparse(source, cast("BinaryIO", file), info.size, name)
                yield Member(name, info.offset, info.size, packed)
    except _TAR_ERRORS as error:
        raise Damaged(f"the tar archive breaks off: {str(error) or type(error).__name__}") from None


def ar_members(source: Source) -> Iterator[Member]:
    """The members of an `ar` archive, as Debian packages and static libraries are. Raises Damaged, OSError."""
    at = 8
    while at < source.size:
        header = source.read(at, _AR_HEADER)
        digits = header[48:58].strip()
        if header[58:] != b"`\n" or not digits.isdigit():
            raise Damaged(f"the ar archive breaks off: no member stands at byte {at}", offset=at)
        size, name = int(digits), header[:16].decode("latin-1").rstrip(" /")
        yield Member(name or "(index)", at, size, Part(source, at + _AR_HEADER, size, name))
        at += _AR_HEADER + size + size % 2


@contextlib.contextmanager
def opened_stream(source: Source, compression: str, bounds: Bounds) -> Iterator[tuple[Source, Optional[Finding]]]:
    """All streams of a compressed file, one after another, in memory; and why these are not all, None where they are.

    Programs that unpack archives read on behind the end of a stream, other than readers of models. Raises Unopened,
    OSError.
    """
    fd = memory_file(f"opened {compression}")
    try:
        problem = _open_streams(source, compression, fd, bounds)
        yield Source(fd, source.name, os.fstat(fd).st_size), problem
    finally:
        give_back(fd)


def _open_streams(source: Source, compression: str, fd: int, bounds: Bounds) -> Optional[Finding]:
    taken = written = 0
    while taken < source.size:
        rest = source.read(taken, _BLOCK)
        if taken and compressions.compression_of(rest) != compression:
            more = f"{source.size - taken} bytes follow the {compression} stream"
            return finding("trailing-bytes", more, taken) if rest.strip(b"\0") else None
        decompressor = compressions.opener_of(compression)
        while not decompressor.eof:
            data = source.read(taken, _CHUNK) if decompressor.needs_input else b""
            if decompressor.needs_input and not data:
                return finding("damaged-compression", f"the {compression} stream is cut off after {taken} bytes", taken)
            taken += len(data)
            try:
                written += write_all(fd, decompressor.decompress(data, 4 * _CHUNK))
            except compressions.ERRORS as error:
                return finding("damaged-compression", f"the {compression} stream is damaged: {error}", taken)
            over = bounds(taken, written)
            if over:
                return finding("unopened", over, taken)
        taken -= len(decompressor.unused_data or b"")
    return None
