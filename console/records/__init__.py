"""The plain records that cross the house: frozen, serialisable, without behaviour.

Text in them that came from outside (names, messages, tracebacks) is as it was found; whoever shows it passes it
through `console.safe_text`. Times are seconds since the epoch, durations milliseconds, sizes bytes.
"""

from __future__ import annotations

from backends.base import Inspection, Json, Signature
from console.records.artifacts import Artifact, FileIdentity, Known, Verdict
from console.records.data import DataColumns, DataSource, Draft, ModelData
from console.records.events import Event, EventData, EventKind, MissedEvents
from console.records.failures import Difference, ExceptionInfo, Failure, Frame
from console.records.logs import LogLine, LogPart, Stream
from console.records.trust import Change, Explanation, Judgement, Mention, Point, Reason, Report, Since, Standing
from console.records.updates import (
    Candidate,
    Comparison,
    GateResult,
    Mode,
    Twinned,
    TwinTiming,
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
    Measured,
    Memory,
    Outcome,
    ProbePlan,
    ProbeState,
    ReadOptions,
    Target,
    WorkerState,
    WorkerView,
    target_words,
    why_nothing,
)

__all__ = [
    "LAYERS",
    "Artifact",
    "Candidate",
    "Change",
    "Comparison",
    "DataColumns",
    "DataFile",
    "DataSource",
    "Difference",
    "Draft",
    "Evaluated",
    "Event",
    "EventData",
    "EventKind",
    "ExceptionInfo",
    "Explanation",
    "Failure",
    "FileIdentity",
    "Frame",
    "GateResult",
    "Growth",
    "Inspection",
    "Json",
    "Judgement",
    "Known",
    "Layer",
    "LogLine",
    "LogPart",
    "Measured",
    "Memory",
    "Mention",
    "MissedEvents",
    "Mode",
    "ModelData",
    "Outcome",
    "Point",
    "ProbePlan",
    "ProbeState",
    "ReadOptions",
    "Reason",
    "Report",
    "Signature",
    "Since",
    "Standing",
    "Stream",
    "Target",
    "TwinTiming",
    "Twinned",
    "Unchanged",
    "UpdatePlan",
    "UpdateProgress",
    "Verdict",
    "Version",
    "WorkerState",
    "WorkerView",
    "lower_is_better",
    "target_words",
    "why_nothing",
]
