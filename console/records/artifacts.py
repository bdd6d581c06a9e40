"""What a store holds: files, what is known of them, and how they stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import lru_cache
from struct import Struct
from typing import Any

_LATEST_NS = 2**63 - 1


class FileIdentity(bytes):
    """What must be equal for a file to count as untouched; packed, since a store has as many as it has files."""

    __slots__ = ()

    def __new__(cls, device: int, inode: int, size: int, modified_ns: int, changed_ns: int) -> FileIdentity:
        """From the fields of the same names in os.stat_result; a time beyond the year 2262 is as good as its end."""
        times = (modified_ns, changed_ns)
        if max(times) > _LATEST_NS or min(times) < -_LATEST_NS:
            modified_ns, changed_ns = (min(max(one, -_LATEST_NS), _LATEST_NS) for one in times)
        return super().__new__(cls, _IDENTITY.pack(device, inode, size, modified_ns, changed_ns))

    @classmethod
    def unpacked(cls, data: bytes) -> FileIdentity:
        """From its own bytes. Raises ValueError where they cannot be."""
        if len(data) != _IDENTITY.size:
            raise ValueError(f"{len(data)} bytes are no file identity")
        return super().__new__(cls, data)

    def __repr__(self) -> str:
        return f"FileIdentity{_IDENTITY.unpack(self)}"

    __str__ = __repr__

    @property
    def device(self) -> int:
        """The device the file is on."""
        return _field(self, 0)

    @property
    def inode(self) -> int:
        """Its number there."""
        return _field(self, 1)

    @property
    def size(self) -> int:
        """Its length in bytes."""
        return _field(self, _SIZE)

    @property
    def modified_ns(self) -> int:
        """When its bytes were last written, in nanoseconds since the epoch."""
        return _field(self, _MODIFIED)

    @property
    def modified(self) -> float:
        """The same in seconds, to the last bit as os.stat_result.st_mtime."""
        return _seconds(self.modified_ns)

    @property
    def changed_ns(self) -> int:
        """When anything of it was last changed."""
        return _field(self, 4)


_IDENTITY = Struct("<QQQqq")
_SIZE, _MODIFIED = 2, 3


def _field(identity: bytes, number: int) -> int:
    value: int = _IDENTITY.unpack(identity)[number]
    return value


def _seconds(since: int) -> float:
    """Nanoseconds as os.stat_result has seconds, to the last bit."""
    seconds, nanoseconds = divmod(since, 10**9)
    return seconds + 1e-9 * nanoseconds


class Verdict(StrEnum):
    """What trust says of one content."""

    SAFE = "safe"
    REVIEW = "review"
    BLOCKED = "blocked"
    DAMAGED = "damaged"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a file beside where it lies and which it is. Most files of a store have it alike, and share it.

    `members` = of how many files it is made where it is a directory, 0 for a file.
    `size` and `modified` are None where the file's identity tells them.
    """

    size: int | None = None
    modified: float | None = None
    format: str | None = None
    compression: str | None = None
    model_class: str | None = None
    steps: tuple[str, ...] = ()
    n_models: int = 0
    verdict: Verdict | None = None
    why: str = ""
    accepted: bool = False
    settling: bool = False
    problem: str | None = None
    changed: bool = False
    recipe: str | None = None
    sealed: bool = False
    link: str | None = None
    members: int = 0


_MOST_KNOWN = 4_096


_known: Callable[..., Known] = lru_cache(_MOST_KNOWN)(Known)


@dataclass(frozen=True, slots=True, init=False)
class Artifact:
    """A row of the catalogue. `path` is relative to the store, as os.fsdecode gives it.

    What is not known yet is None: `format` until it was sniffed, `model_class` and `verdict` until it was inspected.
    Of one encrypted at rest, `size` and `digest` are those of the file, `format` and the rest of what is in it.
    A store may have a hundred thousand of these: kept for each is what only it has, and of its identity the bytes.
    """

    path: str
    packed: bytes | None
    digest: str | None
    known: Known

    def __init__(
        self,
        path: str,
        size: int,
        modified: float,
        identity: FileIdentity | None = None,
        digest: str | None = None,
        **known: Any,
    ) -> None:
        """`known` are the other fields of `Known`. Raises TypeError for one it does not have."""
        if identity is None or identity.size != size:
            known["size"] = size
        if identity is None or identity.modified != modified:
            known["modified"] = modified
        _place(self, "path", path)
        _place(self, "packed", None if identity is None else bytes(identity))
        _place(self, "digest", digest)
        _place(self, "known", _known(**known))

    def replace(self, **changes: Any) -> Artifact:
        """The same with other values, as `dataclasses.replace` does it."""
        now = {
            "path": self.path,
            "identity": self.identity,
            "digest": self.digest,
            **{name: getattr(self, name) for name in _KNOWN},
            **changes,
        }
        return Artifact(**now)

    @property
    def identity(self) -> FileIdentity | None:
        """Which bytes of which file it is; None where it could not be told."""
        return None if self.packed is None else FileIdentity.unpacked(self.packed)

    @property
    def size(self) -> int:
        """How many bytes the file has."""
        if self.known.size is not None:
            return self.known.size
        return 0 if self.packed is None else _field(self.packed, _SIZE)

    @property
    def modified(self) -> float:
        """When its bytes were last written."""
        if self.known.modified is not None:
            return self.known.modified
        return 0.0 if self.packed is None else _seconds(_field(self.packed, _MODIFIED))

    @property
    def format(self) -> str | None:
        """What kind of file it is, None until it was looked into."""
        return self.known.format

    @property
    def compression(self) -> str | None:
        """How its bytes are packed."""
        return self.known.compression

    @property
    def model_class(self) -> str | None:
        """The class of the model in it."""
        return self.known.model_class

    @property
    def steps(self) -> tuple[str, ...]:
        """The classes of a pipeline's steps, in order."""
        return self.known.steps

    @property
    def n_models(self) -> int:
        """How many models are in it."""
        return self.known.n_models

    @property
    def verdict(self) -> Verdict | None:
        """What trust says of it."""
        return self.known.verdict

    @property
    def why(self) -> str:
        """The first reason for that; without a verdict, what kept the file from being inspected."""
        return self.known.why

    @property
    def accepted(self) -> bool:
        """Whether an operator has accepted this content, for which it needed a review."""
        return self.known.accepted

    @property
    def settling(self) -> bool:
        """Whether it is still being written."""
        return self.known.settling

    @property
    def problem(self) -> str | None:
        """Why the file itself cannot be read (a link, a FIFO, EACCES)."""
        return self.known.problem

    @property
    def changed(self) -> bool:
        """Whether a loaded worker holds other bytes than the file has now."""
        return self.known.changed

    @property
    def recipe(self) -> str | None:
        """The recipe beside it."""
        return self.known.recipe

    @property
    def sealed(self) -> bool:
        """Whether it is encrypted at rest."""
        return self.known.sealed

    @property
    def link(self) -> str | None:
        """Where it leads, if it is a symbolic link: beneath the store, or as it is written where it is not followed."""
        return self.known.link

    @property
    def members(self) -> int:
        """Of how many files it is made, where it is a directory; 0 for a file."""
        return self.known.members


_KNOWN = tuple(one.name for one in fields(Known))


_place = object.__setattr__
