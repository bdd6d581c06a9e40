"""The lines of an audit log: what one holds, how it is chained to the one before, and how it is read back."""

from __future__ import annotations

import json
import os
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from backends.core.inspection import Json
from console.files.roots import owner_name
from console.records import AuditEntry

START = "0" * 64
"""What the first record is chained to."""

REPAIR = "audit.repaired"
"""The action of a record that measures a torn line before it."""

_TAIL = 1 << 16
_FARTHEST = 8 << 20
"""Bytes from the end within which the last whole record must lie."""

_FIELDS = ("seq", "when", "who", "action", "artifact", "digest", "result", "hash", "detail")
_UNSET = 0xFFFFFFFF
_EARLIEST, _LATEST = -62_104_060_800.0, 253_402_300_799.0


def identity() -> dict[str, Json]:
    """Who acts: the login id that the kernel keeps over su and sudo (None when unset), user, and SUDO_USER."""
    try:
        login: int | None = int(Path("/proc/self/loginuid").read_text("ascii"))
    except (OSError, ValueError):
        login = None
    uid = os.getuid()
    who: dict[str, Json] = {"login": None if login == _UNSET else login, "uid": uid, "user": owner_name(uid)}
    if os.environ.get("SUDO_USER"):
        who["sudo_user"] = os.environ["SUDO_USER"]
    return who


def record(
    seq: int,
    action: str,
    artifact: str,
    digest: str | None,
    result: str,
    detail: dict[str, Json],
    who: dict[str, Json] | None = None,
) -> dict[str, Any]:
    """A new record, but for its hash. `who` acts, where that is not the user of this process."""
    return {
        "seq": seq,
        "when": time.time(),
        "monotonic": time.monotonic(),
        "boot": _boot_id(),
        "pid": os.getpid(),
        "who": identity() if who is None else who,
        "action": action,
        "artifact": artifact,
        "digest": digest,
        "result": result,
        "detail": detail,
    }


def chained(before: str, found: dict[str, Any]) -> str:
    """The hash of a record: SHA-256 over the hash before it and everything in it but its own."""
    rest = {key: value for key, value in found.items() if key != "hash"}
    return sha256(before.encode("ascii") + canonical(rest)).hexdigest()


def canonical(found: dict[str, Any]) -> bytes:
    """The one way a record is written."""
    return json.dumps(found, sort_keys=True, separators=(",", ":")).encode("ascii")


def parse(line: bytes) -> AuditEntry | None:
    """The record in a line, None where it holds none that we could have written."""
    try:
        found = json.loads(line)
        entry = msgspec.convert({name: found[name] for name in _FIELDS}, AuditEntry)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError, msgspec.ValidationError):
        return None
    return entry if 0 < entry.seq < 2**63 and _EARLIEST <= entry.when < _LATEST else None


def last_lines(fd: int) -> tuple[list[bytes], bytes]:
    """The whole lines at the end of the file, and the bytes after the last newline. Raises OSError."""
    size = os.fstat(fd).st_size
    length = min(size, _TAIL)
    while True:
        lines = os.pread(fd, length, size - length).split(b"\n")
        whole = lines[:-1] if length == size else lines[1:-1]
        if length == size or any(parse(line) is not None for line in whole):
            return whole, lines[-1]
        if length > _FARTHEST:
            raise OSError(0, f"its last {length >> 20} MiB hold no record of ours")
        length = min(size, length * 4)


def last_record(whole: list[bytes]) -> tuple[int, str, list[bytes]]:
    """Sequence number and hash of the last record, and the lines behind it that hold none."""
    for behind, line in enumerate(reversed(whole)):
        entry = parse(line)
        if entry is not None:
            return entry.seq, entry.hash, whole[len(whole) - behind :]
    return 0, START, whole


def broken_link(entry: AuditEntry, line: bytes, seq: int, before: str) -> str | None:
    """The fault of a record that follows the one of number `seq` and hash `before`; None when nothing is."""
    if entry.seq != seq + 1:
        return f"record {entry.seq} follows record {seq}: something was removed, added or reordered"
    try:
        right = chained(before, json.loads(line)) == entry.hash
    except (ValueError, RecursionError):
        right = False
    return None if right else f"record {entry.seq} was changed after it was written"


def _boot_id() -> str | None:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return None
