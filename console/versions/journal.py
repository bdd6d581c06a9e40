"""The journal of a store: what was put in place of what, one JSON line a step, each on disk before the next begins.

A plain append-only file and not a database: it has one writer at a time (under the store's lock), a torn last line is
the only damage a crash can do to it, and it works on network file systems, where SQLite's write-ahead log does not.
An operation goes `intent` → `staged` → `committed` → `done`, or ends as `aborted` or `conflict`. When most of it says
what no version depends on any more, it is written anew without that.
"""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from console.closing import closing_fd
from console.durable import put_bytes, sync_directory, write_all
from console.errors import OperationError
from console.files.state_dir import JOURNAL, OwnFiles, store_lock
from console.os_errors import hint, why
from console.sharing import open_shared
from console.versions import retention
from console.versions.operations import OPEN_STATES, Operation, encode, readable

_LOCK_WAIT = 5.0
_SIZE_CAP = 2 << 30
_LINE_CAP = 4 << 20
_BLOCK = 1 << 20
_COMPACT_FROM = 1 << 20
MOST_TOLD = 100


class Journal:
    """The operations of one store, oldest first; reads what others appended since, before each append.

    `damaged` are the numbers of lines that hold none, up to a hundred: each costs what it said and nothing else.
    """

    def __init__(self, own: OwnFiles) -> None:
        self._own = own
        self._begin()
        self.refresh()

    def _begin(self, file: tuple[int, int] | None = None) -> None:
        self._file = file
        self._operations: dict[str, Operation] = {}
        self._versions: set[tuple[str, int]] = set()
        self._seq = 0
        self._offset = 0
        self._lines = 0
        self.damaged: tuple[int, ...] = ()

    def operations(self) -> tuple[Operation, ...]:
        """Every operation in its last known state, in the order in which they were begun."""
        return tuple(self._operations.values())

    def of(self, path: str) -> tuple[Operation, ...]:
        """The finished replacements of one artifact, in the order in which they took effect."""
        kept = [one for one in self._operations.values() if one.path == path and one.state in ("committed", "done")]
        return tuple(sorted(kept, key=lambda one: one.seq))

    def unfinished(self) -> tuple[Operation, ...]:
        """The operations that a crash may have cut short."""
        return tuple(one for one in self._operations.values() if one.state in OPEN_STATES)

    def refresh(self) -> None:
        """Read what is new; a last line without its end is not there yet. Raises OperationError when it cannot be
        read."""
        if self._own.fd < 0:
            self._begin()
            return
        try:
            fd = os.open(JOURNAL, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=self._own.fd)
        except FileNotFoundError:
            self._begin()
            return
        except OSError as error:
            raise OperationError(
                f"the journal of {self._own.root} cannot be read: {why(error)}", hint=hint(error)
            ) from None
        with closing_fd(fd):
            self._read(fd)

    def read_again(self, own: OwnFiles) -> None:
        """Read what is new in the journal that lies there by now. Raises OperationError."""
        self._own = own
        self.refresh()

    def append(self, operation: Operation, state: str, *, durable: bool = True, **more: Any) -> Operation:
        """Write one step and, unless told otherwise, wait until it is on disk.

        Raises OSError, BusyError, OperationError (also for a step that could not be read back: then nothing is
        written).
        """
        with store_lock(self._own, wait=_LOCK_WAIT):
            fd = self._opened()
            try:
                if self._compacted():
                    os.close(fd)
                    fd = self._opened()
                step = replace(operation, state=state, seq=self._seq + 1, **more)
                line = encode(step)
                if readable(line) is None or len(line) > _LINE_CAP:
                    raise OperationError(f"the replacement of {step.path} cannot be put on record, so it is not done")
                self._write(fd, line, durable)
            finally:
                os.close(fd)
        self._take(step)
        return step

    def _take(self, step: Operation) -> None:
        self._operations[step.op] = step
        self._versions.add((step.path, step.version))
        self._seq = max(self._seq, step.seq)

    def _opened(self) -> int:
        """The file, made where it is missing, and read to its end."""
        fd = open_shared(self._own.fd, JOURNAL, os.O_RDWR | os.O_NONBLOCK, self._own.share)
        try:
            self._read(fd)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _write(self, fd: int, line: bytes, durable: bool) -> None:
        start = self._offset
        os.ftruncate(fd, start)
        os.lseek(fd, start, os.SEEK_SET)
        try:
            write_all(fd, line)
            if durable:
                os.fsync(fd)
                if start == 0:
                    sync_directory(self._own.fd)
        except OSError:
            with suppress(OSError):
                os.ftruncate(fd, start)
            raise
        self._offset = start + len(line)
        self._lines += 1

    def _compacted(self) -> bool:
        """Write the file anew where it has grown and more than half of it is of no use; whether that was tried.

        Where it cannot be done the file goes on growing.
        """
        if self._offset < _COMPACT_FROM or self._lines < 2 * len(self._versions):
            return False
        with suppress(OSError):
            for name in os.listdir(self._own.fd):
                if name.startswith(f".{JOURNAL}."):
                    os.unlink(name, dir_fd=self._own.fd)
            lines = b"".join(map(encode, needed(self._own, self._operations.values())))
            put_bytes(self._own.fd, JOURNAL, lines, self._own.give)
        return True

    def _read(self, fd: int) -> None:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _SIZE_CAP:
            raise OperationError(
                f"the journal of {self._own.root} is not a plain file of at most {_SIZE_CAP >> 30} GiB",
                hint="move .model-console/journal.jsonl away; the retained versions stay",
            )
        if self._file != (status.st_dev, status.st_ino):
            self._begin((status.st_dev, status.st_ino))
        if status.st_size < self._offset:
            raise OperationError(f"the journal of {self._own.root} was cut short by somebody else")
        for line, length in self._new_lines(fd, status.st_size):
            self._lines += 1
            self._offset += length
            step = readable(line) if length <= _LINE_CAP else None
            if step is not None:
                self._take(step)
            elif len(self.damaged) < MOST_TOLD:
                self.damaged = (*self.damaged, self._lines)

    def _new_lines(self, fd: int, size: int) -> Iterator[tuple[bytes, int]]:
        """The whole lines behind those read so far, and how long each is; of one that is too long only its end."""
        with os.fdopen(os.dup(fd), "rb", buffering=_BLOCK) as file:
            file.seek(self._offset)
            while self._offset < size:
                line = file.readline(_LINE_CAP)
                length = len(line)
                while line and not line.endswith(b"\n"):
                    line = file.readline(_LINE_CAP)
                    length += len(line)
                if not line:
                    return
                yield line, length


def needed(own: OwnFiles, operations: Iterable[Operation]) -> list[Operation]:
    """Those to keep, in their order. Raises OSError where a history cannot be listed."""
    known = list(operations)
    finished: dict[str, list[Operation]] = defaultdict(list)
    for one in known:
        if one.state in ("committed", "done"):
            finished[one.path].append(one)
    kept = {one.op for one in known if one.state in OPEN_STATES}
    for path, those in finished.items():
        kept |= _of_path(sorted(those, key=lambda one: one.seq), retention.names(own, path))
    return [one for one in known if one.op in kept]


def _of_path(operations: list[Operation], names: set[str]) -> set[str]:
    """Of one artifact: the newest by which each retained version was promoted, or the first that found it there; the
    last one, and the one with the highest number, so that no number is given twice."""
    highest = max(operations, key=lambda one: max(one.version, one.old_version))
    kept = {operations[-1].op, highest.op}
    promoted = {one.version: one for one in operations}
    for one in promoted.values():
        if retention.file_name(one.version, one.new) in names:
            kept.add(one.op)
    found: set[int] = set(promoted)
    for one in operations:
        if one.old and one.old_version not in found:
            found.add(one.old_version)
            if retention.file_name(one.old_version, one.old) in names:
                kept.add(one.op)
    return kept
