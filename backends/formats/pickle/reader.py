"""A window over the bytes of a pickle: opcodes are read from memory, long arguments are stepped over unread."""

from __future__ import annotations

import os
import time
from typing import Optional

from backends.core.errors import ArtifactError
from backends.core.findings import finding
from backends.core.inspection import Finding
from backends.core.source import Source
from backends.formats.pickle.values import Span

_WHOLE = 1 << 20
_SMALLEST = 1 << 9
_LARGEST = 1 << 18
_PADDING = bytes(16)
_ARGUMENT = 8
_LOOK = 1 << 15
"""Opcodes between two looks at the memory."""
_PAGE = os.sysconf("SC_PAGE_SIZE")
MAX_LINE = 1 << 16
MAX_TEXT_LINE = 1 << 26


class Stopped(ArtifactError):
    """The walk cannot go on; `code` is the finding that says why.

    `resumable` where an unpickler would go on, and the machine can, if only for the names that are still to come.
    """

    def __init__(self, code: str, message: str, offset: int, *, resumable: bool = False) -> None:
        super().__init__(message, offset=offset)
        self.code = code
        self.resumable = resumable


class LongLine(Stopped):
    """A line of text that is longer than any that could be meant."""


class Budget:
    """Limits for one file: shared by all its streams, checked every few thousand opcodes."""

    def __init__(
        self,
        opcodes: int = 5_000_000,
        memo: int = 1_000_000,
        depth: int = 10_000,
        seconds: float = 5.0,
        kept: int = 64 << 20,
        findings: int = 1000,
        memory: int = 1 << 30,
    ) -> None:
        self.opcodes = opcodes
        self.memo = memo
        self.depth = depth
        self.kept = kept
        self.findings = findings
        self.seconds = seconds
        self.memory = memory
        self.spent = 0
        self._resident = _resident()
        self._next_look = _LOOK
        self._deadline = time.monotonic() + seconds

    def spend(self, opcodes: int, offset: int) -> None:
        """Count opcodes. Raises Stopped when they, the time or the memory run out."""
        self.spent += opcodes
        if self.spent > self.opcodes:
            raise Stopped("limit", f"more than {self.opcodes} opcodes", offset)
        if time.monotonic() > self._deadline:
            raise Stopped("limit", f"the walk took longer than {self.seconds:g} seconds", offset)
        if self.spent >= self._next_look:
            self._next_look = self.spent + _LOOK
            if _resident() - self._resident > self.memory:
                raise Stopped("limit", f"the walk took more than {self.memory >> 20} MiB of memory", offset)


def _resident() -> int:
    """Bytes of memory this process holds; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0


class PickleReader:
    """Where a machine stands in the file.

    `data[position]` is the next byte and lies at `base + position` of the file. As long as `position < safe`, an
    opcode with a fixed argument can be read without looking; `end` is where the real bytes of the window end.
    """

    def __init__(self, source: Source, budget: Budget, findings: list[Finding]) -> None:
        self.source = source
        self.size = source.size
        self.budget = budget
        self.findings = findings
        self.data = b""
        self.base = 0
        self.position = 0
        self.end = 0
        self.safe = 0
        self.frame_end: Optional[int] = None
        self._window = _WHOLE if self.size <= _WHOLE else _LARGEST // 4

    @property
    def offset(self) -> int:
        """The absolute offset of the next byte."""
        return self.base + self.position

    def report(self, code: str, detail: str, offset: Optional[int] = None) -> None:
        """Add a finding (the first thousand are kept)."""
        if len(self.findings) < self.budget.findings:
            self.findings.append(finding(code, detail, self.offset if offset is None else offset))

    def seek(self, offset: int) -> None:
        """Stand at an absolute offset; what lies between is not read."""
        if self.base <= offset <= self.base + self.end and self.end:
            self.position = offset - self.base
        else:
            if offset != self.base + self.end and self.size > _WHOLE:
                self._window = _SMALLEST
            self._load(offset)
        self._set_safe()

    def share(self, other: PickleReader) -> None:
        """Start with the bytes that another reader of the same file has already read."""
        self.data, self.base, self.position, self.end = other.data, other.base, other.position, other.end
        self._window = _SMALLEST if self.size > _WHOLE else _WHOLE

    def _load(self, offset: int) -> None:
        data = self.source.read(offset, self._window)
        self._window = min(self._window * 2, max(_LARGEST, self._window))
        self.base, self.position, self.end = offset, 0, len(data)
        self.data = data + _PADDING

    def _set_safe(self) -> None:
        last = self.base + self.end >= self.size
        safe = self.end if last else self.end - _ARGUMENT
        if self.frame_end is not None:
            safe = min(safe, self.frame_end - self.base)
        self.safe = safe

    def more(self) -> int:
        """Called at an opcode that is not safe: end the frame, read on, or raise Stopped at the end of the file."""
        offset = self.offset
        if self.frame_end is not None and offset >= self.frame_end:
            if offset > self.frame_end:
                self.report("frame", "an opcode and its argument cross the end of a frame", self.frame_end)
            self.frame_end = None
        if offset >= self.size:
            raise Stopped("truncated", "cut off: the file ends before the pickle does", min(offset, self.size))
        if self.position + _ARGUMENT >= self.end and self.base + self.end < self.size:
            self._load(offset)
        self._set_safe()
        return self.position

    def open_frame(self, length: int) -> None:
        """Follow a FRAME opcode that ends at the current position.

        One that claims more than the file has is told at its STOP; where none comes, the file was cut off.
        """
        start = self.offset
        if self.frame_end is not None:
            self.report("frame", "a frame inside a frame", start - 9)
        self.frame_end = start + length
        self._set_safe()

    def take(self, start: int, length: int, encoding: str, keep: int) -> Optional[bytes]:
        """Pass over `length` bytes at window index `start`: the bytes where they are few, else None.

        Raises Stopped when the file ends before them.
        """
        offset = self.base + start
        if length > self.size - offset:
            left = max(0, self.size - offset)
            raise Stopped("truncated", f"cut off: {length} bytes are announced where {left} are left", offset)
        data: Optional[bytes] = None
        if length <= keep and self.budget.kept >= length:
            self.budget.kept -= length
            inside = start + length <= self.end
            data = self.data[start : start + length] if inside else self.source.read(offset, length)
        if start + length <= self.end:
            self.position = start + length
        else:
            self.seek(offset + length)
        return data

    def head(self, start: int, length: int) -> bytes:
        """Up to `length` bytes at window index `start`, without moving."""
        if start + length <= self.end:
            return self.data[start : start + length]
        return self.source.read(self.base + start, length)

    def line(self, limit: int = MAX_LINE) -> bytes:
        """The rest of the line, without its end. Raises LongLine when it is longer than `limit`."""
        start = self.position
        stop = self.data.find(b"\n", start, self.end)
        if stop < 0:
            span = self.long_line("bytes", limit)
            return self.source.read(span.offset, span.length)
        if stop - start > limit:
            raise LongLine("limit", f"a line of more than {limit} bytes", self.offset)
        self.position = stop + 1
        return self.data[start:stop]

    def long_line(self, encoding: str, limit: int = MAX_TEXT_LINE) -> Span:
        """The rest of the line as a span. Raises Stopped as `line` does.

        At the end of the file CPython takes the last byte for the line's end, and goes on with what it has.
        """
        start = offset = self.offset
        while offset - start <= limit:
            self.budget.spend(0, offset)
            chunk = self.source.read(offset, _LARGEST)
            if not chunk:
                self.report("truncated", "cut off: the file ends in the middle of a line", start)
                self.seek(offset)
                return Span(self.source, start, max(0, offset - start - 1), encoding)
            stop = chunk.find(b"\n")
            if stop >= 0:
                self.seek(offset + stop + 1)
                return Span(self.source, start, offset + stop - start, encoding)
            offset += len(chunk)
        raise LongLine("limit", f"a line of more than {limit} bytes", start)
