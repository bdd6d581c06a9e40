"""The audit log: append-only JSON lines, each chained to the one before, so that a later change shows.

A record is one line; its `hash` is SHA-256 over the hash before and the record's canonical JSON without `hash`. A
last line that was torn by a crash stays as it is and is followed by a record that measures it. What the chain alone
cannot show is a log cut short: for that the newest sequence number and hash are mirrored outside the store. No input
rows, targets, secrets or local variables belong in here; callers pass names, digests and outcomes.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pwd
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from backends.base import Json
from console.config import STORE_DIR, state_dir, store_key
from console.errors import BadInput, Failed

__all__ = ["AUDIT_FILE", "Audit", "AuditCheck", "AuditEntry", "identity"]

AUDIT_FILE = "audit.jsonl"
_START = "0" * 64
_TAIL = 1 << 16
_UNSET = 0xFFFFFFFF
_REPAIR = "audit.repaired"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One record. `who` holds the kernel's login id beside the user id; `detail` what only this action has."""

    seq: int
    when: float
    who: dict[str, Json]
    action: str
    artifact: str
    digest: str | None
    result: str
    hash: str
    detail: dict[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuditCheck:
    """What `verify` found: `entries` good records, up to `problem` where there is one (with its line, from 1)."""

    ok: bool
    entries: int
    problem: str | None = None
    line: int | None = None
    repaired: int = 0


def identity() -> dict[str, Json]:
    """Who acts: the login id that the kernel keeps over su and sudo (None when unset), user, and SUDO_USER."""
    try:
        login: int | None = int(Path("/proc/self/loginuid").read_text("ascii"))
    except (OSError, ValueError):
        login = None
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = str(uid)
    who: dict[str, Json] = {"login": None if login == _UNSET else login, "uid": uid, "user": name}
    if os.environ.get("SUDO_USER"):
        who["sudo_user"] = os.environ["SUDO_USER"]
    return who


class Audit:
    """The log of one store. Reading needs no right to write; many processes may append at once."""

    def __init__(self, store: Path, mirror: Path | None = None) -> None:
        self.path = store / STORE_DIR / AUDIT_FILE
        self._mirror = mirror or state_dir() / "audit" / f"{store_key(store)}.json"

    def append(
        self, action: str, *, artifact: str = "", digest: str | None = None, result: str = "", **detail: Json
    ) -> AuditEntry:
        """Write one record and wait until it is on the disk. Raises Failed when it cannot be kept."""
        try:
            with self._opened() as fd:
                seq, before = self._mended(fd)
                record = _record(seq + 1, action, artifact, digest, result, detail)
                entry = self._write(fd, before, record)
        except OSError as error:
            raise Failed(f"cannot write the audit log {self.path}: {error.strerror or error}") from None
        self._remember(entry)
        return entry

    def entries(self) -> tuple[AuditEntry, ...]:
        """Every readable record, oldest first; a damaged line is left to `verify`. Raises BadInput."""
        return tuple(entry for line in self._lines() if (entry := _parse(line)) is not None)

    def verify(self) -> AuditCheck:
        """Follow the chain from its first record to the mirrored last one. Raises BadInput when it cannot be read."""
        lines = self._lines()
        seq, before, good, repaired = 0, _START, 0, 0
        for number, line in enumerate(lines, 1):
            entry = _parse(line)
            following = lines[number] if number < len(lines) else None
            if entry is None:
                if not _is_mended(line, following):
                    return AuditCheck(False, good, _unreadable(line), number, repaired)
                repaired += 1
                continue
            problem = _broken_link(entry, line, seq, before)
            if problem:
                return AuditCheck(False, good, problem, number, repaired)
            seq, before, good = entry.seq, entry.hash, good + 1
        return self._against_mirror(AuditCheck(True, good, repaired=repaired))

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        self.path.parent.mkdir(mode=0o770, exist_ok=True)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        fd = os.open(self.path, flags, 0o640)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise OSError(0, "it is not a regular file")
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield fd
        finally:
            os.close(fd)

    def _mended(self, fd: int) -> tuple[int, str]:
        """Sequence number and hash of the last record, after a torn last line was closed and marked."""
        whole, torn = _last_lines(fd)
        seq, before = 0, _START
        for line in reversed(whole):
            entry = _parse(line)
            if entry is not None:
                seq, before = entry.seq, entry.hash
                break
        if torn:
            os.write(fd, b"\n")
            last = _parse(torn)
            if last is not None and _broken_link(last, torn, seq, before) is None:
                return last.seq, last.hash
            detail: dict[str, Json] = {"torn_bytes": len(torn), "torn_sha256": sha256(torn).hexdigest()}
            entry = self._write(fd, before, _record(seq + 1, _REPAIR, "", None, "marked", detail))
            seq, before = entry.seq, entry.hash
        return seq, before

    def _write(self, fd: int, before: str, record: dict[str, Any]) -> AuditEntry:
        record["hash"] = _chain(before, record)
        line = _canonical(record) + b"\n"
        if os.write(fd, line) != len(line):
            raise OSError(0, "the disk took only a part of the record")
        os.fdatasync(fd)
        entry = _parse(line[:-1])
        assert entry is not None
        return entry

    def _lines(self) -> list[bytes]:
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(fd, "rb") as file:
                lines = file.read().split(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise BadInput(f"cannot read the audit log {self.path}: {error.strerror or error}") from None
        return lines if lines[-1] else lines[:-1]

    def _remember(self, entry: AuditEntry) -> None:
        """Mirror the head; a mirror that cannot be written only costs the proof against a log cut short."""
        with contextlib.suppress(OSError):
            self._mirror.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            temporary = self._mirror.with_name(f"{self._mirror.name}.{os.getpid()}.tmp")
            temporary.write_text(json.dumps({"seq": entry.seq, "hash": entry.hash}), "ascii")
            os.replace(temporary, self._mirror)

    def _against_mirror(self, check: AuditCheck) -> AuditCheck:
        try:
            head = json.loads(self._mirror.read_text("ascii"))
            seq, expected = int(head["seq"]), str(head["hash"])
        except (OSError, ValueError, KeyError, TypeError):
            return check
        found = next((entry for entry in self.entries() if entry.seq == seq), None)
        if found is None:
            problem = f"record {seq}, which this user wrote, is gone: the log was cut short or removed"
        elif found.hash != expected:
            problem = f"record {seq} is not the one this user wrote: the log was written anew"
        else:
            return check
        return AuditCheck(False, check.entries, problem, None, check.repaired)


def _record(
    seq: int, action: str, artifact: str, digest: str | None, result: str, detail: dict[str, Json]
) -> dict[str, Any]:
    return {
        "seq": seq,
        "when": time.time(),
        "monotonic": time.monotonic(),
        "boot": _boot_id(),
        "pid": os.getpid(),
        "who": identity(),
        "action": action,
        "artifact": artifact,
        "digest": digest,
        "result": result,
        "detail": detail,
    }


def _boot_id() -> str | None:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return None


def _canonical(record: dict[str, Any]) -> bytes:
    return json.dumps(record, sort_keys=True, separators=(",", ":")).encode("ascii")


def _chain(before: str, record: dict[str, Any]) -> str:
    rest = {key: value for key, value in record.items() if key != "hash"}
    return sha256(before.encode("ascii") + _canonical(rest)).hexdigest()


def _last_lines(fd: int) -> tuple[list[bytes], bytes]:
    """The whole lines at the end of the file, and the bytes after the last newline."""
    size = os.fstat(fd).st_size
    length = min(size, _TAIL)
    while True:
        lines = os.pread(fd, length, size - length).split(b"\n")
        whole = lines[:-1] if length == size else lines[1:-1]
        if length == size or any(_parse(line) is not None for line in whole):
            return whole, lines[-1]
        length = min(size, length * 4)


def _parse(line: bytes) -> AuditEntry | None:
    try:
        found = json.loads(line)
        return AuditEntry(
            seq=int(found["seq"]),
            when=float(found["when"]),
            who=dict(found["who"]),
            action=str(found["action"]),
            artifact=str(found["artifact"]),
            digest=found["digest"],
            result=str(found["result"]),
            hash=str(found["hash"]),
            detail=dict(found["detail"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _broken_link(entry: AuditEntry, line: bytes, seq: int, before: str) -> str | None:
    if entry.seq != seq + 1:
        return f"record {entry.seq} follows record {seq}: something was removed, added or reordered"
    if _chain(before, json.loads(line)) != entry.hash:
        return f"record {entry.seq} was changed after it was written"
    return None


def _is_mended(line: bytes, following: bytes | None) -> bool:
    marker = _parse(following) if following is not None else None
    if marker is None or marker.action != _REPAIR:
        return False
    return marker.detail.get("torn_bytes") == len(line) and marker.detail.get("torn_sha256") == sha256(line).hexdigest()


def _unreadable(line: bytes) -> str:
    return f"a line of {len(line)} bytes is no record: torn by a crash and not yet marked, or written by something else"
