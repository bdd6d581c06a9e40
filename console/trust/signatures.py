"""The signatures that lie in a store: one file a signing, read within bounds, believed for the policy's keys alone."""

from __future__ import annotations

import os
import secrets
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from console.config import STORE_DIR
from console.durable import put_bytes
from console.errors import InputError, OperationError
from console.files.state_dir import OwnFiles
from console.os_errors import hint, why
from console.trust.signing import Envelope, Malformed, Statement, key_id, parse_envelope, parse_statement, signer_of

SIGNATURES_DIR = "signatures"
SUFFIX = ".dsse.json"
FILE_CAP = 8 << 20
"""Bytes of one signature file: some 50,000 contents."""
TOTAL_CAP = 256 << 20
"""Bytes of all that are read at once, the newest by name first; what is left out is told."""
VERIFIED_CAP = 1 << 30
"""Bytes that one content is looked for in."""
_LISTED_CAP = 1_000_000


@dataclass(frozen=True, slots=True)
class Signed:
    """A content that one of the given keys vouches for. `when` is ISO 8601, as the signer wrote it."""

    key_id: str
    who: str
    when: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A signature file that does not count, and why."""

    file: str
    why: str


class Signatures:
    """Signatures of a store's files, read once. `refused` lists those that are none."""

    def __init__(self, envelopes: Sequence[Envelope], refused: Sequence[Refusal] = ()) -> None:
        self.refused = tuple(refused)
        self._envelopes = tuple(envelopes)
        self._believed: dict[tuple[str, ...], tuple[tuple[str, Statement], ...]] = {}

    @classmethod
    def read(cls, root: Path) -> Signatures:
        """Read every signature of the store at `root`, up to the caps. Raises InputError when they cannot be listed."""
        envelopes: list[Envelope] = []
        refused: list[Refusal] = []
        left = TOTAL_CAP
        for name, text in _texts(root):
            if isinstance(text, bytes) and len(text) > left:
                refused.append(Refusal(name, f"it and those before it are more than {TOTAL_CAP >> 20} MiB together"))
                break
            try:
                envelopes.append(_envelope(text))
                left -= len(envelopes[-1].payload)
            except (Malformed, OSError) as error:
                refused.append(Refusal(name, _words(error)))
        return cls(envelopes, refused)

    def verified(self, path: str, digest: str, keys: Iterable[str]) -> Signed | None:
        """Who of these keys vouches for this content under this name, the newest signing first."""
        for key, statement in self._by(tuple(keys)):
            if statement.subjects.get(path) == digest:
                return Signed(key_id(key), statement.who, statement.when)
        return None

    def other(self, path: str, keys: Iterable[str]) -> Signed | None:
        """The newest signing under this name by these keys, whatever content it is of."""
        for key, statement in self._by(tuple(keys)):
            if path in statement.subjects:
                return Signed(key_id(key), statement.who, statement.when)
        return None

    def claimed(self, path: str, digest: str) -> bool:
        """Whether some file claims to sign this content, by whatever key: worth a word, never belief."""
        for envelope in self._envelopes:
            with suppress(Malformed):
                if parse_statement(envelope.payload).subjects.get(path) == digest:
                    return True
        return False

    def _by(self, keys: tuple[str, ...]) -> tuple[tuple[str, Statement], ...]:
        """(key, statement) of the envelopes that these keys signed: the signature is checked before a word is read."""
        if keys not in self._believed:
            found = []
            for envelope in self._envelopes if keys else ():
                key = signer_of(envelope, keys)
                if key is not None:
                    with suppress(Malformed):
                        found.append((key, parse_statement(envelope.payload)))
            self._believed[keys] = tuple(found)
        return self._believed[keys]


def verified(root: Path, path: str, digest: str, keys: Iterable[str]) -> Signed | None:
    """Who of `keys` signed the content `digest` as `path` of this store; None when none did.

    Keys come from the policy, never from the store's own files. Only what holds the digest is checked, the newest
    first, so that a store may hold any number of them. Raises InputError, OperationError when nothing can be checked.
    """
    wanted = digest.removeprefix("sha256:").encode("utf-8", "replace")
    left = VERIFIED_CAP
    for _, text in _texts(root):
        left -= len(text) if isinstance(text, bytes) else 0
        if left < 0:
            size = f"{VERIFIED_CAP >> 20} MiB"
            raise InputError(f"{root} holds more than {size} of signatures", hint="move the oldest away")
        with suppress(Malformed, OSError):
            envelope = _envelope(text)
            if wanted in envelope.payload:
                found = Signatures((envelope,)).verified(path, digest, keys)
                if found is not None:
                    return found
    return None


def keep(root: Path, envelope: bytes) -> Path:
    """Put one signing among the store's own files, whole or not at all. Raises InputError, OperationError."""
    if len(envelope) > FILE_CAP:
        raise InputError(f"these are too many contents for one signature of at most {FILE_CAP >> 20} MiB")
    name = f"{time.time_ns():020d}-{secrets.token_hex(4)}{SUFFIX}"
    try:
        with OwnFiles(root, create=True) as own, own.directory(SIGNATURES_DIR, create=True) as directory:
            put_bytes(directory, name, envelope, lambda fd: own.share.give(fd, own.share.file_mode & 0o640))
    except OSError as error:
        raise OperationError(
            f"cannot keep the signature in {root / STORE_DIR}: {why(error)}", hint=hint(error)
        ) from None
    return root / STORE_DIR / SIGNATURES_DIR / name


def _texts(root: Path) -> Iterator[tuple[str, bytes | Malformed | OSError]]:
    """Each signature file's name with its content, or why it has none, the newest first. Raises InputError."""
    try:
        with OwnFiles(root) as own, own.directory(SIGNATURES_DIR) as directory:
            for name in _names(directory):
                try:
                    found: bytes | Malformed | OSError = _content(directory, name, FILE_CAP)
                except (Malformed, OSError) as error:
                    found = error
                yield name, found
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(f"cannot read the signatures of {root}: {why(error)}", hint=hint(error)) from None


def _envelope(text: bytes | Malformed | OSError) -> Envelope:
    """Raises Malformed, OSError."""
    if isinstance(text, bytes):
        return parse_envelope(text)
    raise text


def _names(directory: int) -> list[str]:
    """The signature files, the newest first: their names begin with the time of signing."""
    names = []
    with os.scandir(directory) as entries:
        for _, entry in zip(range(_LISTED_CAP), entries, strict=False):
            if entry.name.endswith(SUFFIX) and not entry.name.startswith("."):
                names.append(entry.name)
    return sorted(names, reverse=True)


def _content(directory: int, name: str, cap: int) -> bytes:
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
    fd = os.open(name, flags, dir_fd=directory)
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise Malformed("it is not a plain file")
        if status.st_size > cap:
            raise Malformed(f"it is larger than {cap} bytes")
        return file.read(cap)


def _words(error: Exception) -> str:
    return why(error) if isinstance(error, OSError) else str(error)
