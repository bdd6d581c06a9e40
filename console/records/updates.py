"""What changes an artifact: updates, their candidates, versions and twins."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from backends.base import Json
from console.records.trust import Judgement
from console.records.workers import Measured


class Mode(StrEnum):
    """How a recipe retrains."""

    FIT = "fit"
    PARTIAL_FIT = "partial_fit"
    WARM_START = "warm_start"
    COMMAND = "command"


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
