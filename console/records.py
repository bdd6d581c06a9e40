"""The plain records that cross the house: frozen, serialisable, without behaviour.

Text in them that came from outside (names, messages, tracebacks) is as it was found; whoever shows it passes it
through `console.safe_text`. Times are seconds since the epoch, durations milliseconds, sizes bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import lru_cache
from struct import Struct
from typing import Any

from backends.base import Inspection, Json, Signature

__all__ = [
    "LAYERS",
    "Artifact",
    "Candidate",
    "Change",
    "Comparison",
    "DataFile",
    "Event",
    "ExceptionInfo",
    "Explanation",
    "Failure",
    "FileIdentity",
    "Frame",
    "GateResult",
    "Inspection",
    "Json",
    "Judgement",
    "Known",
    "Layer",
    "Measured",
    "Memory",
    "Mention",
    "Mode",
    "Outcome",
    "Point",
    "ProbePlan",
    "ProbeState",
    "Reason",
    "Report",
    "Signature",
    "Since",
    "Standing",
    "TwinTiming",
    "Twinned",
    "UpdatePlan",
    "UpdateProgress",
    "Verdict",
    "Version",
    "WorkerState",
    "WorkerView",
]


class Verdict(StrEnum):
    """What trust says of one content."""

    SAFE = "safe"
    REVIEW = "review"
    BLOCKED = "blocked"
    DAMAGED = "damaged"
    UNSUPPORTED = "unsupported"


class WorkerState(StrEnum):
    """The life of a worker, in order; `error` may follow any."""

    LOADING = "loading"
    WARMING = "warming"
    READY = "ready"
    DRAINING = "draining"
    ENDED = "ended"
    ERROR = "error"


class Mode(StrEnum):
    """How a recipe retrains."""

    FIT = "fit"
    PARTIAL_FIT = "partial_fit"
    WARM_START = "warm_start"
    COMMAND = "command"


class FileIdentity(bytes):
    """What must be equal for a file to count as untouched; packed, since a store has as many as it has files."""

    __slots__ = ()

    def __new__(cls, device: int, inode: int, size: int, modified_ns: int, changed_ns: int) -> FileIdentity:
        """From the fields of the same names in os.stat_result."""
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
        return _field(self, 2)

    @property
    def modified_ns(self) -> int:
        """When its bytes were last written, in nanoseconds since the epoch."""
        return _field(self, 3)

    @property
    def modified(self) -> float:
        """The same in seconds, to the last bit as os.stat_result.st_mtime."""
        seconds, nanoseconds = divmod(self.modified_ns, 10**9)
        return seconds + 1e-9 * nanoseconds

    @property
    def changed_ns(self) -> int:
        """When anything of it was last changed."""
        return _field(self, 4)


_IDENTITY = Struct("<QQQqq")


def _field(identity: FileIdentity, number: int) -> int:
    value: int = _IDENTITY.unpack(identity)[number]
    return value


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a verdict; `detail` is one sentence that says what it could do and where it stands."""

    code: str
    detail: str
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with its reasons, worst first. `pinned` tells who accepted this digest, if somebody did."""

    verdict: Verdict
    reasons: tuple[Reason, ...] = ()
    pinned: str | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a file beside where it lies and which it is. Most files of a store have it alike, and share it.

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
    settling: bool = False
    problem: str | None = None
    changed: bool = False
    recipe: str | None = None
    sealed: bool = False


_MOST_KNOWN = 4_096
_known: Callable[..., Known] = lru_cache(_MOST_KNOWN)(Known)


@dataclass(frozen=True, slots=True, init=False)
class Artifact:
    """A row of the catalogue. `path` is relative to the store, as os.fsdecode gives it.

    What is not known yet is None: `format` until it was sniffed, `model_class` and `verdict` until it was inspected.
    Of one encrypted at rest, `size` and `digest` are those of the file, `format` and the rest of what is in it.
    A store may have a hundred thousand of these: kept for each is what only it has.
    """

    path: str
    identity: FileIdentity | None
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
        _place(self, "identity", identity)
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
    def size(self) -> int:
        """How many bytes the file has."""
        size = self.known.size
        return size if size is not None else self.identity.size if self.identity is not None else 0

    @property
    def modified(self) -> float:
        """When its bytes were last written."""
        modified = self.known.modified
        return modified if modified is not None else self.identity.modified if self.identity is not None else 0.0

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
        """The first reason for that."""
        return self.known.why

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


_KNOWN = tuple(one.name for one in fields(Known))
_place = object.__setattr__


@dataclass(frozen=True, slots=True)
class Mention:
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
class Point:
    """One thing that an explanation has to say: a line, what it means, and everything in the file that is behind it.

    `more` counts mentions that were left out.
    """

    code: str
    verdict: Verdict
    title: str
    text: str = ""
    mentions: tuple[Mention, ...] = ()
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
class Since:
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
    points: tuple[Point, ...] = ()
    takes: tuple[str, ...] = ()
    policy: str | None = None
    since: Since | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All known of one artifact: the row, the facts and the judgement. `inspection` is None if there are none."""

    artifact: Artifact
    inspection: Inspection | None
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Standing:
    """How an artifact stands with its signatures: `signed`, `changed` (another content was), `unknown-key`,
    `unsigned` or `unreadable`, with a sentence unless it is signed; then by which key, by whom and when (ISO 8601)."""

    path: str
    digest: str | None
    state: str
    detail: str = ""
    key_id: str | None = None
    who: str | None = None
    when: str | None = None


LAYERS = (
    "descriptors",
    "terminal",
    "limits",
    "cgroup",
    "namespaces",
    "user",
    "no_new_privs",
    "landlock",
    "seccomp",
)
"""The layers of the sandbox, in the order in which a child puts them on."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One sandbox layer: whether it is on, and how we know (or why it is not)."""

    active: bool
    evidence: str


@dataclass(frozen=True, slots=True)
class Memory:
    """One reading of a worker tree, in bytes; None where the kernel does not tell."""

    rss: int
    pss: int | None = None
    private: int | None = None
    peak: int | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a traceback; `text` is the source line."""

    file: str
    line: int
    function: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class ExceptionInfo:
    """One exception of a chain. `relation` says how it follows the one before: "", "cause", "context", "group"."""

    type: str
    message: str
    frames: tuple[Frame, ...] = ()
    notes: tuple[str, ...] = ()
    relation: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that went wrong in a child, as it stays on the errors screen after the worker is gone.

    `chain` has the exception that ended it last; `exit` says how a dead child ended, in words; `input` what it was
    given (shape and dtypes, never values); `stderr` its last words. The same thing again only raises `count`, and
    `last` is when.
    """

    id: int
    when: float
    artifact: str
    phase: str
    code: str
    message: str
    type: str | None = None
    chain: tuple[ExceptionInfo, ...] = ()
    exit: str | None = None
    warnings: tuple[str, ...] = ()
    stderr: str = ""
    input: str | None = None
    hint: str | None = None
    memory: Memory | None = None
    digest: str | None = None
    count: int = 1
    last: float | None = None


@dataclass(frozen=True, slots=True)
class DataFile:
    """A table a child has opened: rows, and columns as (name, dtype)."""

    path: str
    rows: int
    columns: tuple[tuple[str, str], ...] = ()
    target: str | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """Quantiles of a set of durations in milliseconds."""

    p50: float
    p90: float
    p99: float
    max: float
    count: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to one predict request. `outputs` maps a name ("predict", "predict_proba", …) to one value a row."""

    rows: int
    outputs: dict[str, Json]
    worker_ms: float
    round_trip_ms: float
    warnings: tuple[str, ...] = ()
    score: dict[str, float] | None = None


@dataclass(frozen=True, slots=True)
class ProbePlan:
    """How a loaded model is driven: `rate` in requests a second (0 = as fast as it goes), `batch` in rows."""

    data: str
    rate: float = 10.0
    batch: int = 1
    method: str | None = None
    target: str | None = None


@dataclass(frozen=True, slots=True)
class ProbeState:
    """A probe that runs, or ran: what it does and what it has counted."""

    plan: ProbePlan
    running: bool
    started: float
    calls: int = 0
    rows: int = 0
    errors: int = 0
    rate: float = 0.0
    worker: Measured | None = None
    round_trip: Measured | None = None
    score: dict[str, float] | None = None
    stopped_why: str | None = None


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A loaded (or loading, or dead) model, as screens see it.

    `digest` names the bytes it holds; `phases` maps a load phase to milliseconds; `phase` is the one that runs;
    `since` is when `state` began; `copies` is how many workers are wanted and `pids` are those that answer, the one
    of `pid` first; memory and processor time are of all of them. `selftest` has what was tried in the sandbox before
    loading, active where denied.
    """

    path: str
    state: WorkerState
    since: float
    at: str = ""
    pid: int | None = None
    digest: str | None = None
    phase: str = ""
    phases: dict[str, float] = field(default_factory=dict)
    methods: tuple[str, ...] = ()
    signature: Signature = field(default_factory=Signature)
    layers: dict[str, Layer] = field(default_factory=dict)
    selftest: dict[str, Layer] = field(default_factory=dict)
    memory: Memory | None = None
    cpu: float | None = None
    restarts: int = 0
    retry_at: float | None = None
    last_failure: int | None = None
    notes: tuple[str, ...] = ()
    copies: int = 1
    pids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Version:
    """One retained content. `who`, `when`, `why` tell of its promotion; `metrics` as measured then."""

    version: int
    digest: str
    when: float
    who: str
    why: str
    size: int
    current: bool = False
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UpdatePlan:
    """What the operator confirmed before a retraining: data, target and how."""

    path: str
    data: str
    target: str | None
    holdout: str | None = None
    mode: Mode = Mode.FIT
    command: tuple[str, ...] = ()
    at: str = ""


@dataclass(frozen=True, slots=True)
class UpdateProgress:
    """Where an update stands: `phase` in words, `done` of `total` where they are known."""

    path: str
    phase: str
    started: float
    done: int | None = None
    total: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class GateResult:
    """One condition of a gate. `passed` is None where it could not be measured, which counts as not passed."""

    condition: str
    passed: bool | None
    detail: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """One side of a comparison: a content, what it is and how it did on the hold-out."""

    digest: str
    size: int
    model_class: str | None
    parameters: dict[str, Json]
    metrics: dict[str, float]
    latency: Measured | None = None
    judgement: Judgement | None = None
    library_versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Candidate beside current on the same rows, with the gate's word and what changed."""

    path: str
    when: float
    task: str
    rows: int
    current: Candidate | None
    candidate: Candidate
    gate: tuple[GateResult, ...]
    passed: bool
    held_out: bool = True
    changed: tuple[tuple[str, str, str], ...] = ()
    metric: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class TwinTiming:
    """Milliseconds that one call on so many rows takes a model and its ONNX twin."""

    method: str
    rows: int
    model_ms: float
    twin_ms: float


@dataclass(frozen=True, slots=True)
class Twinned:
    """How an ONNX twin compares with its model on `rows` rows.

    `differing` rows have another label; `largest` is the largest difference of a number. `routes` maps a method to the
    ranges of rows, both ends included, that the twin answers. `size` is in bytes.
    """

    dtype: str
    rows: int
    differing: int
    largest: float
    timings: tuple[TwinTiming, ...]
    routes: dict[str, tuple[tuple[int, int], ...]]
    versions: dict[str, str] = field(default_factory=dict)
    size: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """`kind` is dotted (`artifact.changed`, `worker.ready`, `update.promoted`, `store.offline`).

    `subject` is the artifact's path or empty for the whole store; `text` is the sentence a person reads.
    """

    kind: str
    when: float
    subject: str
    text: str
    severity: str = "info"
    data: dict[str, Any] = field(default_factory=dict)
