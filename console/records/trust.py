"""Judgements of artifacts, their reasons and explanations."""

from __future__ import annotations

from dataclasses import dataclass

from backends.core.inspection import Inspection
from console.records.artifacts import Artifact, Verdict


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a verdict; `detail` is one sentence that says what it could do and where it stands."""

    code: str
    detail: str
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with its reasons, worst first. `pinned` tells who accepted this digest, if somebody did.

    Without a verdict the machine kept the content from being inspected; the reason says how.
    """

    verdict: Verdict | None
    reasons: tuple[Reason, ...] = ()
    pinned: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """One name behind a point of an explanation (or one finding, whose sentence is its name then).

    `use` says in words what loading does with it, `where` where it stands; `offset`, `place` (which pickle or member),
    `at` (which estimator), `called` and `arguments` (literals of its first call) are the same for programs. `new`: the
    last version of the artifact did not have it.
    """

    name: str
    use: str = ""
    where: str = ""
    offset: int | None = None
    place: str = ""
    at: str = ""
    called: bool = False
    arguments: str | None = None
    new: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing that an explanation has to say: a line, what it means, and everything in the file that is behind it.

    `more` counts mentions that were left out.
    """

    code: str
    verdict: Verdict
    title: str
    text: str = ""
    mentions: tuple[Evidence, ...] = ()
    more: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """One difference from the last version. `what` is "verdict", "name", "finding", "format", "class", "parameter",
    "library", "weights" or "size"; `before` or `after` is None where there is nothing."""

    what: str
    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class ContentDiff:
    """How a content differs from the one that stood at its path before.

    `when` is when that one was first seen (or promoted); `version` is its number where the history holds it.
    """

    when: float
    changes: tuple[Change, ...]
    digest: str | None = None
    version: int | None = None
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Explanation:
    """A verdict in plain words: one sentence, the points worst first, and what it would take to load the file.

    `policy` is the line for a policy file that would trust its names, None where no line would. `since` is None where
    nothing is known of an earlier content.
    """

    headline: str
    points: tuple[Claim, ...] = ()
    takes: tuple[str, ...] = ()
    policy: str | None = None
    since: ContentDiff | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All known of one artifact: the row, the facts and the judgement. `inspection` is None if there are none."""

    artifact: Artifact
    inspection: Inspection | None
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class SignatureStatus:
    """How an artifact stands with its signatures: `signed`, `changed` (another content was), `unknown-key`,
    `unsigned` or `unreadable`, with a sentence unless it is signed; then by which key, by whom and when (ISO 8601)."""

    path: str
    digest: str | None
    state: str
    detail: str = ""
    key_id: str | None = None
    who: str | None = None
    when: str | None = None
