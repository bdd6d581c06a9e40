"""The journal of a store: what was put in place of what, one JSON line a step, each on disk before the next begins.

A plain append-only file and not a database: it has one writer at a time (under the store's lock), a torn last line is
the only damage a crash can do to it, and it works on network file systems, where SQLite's write-ahead log does not.
An operation goes `intent` → `staged` → `committed` → `done`, or ends as `aborted` or `conflict`.
"""

from __future__ import annotations

import json
import os
import re
import stat
import zlib
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from console.durable import write_all
from console.errors import Failed
from console.store.own_files import JOURNAL, OwnFiles, locked, sync_directory

OPEN_STATES = ("intent", "staged", "committed")
_LOCK_WAIT = 20.0
_STATES = (*OPEN_STATES, "done", "aborted", "conflict")
_SIZE_CAP = 256 << 20
_MOST_DAMAGED = 100
_OP = re.compile(r"[0-9A-Za-z]{1,32}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MOST = 2**63
_LATEST = 253_402_300_799.0
"""The last second of the year 9999, beyond which no calendar goes."""


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
            fd = os.open(JOURNAL, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=self._own.fd)
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

    def _read(self, fd: int) -> None:
        status = os.fstat(fd)
        size = status.st_size
        if not stat.S_ISREG(status.st_mode) or size > _SIZE_CAP:
            raise Failed(f"the journal of {self._own.root} is not a plain file of at most {_SIZE_CAP >> 20} MiB")
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
            if step is None or not sound(step):
                self.damaged = (*self.damaged, self._lines)
                if len(self.damaged) > _MOST_DAMAGED:
                    raise Failed(f"the journal of {self._own.root} is no journal", hint="move it away to begin anew")
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


def sound(step: Operation) -> bool:
    """Whether a step can have been written by us: whoever sent the store may have written a journal with names in it
    that lead elsewhere, and recovery renames and removes what it names."""
    texts = (step.op, step.path, step.tmp, step.new, step.old, step.who, step.why, step.old_why, step.state)
    counts = (step.version, step.old_version, step.size, step.old_size, step.seq)
    return (
        all(type(text) is str for text in texts)
        and all(type(count) is int and 0 <= count < _MOST for count in counts)
        and all(_is_number(when) and 0 <= when < _LATEST for when in (step.when, step.old_when))
        and _are_metrics(step.metrics)
        and _are_metrics(step.old_metrics)
        and all(type(part) is int for part in step.identity)
        and _OP.fullmatch(step.op) is not None
        and step.tmp == f".mc-{step.op}.tmp"
        and _DIGEST.fullmatch(step.new) is not None
        and (not step.old or _DIGEST.fullmatch(step.old) is not None)
        and step.state in _STATES
        and _stays_inside(step.path)
    )


def _is_number(value: object) -> bool:
    return type(value) in (int, float)


def _are_metrics(found: object) -> bool:
    return isinstance(found, dict) and all(isinstance(key, str) and _is_number(found[key]) for key in found)


def _stays_inside(path: str) -> bool:
    return "\0" not in path and all(name not in ("", ".", "..") for name in path.split("/"))
