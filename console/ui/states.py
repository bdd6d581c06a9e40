"""States and verdicts as glyph, word and role: one list for all screens."""

from __future__ import annotations

from dataclasses import dataclass

from console.records import Artifact, ProbeState, TrafficState, Verdict, WorkerState, WorkerView
from console.safe_text import safe
from console.ui.text import count, glyph, short_class, sign, until


@dataclass(frozen=True, slots=True)
class Status:
    """Glyph, word and role (`ok`, `busy`, `attention`, `failure`, `quiet`); `rank` orders by need of a person."""

    glyph: str
    word: str
    role: str
    rank: int

    def __str__(self) -> str:
        return f"{glyph(self.glyph)} {self.word}"


UNREADABLE = Status("✖", "skipped", "failure", 2)
DEAD = Status("✖", "error", "failure", 0)
_WORKER = {
    WorkerState.LOADING: Status("◐", "loading", "busy", 4),
    WorkerState.WARMING: Status("◐", "warming", "busy", 4),
    WorkerState.READY: Status("●", "ready", "ok", 6),
    WorkerState.DRAINING: Status("◐", "draining", "busy", 4),
    WorkerState.ERROR: DEAD,
}
_REST = {
    Verdict.BLOCKED: Status("✖", "blocked", "failure", 3),
    Verdict.DAMAGED: Status("✖", "damaged", "failure", 3),
    Verdict.UNSUPPORTED: Status("–", "unknown", "quiet", 8),
}
FAILING = Status("✖", "failing", "failure", 0)
"""Driven or asked by others, and requests fail."""
CHANGED = Status("▲", "changed", "attention", 1)
REMOVED = Status("▲", "removed", "attention", 1)
GONE = "is not in the store any more"
"""The problem of a file that was removed while it is loaded."""
PROBING = Status("▶", "probing", "ok", 5)
SERVING = Status("▶", "serving", "ok", 5)
"""Other programs ask it now."""
UNREAD = Status("?", "unread", "attention", 2)
"""The machine kept it from being inspected."""
SETTLING = Status("◌", "settling", "busy", 4)
ON_DISK = Status("○", "on disk", "quiet", 7)


def status(
    artifact: Artifact, worker: WorkerView | None, probe: ProbeState | None = None, traffic: TrafficState | None = None
) -> Status:
    """The one state of a row that matters most."""
    if worker is not None and worker.state is not WorkerState.ENDED:
        if worker.state is WorkerState.READY and failing(probe, traffic) is not None:
            return FAILING
        if artifact.problem == GONE and worker.state is WorkerState.READY:
            return REMOVED
        if artifact.changed and worker.state is WorkerState.READY:
            return CHANGED
        if worker.state is WorkerState.READY and probe is not None and probe.running:
            return PROBING
        if worker.state is WorkerState.READY and traffic is not None and traffic.running:
            return SERVING
        return _WORKER[worker.state]
    if artifact.problem is not None:
        return UNREADABLE
    if artifact.settling:
        return SETTLING
    if artifact.verdict is None and artifact.why:
        return UNREAD
    if artifact.verdict in _REST:
        return _REST[artifact.verdict]
    return ON_DISK


def failing(probe: ProbeState | None, traffic: TrafficState | None) -> ProbeState | TrafficState | None:
    """Whose requests fail: those of other programs come before the probe's; None where none do."""
    return next((one for one in (traffic, probe) if one is not None and one.failing), None)


def failing_words(driven: ProbeState | TrafficState) -> str:
    """How often requests fail now, and how many have failed: `20/s fail, 412 errors`."""
    return f"{driven.error_rate:.3g}/s fail, {count(driven.errors, 'error')}"


def again_words(worker: WorkerView | None) -> str:
    """When a dead worker is started again: `again in 4 s`, of several `2 of 3 ready, 1 again in 4 s`; empty where it is
    not, or where none is dead."""
    if worker is None or worker.retry_at is None:
        return ""
    missing = worker.copies - len(worker.pids)
    if worker.state is WorkerState.READY and missing > 0:
        return f"{len(worker.pids)} of {worker.copies} ready, {missing} {until(worker.retry_at)}"
    return until(worker.retry_at) if worker.state is WorkerState.ERROR else ""


def trouble_words(worker: WorkerView | None, probe: ProbeState | None, traffic: TrafficState | None = None) -> str:
    """The trouble of a loaded model, in a few words: how it fails, or when it is started again."""
    driven = failing(probe, traffic)
    if worker is not None and worker.state is WorkerState.READY and driven is not None:
        return failing_words(driven)
    return again_words(worker)


_TRUST = {
    None: Status("…", "reading", "quiet", 3),
    Verdict.SAFE: Status("✔", "safe", "ok", 5),
    Verdict.REVIEW: Status("?", "review", "attention", 2),
    Verdict.BLOCKED: Status("✖", "blocked", "failure", 0),
    Verdict.DAMAGED: Status("✖", "damaged", "failure", 1),
    Verdict.UNSUPPORTED: Status("–", "unknown", "quiet", 4),
}


_ACCEPTED = Status("✔", "review", "ok", 4)
"""Somebody has reviewed it."""


def verdict_status(verdict: Verdict) -> Status:
    """A verdict as glyph, word and role."""
    return _TRUST[verdict]


def trust(artifact: Artifact) -> Status:
    """The verdict as glyph, word and role."""
    if artifact.verdict is None and (artifact.problem or artifact.settling):
        return Status("–", "", "quiet", 4)
    if artifact.verdict is None and artifact.why:
        return UNREAD
    return _ACCEPTED if artifact.accepted else _TRUST[artifact.verdict]


def kind_words(artifact: Artifact) -> str:
    """The words by which the kind of model is found: its summary and its class."""
    name = safe(artifact.model_class or "") if artifact.summary else ""
    return f"{class_words(artifact)} {name}".rstrip()


def class_words(artifact: Artifact) -> str:
    """The model as a person says it: its summary, else its class, as in `Pipeline › LogisticRegression`."""
    if artifact.summary:
        return sign(safe(artifact.summary))
    name = short_class(artifact.model_class)
    if artifact.steps and name:
        return sign(f"{name} › {short_class(artifact.steps[-1])}")
    return name
