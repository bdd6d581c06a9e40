"""How a store stands, who may do what in it, and what has changed since somebody last asked."""

from __future__ import annotations

from dataclasses import dataclass, field

from console.records.artifacts import Artifact
from console.records.events import Event
from console.records.failures import Failure
from console.records.jobs import Job
from console.records.traffic import TrafficState
from console.records.updates import Comparison, UpdateProgress
from console.records.workers import ProbeState, WorkerView


@dataclass(frozen=True, slots=True)
class Permissions:
    """Rights of this user: the role in a word, and for each action that it does not give, a sentence that says why.

    `why_read_only` says why nothing in the store may be changed, whoever asks; it is empty where it may.
    """

    role: str
    refusals: dict[str, str] = field(default_factory=dict)
    why_read_only: str = ""

    @property
    def read_only(self) -> bool:
        """Whether nothing in the store may be changed."""
        return bool(self.why_read_only)

    def refusal(self, action: str) -> str | None:
        """Why an action is not this user's; None where it is."""
        return self.refusals.get(action)


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """The engine process that holds the store, where it has one of its own.

    `http` are the addresses it answers at, `attached` the user of each console and command that is attached to its
    `socket`, and `clients` how many of those there are.
    """

    pid: int
    started: float
    user: str
    socket: str
    http: tuple[str, ...] = ()
    attached: tuple[str, ...] = ()
    clients: int = 0


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """How the store at `root` stands.

    `scanning` until its first scan is over, `offline` says why it cannot be seen now, `uninspected` counts artifacts
    that wait for their inspection, `settled` are sentences about what a killed console had left, `recipients` are
    those that artifacts are encrypted for, and `decrypts` tells whether an identity to load them with is named.
    `engine` is the process of its own that holds the store; None where a console or command opened it for itself.
    """

    root: str
    permissions: Permissions
    scanning: bool = False
    offline: str | None = None
    uninspected: int = 0
    settled: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    decrypts: bool = False
    engine: EngineFacts | None = None


@dataclass(frozen=True, slots=True)
class UpdateStatus:
    """How the update of an artifact stands: the progress of one that runs, or the candidate that waits for a word."""

    path: str
    progress: UpdateProgress | None = None
    pending: Comparison | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes since the event with a number, up to the one numbered `last`: whole records, no differences.

    `everything` = `rows` are all rows there are, else those that changed and `removed` those that are gone. Workers,
    probes, traffic and updates are of the artifacts that something happened to, and so is `ended`: paths of which none
    is known.
    `jobs` are those that changed, newest first.
    """

    last: int
    status: StoreStatus
    events: tuple[Event, ...] = ()
    lost: bool = False
    everything: bool = False
    rows: tuple[Artifact, ...] = ()
    removed: tuple[str, ...] = ()
    workers: tuple[WorkerView, ...] = ()
    ended: tuple[str, ...] = ()
    probes: dict[str, ProbeState] = field(default_factory=dict)
    updates: tuple[UpdateStatus, ...] = ()
    failures: tuple[Failure, ...] = ()
    jobs: tuple[Job, ...] = ()
    traffic: dict[str, TrafficState] = field(default_factory=dict)
