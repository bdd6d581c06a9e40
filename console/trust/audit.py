"""The audit log: append-only JSON lines, each chained to the one before, so that a later change shows.

A record is one line; its `hash` is SHA-256 over the hash before and the record's canonical JSON without `hash`. A
last line that was torn by a crash stays as it is and is followed by a record that measures it. What the chain alone
cannot show is a log cut short: for that the newest sequence number and hash are mirrored outside the store, and
compared before each append. No input rows, targets, secrets or local variables belong in here; callers pass names,
digests and outcomes.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from backends.core.inspection import Json
from console.closing import closing_fd
from console.config import STORE_DIR, state_dir, store_key
from console.durable import sync_directory
from console.errors import InputError, OperationError
from console.locks import locked
from console.os_errors import hint, why
from console.records import AuditCheck, AuditEntry
from console.sharing import PRIVATE, Share, make_directory, open_shared
from console.trust.audit_records import (
    REPAIR,
    START,
    broken_link,
    canonical,
    chained,
    last_lines,
    last_record,
    parse,
    record,
)

AUDIT_FILE = "audit.jsonl"
CUT = "audit.cut"
"""The action of a record that tells of records missing before it."""

BEGUN = "audit.begun"
"""The action of a first record that tells of an earlier log in this place."""

_SIZE_CAP = 1 << 30
_LINE_CAP = 4 << 20
_RECORD_CAP = 1 << 20
_RESULT_CAP = 4000
_MOST_LOOSE = 2
"""A torn line, and what a crash left of the record that was to mark it; more than that no crash can leave."""

_LOCK_WAIT = 5.0
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class Audit:
    """The log of one store. Reading needs no right to write; many processes may append at once.

    `mirror` is where this user's memory of its end is kept. With `own` it is the user's own log of that store, in the
    state directory, for what may not be written in the store itself.
    """

    def __init__(self, store: Path, mirror: Path | None = None, *, own: bool = False) -> None:
        kept = state_dir() / "audit"
        self.path = kept / f"{store_key(store)}.jsonl" if own else store / STORE_DIR / AUDIT_FILE
        self._mirror = mirror or kept / f"{store_key(store)}{'-own' if own else ''}.json"
        self._own = own

    def append(
        self,
        action: str,
        *,
        artifact: str = "",
        digest: str | None = None,
        result: str = "",
        wait: float = _LOCK_WAIT,
        who: dict[str, Json] | None = None,
        **detail: Json,
    ) -> AuditEntry:
        """Write one record and wait until it is on the disk; `who` acts, where that is not the user of this process.

        Raises OperationError when it cannot be kept, BusyError when another process holds the log for `wait` seconds.
        """
        try:
            with self._opened(wait) as fd:
                seq, before = self._head(fd)
                found = record(seq + 1, action, artifact, digest, result[:_RESULT_CAP], detail, who)
                entry = _write(fd, before, found)
                self._remember(entry)
        except PermissionError as error:
            raise OperationError(
                f"cannot write the audit log {self.path}: {why(error)}",
                hint="`model-console doctor` tells whose it is and what would let you",
            ) from None
        except OSError as error:
            raise OperationError(f"cannot write the audit log {self.path}: {why(error)}", hint=hint(error)) from None
        return entry

    def entries(self) -> tuple[AuditEntry, ...]:
        """Every readable record, oldest first; a damaged line is left to `verify`. Raises InputError."""
        return tuple(entry for line in self._lines() if (entry := parse(line)) is not None)

    def last(self, word: str, uid: int | None = None) -> AuditEntry | None:
        """The newest record whose detail holds this key, of that user where one is named. Raises InputError."""
        mark, found = f'"{word}":'.encode("ascii"), None
        for line in self._lines():
            entry = parse(line) if mark in line else None
            if entry is not None and word in entry.detail and uid in (None, entry.who.get("uid")):
                found = entry
        return found

    def verify(self) -> AuditCheck:
        """Follow the chain from its first record to the mirrored last one. Raises InputError when it cannot be read."""
        head = self._mirrored()
        seq, before, good, repaired = 0, START, 0, 0
        torn: tuple[int, bytes] | None = None
        known = note = None
        for number, line in enumerate(self._lines(), 1):
            entry = parse(line)
            if entry is None:
                torn = (number, line) if torn is None else (torn[0], torn[1] + b"\n" + line)
                if len(torn[1]) > _LINE_CAP:
                    break
                continue
            if torn is not None:
                if not _measures(entry, torn[1]):
                    break
                torn, repaired = None, repaired + 1
            problem = broken_link(entry, line, seq, before) or _told(entry, CUT)
            note = note or _told(entry, BEGUN)
            if problem:
                return AuditCheck(False, good, problem, number, repaired, head is not None)
            seq, before, good = entry.seq, entry.hash, good + 1
            if head is not None and seq == head[0]:
                known = entry.hash
        if torn is not None:
            return AuditCheck(False, good, _unreadable(torn[1]), torn[0], repaired, head is not None)
        lost = None if head is None else _lost(head, known)
        return AuditCheck(lost is None, good, lost, None, repaired, head is not None, note)

    # the file

    @contextlib.contextmanager
    def _opened(self, wait: float) -> Iterator[int]:
        """The log, locked; made where it is missing. Its directory is not looked for behind a link. Raises OSError."""
        directory, share = self._directory()
        with closing_fd(directory):
            flags = os.O_RDWR | os.O_APPEND | os.O_NONBLOCK
            with closing_fd(open_shared(directory, self.path.name, flags, share, mode=share.private_mode)) as fd:
                status = os.fstat(fd)
                if not stat.S_ISREG(status.st_mode):
                    raise OSError(0, "it is not a regular file")
                with locked(fd, f"the audit log {self.path}", wait=wait):
                    if status.st_size == 0:
                        sync_directory(directory)
                    yield fd

    def _directory(self) -> tuple[int, Share]:
        """A descriptor of the directory the log lies in, made where it is missing, and to whom that belongs."""
        if self._own:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self.path.parent, _DIRECTORY), PRIVATE
        with closing_fd(os.open(self.path.parent.parent, _DIRECTORY)) as root:
            share = Share.of(root)
            return make_directory(root, self.path.parent.name, share), share

    def _lines(self) -> Iterator[bytes]:
        """The lines without their ends, the last one even where it has none. Raises InputError."""
        try:
            with closing_fd(os.open(self.path.parent, _DIRECTORY | (0 if self._own else os.O_NOFOLLOW))) as directory:
                fd = os.open(self.path.name, os.O_RDONLY | _FILE, dir_fd=directory)
            with os.fdopen(fd, "rb") as file:
                status = os.fstat(fd)
                if not stat.S_ISREG(status.st_mode) or status.st_size > _SIZE_CAP:
                    raise OSError(0, f"it is not a regular file of at most {_SIZE_CAP >> 20} MiB")
                while line := file.readline(_LINE_CAP):
                    yield line.removesuffix(b"\n")
        except FileNotFoundError:
            return
        except OSError as error:
            raise InputError(f"cannot read the audit log {self.path}: {why(error)}", hint=hint(error)) from None

    def _head(self, fd: int) -> tuple[int, str]:
        """Sequence number and hash of the last record, after what is torn or missing before it was marked."""
        whole, torn = last_lines(fd)
        seq, before, loose = last_record(whole)
        if torn:
            os.write(fd, b"\n")
            last = parse(torn)
            if not loose and last is not None and broken_link(last, torn, seq, before) is None:
                return self._without_gap(fd, last.seq, last.hash, whole)
            loose = [*loose, torn]
        if loose and len(loose) <= _MOST_LOOSE:
            both = b"\n".join(loose)
            detail: dict[str, Json] = {"torn_bytes": len(both), "torn_sha256": sha256(both).hexdigest()}
            entry = _write(fd, before, record(seq + 1, REPAIR, "", None, "marked", detail))
            seq, before = entry.seq, entry.hash
        return self._without_gap(fd, seq, before, whole)

    def _without_gap(self, fd: int, seq: int, before: str, whole: list[bytes]) -> tuple[int, str]:
        """Mark that the record this user wrote last is gone, before the mirror moves on and forgets it."""
        head = self._mirrored()
        if head is None or (seq, before) == head:
            return seq, before
        found = next((entry for line in whole if (entry := parse(line)) is not None and entry.seq == head[0]), None)
        if seq < head[0] or (found is not None and found.hash != head[1]):
            detail: dict[str, Json] = {"missing_seq": head[0], "missing_hash": head[1]}
            entry = _write(fd, before, record(seq + 1, CUT if seq else BEGUN, "", None, "marked", detail))
            return entry.seq, entry.hash
        return seq, before

    # the mirror

    def _remember(self, entry: AuditEntry) -> None:
        """Mirror the head; a mirror that cannot be written only costs the proof against a log cut short."""
        with contextlib.suppress(OSError):
            self._mirror.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            temporary = self._mirror.with_name(f"{self._mirror.name}.{os.getpid()}.tmp")
            temporary.write_text(json.dumps({"seq": entry.seq, "hash": entry.hash}), "ascii")
            os.replace(temporary, self._mirror)

    def _mirrored(self) -> tuple[int, str] | None:
        try:
            head = json.loads(self._mirror.read_text("ascii"))
            return int(head["seq"]), str(head["hash"])
        except (OSError, ValueError, KeyError, TypeError):
            return None


def _write(fd: int, before: str, found: dict[str, Any]) -> AuditEntry:
    found["hash"] = chained(before, found)
    line = canonical(found) + b"\n"
    entry = parse(line[:-1])
    if entry is None or len(line) > _RECORD_CAP:
        raise OSError(0, "such a record could not be read back")
    if os.write(fd, line) != len(line):
        raise OSError(0, "the disk took only a part of the record")
    os.fdatasync(fd)
    return entry


def _measures(entry: AuditEntry, line: bytes) -> bool:
    """Whether a record tells of just this torn line."""
    said = (entry.detail.get("torn_bytes"), entry.detail.get("torn_sha256"))
    return entry.action == REPAIR and said == (len(line), sha256(line).hexdigest())


def _told(entry: AuditEntry, action: str) -> str | None:
    """The gap that a record of this action tells of, before it."""
    if entry.action != action:
        return None
    seq = entry.detail.get("missing_seq")
    if action == BEGUN:
        return f"this log begins anew: an earlier one in this place, of {seq} records, was removed"
    return f"record {seq} was gone when record {entry.seq} was written: the log had been cut short"


def _lost(head: tuple[int, str], known: str | None) -> str | None:
    """The mirror's evidence of loss in a log whose record of that number has the hash `known` (None: there is none)."""
    if known is None:
        return f"record {head[0]}, which this user wrote, is gone: the log was cut short or removed"
    return None if known == head[1] else f"record {head[0]} is not the one this user wrote: the log was written anew"


def _unreadable(line: bytes) -> str:
    return f"a line of {len(line)} bytes is no record: torn by a crash and not yet marked, or written by something else"
