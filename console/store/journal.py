"""The journal of a store: what was put in place of what, one JSON line a step, each on disk before the next begins.

A plain append-only file and not a database: it has one writer at a time (under the store's lock), a torn last line is
the only damage a crash can do to it, and it works on network file systems, where SQLite's write-ahead log does not.
An operation goes `intent` → `staged` → `committed` → `done`, or ends as `aborted` or `conflict`.
"""

from __future__ import annotations

import json
import os
import zlib
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from console.errors import Failed
from console.store import sealed
from console.store.own_files import JOURNAL, OwnFiles, locked, sync_directory

OPEN_STATES = ("intent", "staged", "committed")
_LOCK_WAIT = 20.0


@dataclass(frozen=True, slots=True)
class Operation:
    """One replacement. `new` and `old` are digests (`old` empty: there was no file), `tmp` the name of the temporary
    file in the artifact's directory, `version` and `old_version` what the two contents are called in its history."""

    op: str
    path: str
    tmp: str
    new: str
    old: str
    version: int
    old_version: int
    when: float
    who: str
    why: str
    size: int
    old_size: int = 0
    old_when: float = 0.0
    old_why: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    old_metrics: dict[str, float] = field(default_factory=dict)
    state: str = "intent"
    seq: int = 0
    identity: tuple[int, ...] = ()


_FIELDS = frozenset(item.name for item in fields(Operation))


class Journal:
    """The operations of one store, oldest first; reads what others appended since, before each append."""

    def __init__(self, own: OwnFiles) -> None:
        self._own = own
        self._operations: dict[str, Operation] = {}
        self._seq = 0
        self._offset = 0
        self._lines = 0
        self.damaged: tuple[int, ...] = ()
        self.refresh()

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
        """Read what is new; a last line without its end is not there yet. Raises Failed when it cannot be read."""
        if self._own.fd < 0:
            return
        try:
            fd = os.open(JOURNAL, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=self._own.fd)
        except FileNotFoundError:
            return
        except OSError as error:
            raise Failed(f"the journal of {self._own.root} cannot be read: {error.strerror}") from None
        try:
            self._read(fd)
        finally:
            os.close(fd)

    def check(self) -> None:
        """Raises Failed when lines of the journal are damaged: nothing may be replaced on such ground."""
        if self.damaged:
            raise Failed(
                f"the journal of {self._own.root} is damaged at line {self.damaged[0]}: nothing is replaced",
                hint="restore .model-console/journal.jsonl from a backup, or move it away to begin a new history",
            )

    def append(self, operation: Operation, state: str, *, durable: bool = True, **more: Any) -> Operation:
        """Write one step and, unless told otherwise, wait until it is on disk. Raises OSError, Failed."""
        busy = f"another process holds the lock of {self._own.root}"
        with locked(self._own.fd, "lock", self._own.file_mode, wait=_LOCK_WAIT, busy=busy):
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            fd = os.open(JOURNAL, flags, self._own.file_mode, dir_fd=self._own.fd)
            try:
                self._read(fd)
                step = replace(operation, state=state, seq=self._seq + 1, **more)
                self._write(fd, encode(step), durable)
            finally:
                os.close(fd)
        self._operations[step.op] = step
        self._seq = step.seq
        return step

    def _write(self, fd: int, line: bytes, durable: bool) -> None:
        start = self._offset
        os.ftruncate(fd, start)
        os.lseek(fd, start, os.SEEK_SET)
        try:
            sealed.write_all(fd, line)
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

    def _read(self, fd: int) -> None:
        size = os.fstat(fd).st_size
        if size < self._offset:
            raise Failed(f"the journal of {self._own.root} was cut short by somebody else")
        data = bytearray()
        while len(data) < size - self._offset:
            part = os.pread(fd, size - self._offset - len(data), self._offset + len(data))
            if not part:
                break
            data += part
        whole = bytes(data[: data.rfind(b"\n") + 1])
        self._offset += len(whole)
        for line in whole.splitlines():
            self._lines += 1
            step = decode(line)
            if step is None:
                self.damaged = (*self.damaged, self._lines)
                continue
            self._operations[step.op] = step
            self._seq = max(self._seq, step.seq)


def encode(step: Operation) -> bytes:
    """The line of one step: ASCII JSON with a checksum of everything else in it."""
    text = json.dumps(asdict(step), sort_keys=True)
    return f'{text[:-1]}, "~crc": {zlib.crc32(text.encode())}}}\n'.encode()


def decode(line: bytes) -> Operation | None:
    """The step a line holds, None when its checksum or form is wrong; keys of later releases are passed over."""
    try:
        found = json.loads(line)
        crc = found.pop("~crc")
        if crc != zlib.crc32(json.dumps(found, sort_keys=True).encode()):
            return None
        found["identity"] = tuple(found.get("identity", ()))
        return Operation(**{key: value for key, value in found.items() if key in _FIELDS})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
