"""Jobs: work of the engine that takes long and outlives the client that asked for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from console.records.failures import ErrorRecord


class JobState(StrEnum):
    """The states of a job; the last three are for good."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Job:
    """One job: `kind` is a word (update, convert, accelerate …), `done` its share of 1 where that is known, `note` says
    what it does now, `result` what came of it."""

    id: int
    kind: str
    artifact: str
    who: str
    started: float
    state: JobState = JobState.RUNNING
    ended: float | None = None
    done: float | None = None
    note: str = ""
    result: str = ""
    error: ErrorRecord | None = None
