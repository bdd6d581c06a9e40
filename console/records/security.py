"""Signed contents, encrypted files, public keys."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SignedContents:
    """Contents signed with one key: its public line and short name, and the digest of each artifact by its path."""

    key: str
    key_id: str
    digests: dict[str, str]


@dataclass(frozen=True, slots=True)
class EncryptedFile:
    """An artifact written encrypted: the file, and the digest of what is in it as it lies there."""

    path: str
    digest: str


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The public side of a key that was made: a line to give away, and its short name where it has one."""

    line: str
    key_id: str = ""
