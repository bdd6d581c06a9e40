"""The plain records that cross the house: frozen, serialisable, without behaviour.

Text in them that came from outside (names, messages, tracebacks) is as it was found; whoever shows it passes it
through `console.safe_text`. Times are seconds since the epoch, durations milliseconds, sizes bytes.
"""

from __future__ import annotations

from backends.core.inspection import Inspection, Json, Signature
from console.records.artifacts import Artifact, FileIdentity, Verdict
from console.records.audit import AuditCheck, AuditEntry
from console.records.data import DataColumns, DataSource, Draft, Expected, FoundDataFiles, ModelData, TypedPath
from console.records.events import Event, EventData, EventKind, MissedEvents
from console.records.failures import Difference, ErrorRecord, ExceptionInfo, Failure, Frame
from console.records.inference import AnswerFile, Answers, DataReading
from console.records.logs import LogLine, LogPart, Stream
from console.records.metrics import GAUGES, METRICS, QUANTILES, RATES, WIDTHS
from console.records.recipes import RecipeFacts
from console.records.security import EncryptedFile, PublicKey, SignedContents
from console.records.series import Marker, SeriesBins, SeriesChunk, SeriesPosition
from console.records.store import Changes, Permissions, StoreStatus, UpdateStatus
from console.records.sweep import KnownFacts, SweepPart, SweepTotals
from console.records.trust import (
    Change,
    Claim,
    ContentDiff,
    Evidence,
    Explanation,
    Judgement,
    Reason,
    Report,
    SignatureStatus,
)
from console.records.updates import (
    Candidate,
    Comparison,
    ExportProgress,
    GateResult,
    Mode,
    OnnxComparison,
    OnnxTiming,
    Unchanged,
    UpdatePlan,
    UpdateProgress,
    Version,
    lower_is_better,
)
from console.records.workers import (
    LAYERS,
    DataFile,
    Evaluated,
    Growth,
    Layer,
    LayerName,
    Memory,
    Prediction,
    ProbePlan,
    ProbeState,
    Quantiles,
    ReadOptions,
    Target,
    WorkerState,
    WorkerView,
    target_words,
    why_nothing,
)

__all__ = [
    "GAUGES",
    "LAYERS",
    "METRICS",
    "QUANTILES",
    "RATES",
    "WIDTHS",
    "AnswerFile",
    "Answers",
    "Artifact",
    "AuditCheck",
    "AuditEntry",
    "Candidate",
    "Change",
    "Changes",
    "Claim",
    "Comparison",
    "ContentDiff",
    "DataColumns",
    "DataFile",
    "DataReading",
    "DataSource",
    "Difference",
    "Draft",
    "EncryptedFile",
    "ErrorRecord",
    "Evaluated",
    "Event",
    "EventData",
    "EventKind",
    "Evidence",
    "ExceptionInfo",
    "Expected",
    "Explanation",
    "ExportProgress",
    "Failure",
    "FileIdentity",
    "FoundDataFiles",
    "Frame",
    "GateResult",
    "Growth",
    "Inspection",
    "Json",
    "Judgement",
    "KnownFacts",
    "Layer",
    "LayerName",
    "LogLine",
    "LogPart",
    "Marker",
    "Memory",
    "MissedEvents",
    "Mode",
    "ModelData",
    "OnnxComparison",
    "OnnxTiming",
    "Permissions",
    "Prediction",
    "ProbePlan",
    "ProbeState",
    "PublicKey",
    "Quantiles",
    "ReadOptions",
    "Reason",
    "RecipeFacts",
    "Report",
    "SeriesBins",
    "SeriesChunk",
    "SeriesPosition",
    "Signature",
    "SignatureStatus",
    "SignedContents",
    "StoreStatus",
    "Stream",
    "SweepPart",
    "SweepTotals",
    "Target",
    "TypedPath",
    "Unchanged",
    "UpdatePlan",
    "UpdateProgress",
    "UpdateStatus",
    "Verdict",
    "Version",
    "WorkerState",
    "WorkerView",
    "lower_is_better",
    "target_words",
    "why_nothing",
]
