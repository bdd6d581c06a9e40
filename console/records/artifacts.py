"""Artifacts of a store: their rows, file identities and verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class FileIdentity(NamedTuple):
    """The identity of an untouched file, equal as long as nobody changes it: fields of os.stat_result."""

    device: int
    inode: int
    size: int
    modified_ns: int
    """When its bytes were last written, in nanoseconds since the epoch."""
    changed_ns: int
    """When anything of it was last changed."""


class Verdict(StrEnum):
    """The judgement of one content in a word."""

    SAFE = "safe"
    REVIEW = "review"
    BLOCKED = "blocked"
    DAMAGED = "damaged"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A row of the catalogue. `path` is relative to the store, as os.fsdecode gives it.

    What is not known yet is None: `format` until it was sniffed, `model_class` and `verdict` until it was inspected.
    Of one encrypted at rest, `size` and `digest` are those of the file, `format` and the rest of what is in it.
    """

    path: str
    size: int
    modified: float
    identity: FileIdentity | None = None
    digest: str | None = None
    format: str | None = None
    compression: str | None = None
    model_class: str | None = None
    steps: tuple[str, ...] = ()
    """The classes of a pipeline's steps, in order."""
    summary: str = ""
    """The model in a few words, where its class alone says little."""
    runs: bool = False
    """Whether it is known to hold something that this console can run."""
    verdict: Verdict | None = None
    why: str = ""
    """The first reason for the verdict; without one, what kept the file from being inspected."""
    accepted: bool = False
    """Whether an operator has accepted this content, for which it needed a review."""
    settling: bool = False
    """Whether it is still being written."""
    problem: str | None = None
    """Why the file itself cannot be read (a link, a FIFO, EACCES)."""
    changed: bool = False
    """Whether a loaded worker holds other bytes than the file has now."""
    recipe: str | None = None
    """The recipe beside it."""
    sealed: bool = False
    """Whether it is encrypted at rest."""
    link: str | None = None
    """Where it leads, if it is a symbolic link: beneath the store, or as it is written where it is not followed."""
    members: int = 0
    """Of how many files it is made, where it is a directory; 0 for a file."""
