"""Lines of an audit log, and the check of its chain."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from backends.core.inspection import Json


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One record. `who` holds the kernel's login id beside the user id; `detail` what only this action has.

    `log` says whether it stands in the store's log or in the user's own.
    """

    seq: int
    when: float
    who: dict[str, Json]
    action: str
    artifact: str
    digest: str | None
    result: str
    hash: str
    detail: dict[str, Json] = field(default_factory=dict)
    log: Literal["store", "own"] = "store"


@dataclass(frozen=True, slots=True)
class AuditCheck:
    """The result of `verify`: `entries` good records, up to `problem` where there is one (with its line, from 1).

    Without `mirrored` nothing outside the store remembers the end of the log, so that a cut would not show. `note` is
    worth knowing and breaks nothing.
    """

    ok: bool
    entries: int
    problem: str | None = None
    line: int | None = None
    repaired: int = 0
    mirrored: bool = False
    note: str | None = None
