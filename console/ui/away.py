"""Events that happened while a user was away, told by the number of the last one they saw of a running engine."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from console.config import state_dir, store_key
from console.durable import own_directory, put_bytes, remove_unfinished
from console.errors import ConsoleError
from console.records import EngineFacts, Event
from console.ui import text
from console.ui.event_words import without_steps

__all__ = ["Away", "LastLook", "keep_look", "last_look"]

_NAME = "seen.json"
_FAILED = frozenset(("failure.added", "update.failed", "job.failed", "worker.abandoned"))
"""Events that tell of a failure; others only go along with one."""


@dataclass(frozen=True, slots=True)
class LastLook:
    """The last moment in which a user looked at a store: the start of its engine, its newest event then, and when."""

    engine: float
    number: int
    when: float


@dataclass(frozen=True, slots=True)
class Away:
    """A stretch of events that nobody looked at: those numbered above `after` up to `last`."""

    after: int
    last: int
    since: float
    events: int
    failures: int

    @classmethod
    def between(cls, look: LastLook | None, now: EngineFacts | None, events: Iterable[Event]) -> Away | None:
        """The stretch from the last look to now; None where there is none, or nothing happened. Where the engine is
        another one, all it has told."""
        if look is None or now is None:
            return None
        same = math.isclose(look.engine, now.started, abs_tol=1e-3)
        after = look.number if same else 0
        missed = [event for event in without_steps(events) if event.number > after]
        if not missed:
            return None
        failures = sum(event.severity == "failure" and event.kind in _FAILED for event in missed)
        return cls(after, missed[-1].number, look.when, len(missed), failures)

    @property
    def words(self) -> str:
        """`while you were away · 14 events since 09:12`."""
        clock = text.clock(self.since)
        minutes = clock[:5] if len(clock) == len("09:12:33") else clock
        return f"while you were away{text.sign(' · ')}{text.count(self.events, 'event')} since {minutes}"

    @property
    def sentence(self) -> str:
        """The sentence of the first screen."""
        failed = f", {text.count(self.failures, 'failure')} among them" if self.failures else ""
        return f"While you were away: {text.count(self.events, 'event')}{failed}."


def last_look(root: Path) -> LastLook | None:
    """The last look of this user at the store at `root`; None where none is known. Blocks on the disk."""
    try:
        record = json.loads((state_dir() / store_key(root) / _NAME).read_bytes())
        return LastLook(float(record["engine"]), int(record["number"]), float(record["when"]))
    except (OSError, ValueError, TypeError, KeyError, RecursionError, ConsoleError):
        return None


def keep_look(root: Path, look: LastLook) -> None:
    """Remember a look, as far as the disk lets it. Blocks on it."""
    record = json.dumps({"engine": look.engine, "number": look.number, "when": look.when}).encode("ascii") + b"\n"
    try:
        with own_directory(state_dir() / store_key(root)) as directory:
            remove_unfinished(directory, _NAME)
            put_bytes(directory, _NAME, record, lambda _fd: None)
    except (OSError, ConsoleError):
        return
