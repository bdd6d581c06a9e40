"""Events: what happens, numbered, of a known kind."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class EventKind(StrEnum):
    """Every kind of event there is; the word before the dot says what it is about."""

    ACCESS_REFUSED = "access.refused"
    ARTIFACT_ADDED = "artifact.added"
    ARTIFACT_CHANGED = "artifact.changed"
    ARTIFACT_INSPECTED = "artifact.inspected"
    ARTIFACT_REMOVED = "artifact.removed"
    ARTIFACT_SETTLED = "artifact.settled"
    ARTIFACT_SETTLING = "artifact.settling"
    ARTIFACT_UNINSPECTED = "artifact.uninspected"
    DATA_CHOSEN = "data.chosen"
    FAILURE_ADDED = "failure.added"
    HISTORY_DAMAGED = "history.damaged"
    HISTORY_RECOVERED = "history.recovered"
    HISTORY_ROLLED_BACK = "history.rolled-back"
    HISTORY_UNSETTLED = "history.unsettled"
    JOB_CANCELLED = "job.cancelled"
    JOB_ENDED = "job.ended"
    JOB_FAILED = "job.failed"
    JOB_PROGRESS = "job.progress"
    JOB_STARTED = "job.started"
    PROBE_STARTED = "probe.started"
    PROBE_STOPPED = "probe.stopped"
    RECIPE_WRITTEN = "recipe.written"
    SERVING_CHANGED = "serving.changed"
    STORE_COVERAGE = "store.coverage"
    STORE_MOVED = "store.moved"
    STORE_OFFLINE = "store.offline"
    STORE_ONLINE = "store.online"
    STORE_SCANNED = "store.scanned"
    STORE_SCANNING = "store.scanning"
    STORE_SETTLED = "store.settled"
    STORE_UNRECORDED = "store.unrecorded"
    STORE_UNSETTLED = "store.unsettled"
    TRUST_ACCEPTED = "trust.accepted"
    TRUST_CHANGED = "trust.changed"
    TRUST_LAYERS = "trust.layers"
    TRUST_POLICY = "trust.policy"
    UPDATE_COMPARED = "update.compared"
    UPDATE_DISCARDED = "update.discarded"
    UPDATE_FAILED = "update.failed"
    UPDATE_PROGRESS = "update.progress"
    UPDATE_PROMOTED = "update.promoted"
    UPDATE_UNSIGNED = "update.unsigned"
    WORKER_ABANDONED = "worker.abandoned"
    WORKER_COPIES = "worker.copies"
    WORKER_DRAINING = "worker.draining"
    WORKER_ENDED = "worker.ended"
    WORKER_ERROR = "worker.error"
    WORKER_LOADING = "worker.loading"
    WORKER_PHASE = "worker.phase"
    WORKER_READY = "worker.ready"


@dataclass(frozen=True, slots=True)
class EventData:
    """The data of an event that programs read beside its sentence; None where its kind has no such thing.

    `failure` is the number of a failure, `old` and `new` are digests of a content that changed, the others tell of an
    update that runs as in `UpdateProgress`. `request` and `trace` name the request of another program that failed.
    """

    failure: int | None = None
    old: str | None = None
    new: str | None = None
    done: int | None = None
    total: int | None = None
    note: str = ""
    request: str = ""
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. Events are numbered from 1 on in the order they happen.

    `subject` is the artifact's path or empty for the whole store; `text` is the sentence a person reads; `severity` is
    "info", "ok", "attention" or "failure".
    """

    kind: EventKind
    when: float
    subject: str
    text: str
    severity: str = "info"
    data: EventData = EventData()
    number: int = 0


@dataclass(frozen=True, slots=True)
class MissedEvents:
    """The events after a number, oldest first. `lost` = there were more, which are not kept any more; `last` is the
    number of the newest event there was, kept or not."""

    events: tuple[Event, ...]
    lost: bool
    last: int
