"""Updates of artifacts: plans, candidates, comparisons, versions and exports."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from backends.core.inspection import Json
from console.records.trust import Judgement
from console.records.workers import DataFile, Quantiles, ReadOptions, Target

_SMALL_IS_GOOD = ("_error", "_loss", "_deviance", "davies_bouldin_score")


def lower_is_better(metric: str) -> bool:
    """Whether a smaller value is the better one; scikit-learn's scorers negate those themselves (`neg_…`)."""
    return not metric.startswith("neg_") and metric.endswith(_SMALL_IS_GOOD)


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
    """The plan of a retraining as the operator confirms it: data, target and how."""

    path: str
    data: str
    target: Target | None
    holdout: str | None = None
    mode: Mode = Mode.FIT
    command: tuple[str, ...] = ()
    at: str = ""
    options: ReadOptions = field(default_factory=ReadOptions)


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
    latency: Quantiles | None = None
    judgement: Judgement | None = None
    library_versions: dict[str, str] = field(default_factory=dict)


class Unchanged(StrEnum):
    """In which way a candidate is what is in place already."""

    CONTENT = "same-content"
    ANSWERS = "same-answers"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Candidate beside current on the same rows, with the gate's word and what changed.

    `unmeasured` says why the rows measure nothing (they are those of the training), `problem` why the current model
    could not be measured. `conditions` counts those of the recipe, `warnings` are of training and measuring;
    `trained_on` and `measured_on` are the files, and how they were read.
    """

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
    conditions: int = 0
    unmeasured: str = ""
    problem: str = ""
    unchanged: Unchanged | None = None
    warnings: tuple[str, ...] = ()
    trained_on: DataFile | None = None
    measured_on: DataFile | None = None


@dataclass(frozen=True, slots=True)
class OnnxTiming:
    """Milliseconds that one call on so many rows takes a model and its ONNX export."""

    method: str
    rows: int
    model_ms: float
    onnx_ms: float


@dataclass(frozen=True, slots=True)
class OnnxComparison:
    """How an ONNX export compares with its model on `rows` rows.

    `differing` rows have another label; `largest` is the largest difference of a number. `size` is in bytes, `path` is
    where it would be written, `replaces` the digest of what is there now; `warnings` are of loading the model.
    """

    dtype: str
    rows: int
    differing: int
    largest: float
    timings: tuple[OnnxTiming, ...]
    versions: dict[str, str] = field(default_factory=dict)
    size: int = 0
    path: str = ""
    replaces: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DataRows:
    """A data file of rows, its target, and how it is read."""

    path: str
    target: Target | None
    options: ReadOptions


@dataclass(frozen=True, slots=True)
class FormatFigures:
    """One format that a model could be in, as it was measured; `problem` says why it cannot be in it.

    `current` marks the artifact as it is. `load_ms` is the reading alone, `first_ms` and `steady_ms` are predictions of
    one row, `memory` is what a worker has for itself. `runs_code` says whether files of the format name code that
    loading runs, `portability` what else reads it, `answers` how its answers compare.
    """

    format: str
    size: int = 0
    load_ms: float | None = None
    first_ms: float | None = None
    steady_ms: float | None = None
    memory: int | None = None
    verdict: str = ""
    runs_code: bool = False
    portability: str = ""
    answers: str = ""
    current: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class FormatsProgress:
    """The phase of comparing formats, in a word; `figures` are there once all are measured."""

    phase: str
    figures: tuple[FormatFigures, ...] = ()


@dataclass(frozen=True, slots=True)
class ExportProgress:
    """The phase of making an export, in a word; `comparison` is there once it is made and compared."""

    phase: str
    comparison: OnnxComparison | None = None
