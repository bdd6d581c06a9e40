"""Workers of loaded models, what they are asked, and how they answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, get_args

from backends.core.inspection import Json, Signature


class WorkerState(StrEnum):
    """The life of a worker, in order; `error` may follow any."""

    LOADING = "loading"
    WARMING = "warming"
    READY = "ready"
    DRAINING = "draining"
    ENDED = "ended"
    ERROR = "error"


LayerName = Literal[
    "descriptors",
    "terminal",
    "limits",
    "cgroup",
    "namespaces",
    "user",
    "no_new_privs",
    "landlock",
    "seccomp",
]
LAYERS: tuple[str, ...] = get_args(LayerName)
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
class ReadOptions:
    """How data files are read, where the recipe or the operator says so; what is None is found in the file itself.

    `missing` are spellings of a missing value beside the usual ones, `ignore` columns that are no inputs.
    """

    sep: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    header: bool | None = None
    missing: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()


Target = str | tuple[str, ...]
"""The column of the truth, or several."""


def target_words(target: Target | None) -> str:
    """The columns of the truth as they are shown: `bought, returned`; "" where none is named."""
    return target if isinstance(target, str) else ", ".join(target or ())


@dataclass(frozen=True, slots=True)
class DataFile:
    """A table a child has opened: rows, and columns as (name, dtype)."""

    path: str
    rows: int
    columns: tuple[tuple[str, str], ...] = ()
    target: str | None = None
    decided: str = ""
    """How the file was read and its columns were matched, in words."""
    warnings: tuple[str, ...] = ()
    piece: int | None = None
    """How many rows the model may be asked about in one call; None where all must go into one."""


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Quantiles of a set of durations in milliseconds."""

    p50: float
    p90: float
    p99: float
    max: float
    count: int


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer to one predict request. `outputs` maps a name ("predict", "predict_proba", …) to one value a row.

    `warnings` are of this call; those of the load, which hold for every answer, stand in `WorkerView.warnings`.
    """

    rows: int
    outputs: dict[str, Json]
    worker_ms: float
    round_trip_ms: float
    warnings: tuple[str, ...] = ()
    score: dict[str, float] | None = None
    """Sums over the rows: `rows` and `correct`, or `absolute` and `squared` error; `missing` are without a truth."""
    unscored: str = ""
    """Why the answers cannot be held against the truth."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """How a model did on the `rows` that have a truth: metrics by name, and why others of them are left out.

    `missing` rows have no truth and were left out. `notes` tell in sentences what was decided about truth and answers,
    `meanings` what a metric is of. `answers` is a digest of all that it answered.
    """

    task: str
    rows: int
    metrics: dict[str, float]
    causes: dict[str, str] = field(default_factory=dict)
    answers: str = ""
    missing: int = 0
    notes: tuple[str, ...] = ()
    meanings: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def why_nothing(task: str, rows: int, notes: Sequence[str], causes: Mapping[str, str]) -> str:
    """Why there is no figure at all of a model of this task on so many rows with a truth."""
    told = [*(notes if rows == 0 else ()), *causes.values()]
    if not told and rows == 0:
        return "there are no rows to measure on"
    return told[0] if told else f"there is no metric for a model of {task}"


@dataclass(frozen=True, slots=True)
class ProbePlan:
    """How a loaded model is driven: `rate` in requests a second (0 = as fast as it goes), `batch` in rows."""

    data: str
    rate: float = 10.0
    batch: int = 1
    method: str | None = None
    target: Target | None = None


@dataclass(frozen=True, slots=True)
class Growth:
    """How memory grew while a model was driven: bytes per call with the standard error of that, by so many readings.

    `grows` says whether that is more than chance. Then the `limit` (bytes) is reached in `seconds_left` at the rate
    that was reached.
    """

    per_call: float
    error: float
    readings: int
    grows: bool = False
    limit: int | None = None
    seconds_left: float | None = None


@dataclass(frozen=True, slots=True)
class ProbeState:
    """A probe that runs, or ran: what it does and what it has counted.

    `data` is the file whose rows it sends; `warnings` are of its calls, `last_error` says what went wrong last, and
    what to do about it.
    """

    plan: ProbePlan
    running: bool
    started: float
    calls: int = 0
    rows: int = 0
    errors: int = 0
    rate: float = 0.0
    worker: Quantiles | None = None
    round_trip: Quantiles | None = None
    score: dict[str, float] | None = None
    stopped_why: str | None = None
    data: DataFile | None = None
    growth: Growth | None = None
    warnings: tuple[str, ...] = ()
    last_error: str = ""
    scored: int = 0
    """Rows that the score is of."""
    missing: int = 0
    """Rows that have no truth and were left out of the score."""
    unscored: str = ""
    """Why there is no score."""
    failing: bool = False
    """Whether it runs and the newest request failed, or one of the last seconds."""
    error_rate: float = 0.0
    """Failed requests a second, over the last seconds."""
    waits: bool = False
    """Whether it runs and sends nothing, since no worker can answer."""


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A loaded (or loading, or dead) model, as screens see it.

    `digest` names the bytes it holds; `phases` maps a load phase to milliseconds; `phase` is the one that runs;
    `since` is when `state` began; `warnings` hold for every answer of it, above all that a library has another version
    than the model was written with; `copies` is how many workers are wanted and `pids` are those that answer, the one
    of `pid` first; `retry_at` is when one that died is started again; memory and processor time are of all of them.
    `selftest` has what was tried in the sandbox before loading, active where denied.
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
    warnings: tuple[str, ...] = ()
    copies: int = 1
    pids: tuple[int, ...] = ()
