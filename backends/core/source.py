"""The bytes of an artifact, read without moving a descriptor's position and without leaving their bounds."""

from __future__ import annotations

import io
import os
from typing import Any, BinaryIO, Optional

from backends.core.load_plan import LoadPlan


class Source:
    """Bounded, read-only view of an open regular file by descriptor; it never moves the descriptor's own position.

    `plan` is where an inspection notes the arrays it passed, None where nobody asked for that. `into` is an empty file
    in memory for what a compression around the bytes holds: in the end all of it, or nothing where it cannot be loaded
    from there. `opened` = that is what these bytes are, so nobody looks for another compression around them. `depth`
    says inside how many other files it stands.
    """

    opened = False
    depth = 0
    into: Optional[int] = None

    def __init__(self, fd: int, name: str = "", size: Optional[int] = None) -> None:
        self.fd = fd
        self.name = name
        self.size = os.fstat(fd).st_size if size is None else size
        self.bytes_read = 0
        self.plan: Optional[LoadPlan] = None

    def read(self, offset: int, length: int) -> bytes:
        """Bytes at `offset`; fewer than `length` only where there is no file: behind its end, before its start.

        Raises OSError.
        """
        length = max(0, min(length, self.size - offset)) if offset >= 0 else 0
        parts = []
        while length:
            part = os.pread(self.fd, length, offset)
            if not part:
                break
            parts.append(part)
            offset += len(part)
            length -= len(part)
            self.bytes_read += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def file(self, buffering: int = 65536) -> BinaryIO:
        """An independent buffered file object over the same bytes, for zipfile, h5py and the decompressors."""
        return io.BufferedReader(_SourceFile(self), buffering)


class MemorySource(Source):
    """Bytes in memory as a source, for what stands inside another file: it has no descriptor."""

    def __init__(self, data: bytes, name: str = "") -> None:
        super().__init__(-1, name, len(data))
        self.data = data

    def read(self, offset: int, length: int) -> bytes:
        """See Source."""
        return self.data[offset : offset + max(0, length)] if offset >= 0 else b""


class Part(Source):
    """A stretch of another source, as a source of its own; it starts at `start` of that and ends with it."""

    def __init__(self, whole: Source, start: int, size: int, name: Optional[str] = None) -> None:
        super().__init__(whole.fd, whole.name if name is None else name, max(0, min(size, whole.size - start)))
        self.depth = whole.depth
        self.start = start
        self._whole = whole

    def read(self, offset: int, length: int) -> bytes:
        """See Source."""
        length = max(0, min(length, self.size - offset)) if offset >= 0 else 0
        data = self._whole.read(self.start + offset, length) if length else b""
        self.bytes_read += len(data)
        return data


class _SourceFile(io.RawIOBase):
    def __init__(self, source: Source) -> None:
        self._source = source
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._source.size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        data = self._source.read(self._position, len(view))
        view[: len(data)] = data
        self._position += len(data)
        return len(data)


def write_all(fd: int, data: bytes) -> int:
    """Write all of it, however little is taken at a time; how many bytes that is. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    return len(data)
