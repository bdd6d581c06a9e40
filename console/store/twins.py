"""ONNX twins kept beside the artifacts they were made of: `.model-console/twins/<artifact's digest>.onnx` and `.json`.

A twin is bound to one content of an artifact by digest, and its own bytes by another, both in the record. A record
counts only with the mark of this user's own console: a store may have come from anywhere, and a signed model with a
twin of somebody else's beside it would answer what they want.
"""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from console.durable import put, put_bytes
from console.errors import BadInput, ConsoleError, Failed
from console.os_errors import hint, why
from console.records import Twinned, TwinTiming
from console.store import opening, own_key, sealed
from console.store.new_file import copy_into
from console.store.own_files import OwnFiles, sync_directory

__all__ = ["StoredTwin", "find", "forget", "keep", "remove"]

DIRECTORY = "twins"
_RECORD_CAP = 1 << 20
_TWIN_CAP = 1 << 31
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_AGAIN = "make it again with `model-console accelerate`"


@dataclass(frozen=True, slots=True)
class StoredTwin:
    """A twin's sealed bytes, the caller's to close, and how it compared when it was made."""

    bytes: sealed.SealedBytes
    found: Twinned


def keep(root: Path, artifact_digest: str, at: str, content: sealed.SealedBytes, found: Twinned, who: str) -> None:
    """Keep a twin for the model at `at` of one content, in place of an older one, its record first. Raises Failed."""
    name = _name(artifact_digest)
    told = {"artifact": artifact_digest, "at": at, "twin": content.digest, "who": who, "when": time.time()}
    record: dict[str, Any] = {**told, **asdict(found)}
    record["mark"] = own_key.tag(_marked(record))
    try:
        with OwnFiles(root, create=True) as own, own.directory(DIRECTORY, create=True) as directory:
            _unlink(directory, artifact_digest)
            put_bytes(directory, f"{name}.json", json.dumps(record, indent=1).encode(), own.give)
            put(directory, f"{name}.onnx", lambda fd: copy_into(content, fd), own.give)
    except OSError as error:
        raise Failed(f"the twin cannot be kept in {root}: {why(error)}", hint=hint(error)) from None


def remove(root: Path, artifact_digest: str) -> bool:
    """Remove the twin of a content; whether there was one. Raises Failed."""
    try:
        with OwnFiles(root) as own, own.directory(DIRECTORY) as directory:
            gone = _unlink(directory, artifact_digest)
            sync_directory(directory)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise Failed(f"the twin cannot be removed from {root}: {why(error)}", hint=hint(error)) from None
    return gone


def forget(own: OwnFiles, artifact_digests: Iterable[str]) -> None:
    """Remove the twins of contents that are no longer kept. Raises OSError."""
    with suppress(FileNotFoundError), own.directory(DIRECTORY) as directory:
        for digest in artifact_digests:
            _unlink(directory, digest)


def find(root: Path, artifact_digest: str, at: str) -> StoredTwin | None:
    """The twin of one content, None where there is none. Raises BadInput for one that must not be used."""
    name = _name(artifact_digest)
    try:
        with OwnFiles(root) as own, own.directory(DIRECTORY) as directory:
            record = _record(directory, f"{name}.json")
            if record.get("artifact") != artifact_digest or record.get("at") != at:
                return None
            return _opened(directory, f"{name}.onnx", record)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInput(f"the twin cannot be read: {why(error)}", hint=hint(error)) from None


def _name(artifact_digest: str) -> str:
    return artifact_digest.removeprefix("sha256:")


def _unlink(directory: int, artifact_digest: str) -> bool:
    """Remove the files of a twin, the record last: where it is cut short, no twin is left that nothing tells of."""
    gone = False
    for suffix in (".onnx", ".json"):
        with suppress(FileNotFoundError):
            os.unlink(_name(artifact_digest) + suffix, dir_fd=directory)
            gone = True
    return gone


def _marked(record: dict[str, Any]) -> bytes:
    """The bytes of a record that its mark is on: all but the mark."""
    plain = {name: value for name, value in record.items() if name != "mark"}
    return b"ONNX twin\n" + json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()


def _size(fd: int, what: str, cap: int) -> int:
    """The size of a plain file. Raises BadInput."""
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode) or status.st_size > cap:
        raise BadInput(f"the twin's {what} is not a plain file of at most {cap} bytes")
    return status.st_size


def _record(directory: int, name: str) -> dict[str, Any]:
    fd = os.open(name, _READ, dir_fd=directory)
    try:
        record = json.loads(os.read(fd, _size(fd, "record", _RECORD_CAP)))
    except (ValueError, RecursionError):
        raise BadInput("the twin's record is not JSON", hint=_AGAIN) from None
    finally:
        os.close(fd)
    if not isinstance(record, dict):
        raise BadInput("the twin's record is not an object", hint=_AGAIN)
    if not own_key.is_own(_marked(record), str(record.get("mark"))):
        raise BadInput("this user's console did not make it", hint=_AGAIN)
    return record


def _opened(directory: int, name: str, record: dict[str, Any]) -> StoredTwin:
    found = _twinned(record)
    fd = os.open(name, _READ, dir_fd=directory)
    with opening.OpenedFile(fd, opening.identity_of(os.fstat(fd)), name) as opened:
        _size(fd, "file", _TWIN_CAP)
        content = sealed.seal(opened, limit=_TWIN_CAP)
    if content.digest != record.get("twin"):
        content.close()
        raise BadInput("the twin's bytes are not those that were recorded", hint=_AGAIN)
    return StoredTwin(content, found)


def _twinned(record: dict[str, Any]) -> Twinned:
    try:
        return Twinned(
            str(record["dtype"]),
            int(record["rows"]),
            int(record["differing"]),
            float(record["largest"]),
            tuple(TwinTiming(**one) for one in record["timings"]),
            {str(name): tuple((int(low), int(high)) for low, high in ends) for name, ends in record["routes"].items()},
            {str(name): str(version) for name, version in record["versions"].items()},
            int(record["size"]),
        )
    except (ConsoleError, KeyError, TypeError, ValueError, AttributeError):
        raise BadInput("the twin's record is incomplete", hint=_AGAIN) from None
