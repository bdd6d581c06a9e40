"""A trainer: one child that makes one candidate and ends; cancelling is killing it."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace

from console.errors import ConsoleError
from console.records import ReadOptions, Target
from console.safe_text import safe
from console.worker.decode_records import decoded
from console.worker.failures import ChildFailed, texts, warning_texts
from console.worker.launcher import Launcher
from console.worker.limits import Limits, SandboxPlan
from console.worker.process import ChildProcess
from console.worker.scratch import end_processes
from console.worker.wire import Head

OUTPUT_LINES = 40
"""Last lines of a training program that are kept with its failure."""

NEVER = 30 * 86_400.0
"""Seconds a training may take: training is ended by whoever waits for it, not by the clock."""
STOP_SECONDS = 6.0

PROGRAM_FILES = 100_000
"""Files that a training program may have in its scratch directory, whose bytes are those of the largest candidate."""

Progress = Callable[[str, int | None, int | None, str], None]
"""Hears phase, pieces done and in all where they are known, and a line of the training program's output."""


@dataclass(frozen=True, slots=True)
class Trained:
    """The answer to a training: rows fitted on and held back, seconds of fitting, the task, how the table was read."""

    rows: int
    held_back: int
    seconds: float
    task: str
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    decided: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """The current model as bytes, and how a new one is made of it: what the trainer needs to know.

    `artifact` is what `Snapshot.load_fds` gives, `plan` goes with it.
    """

    artifact: tuple[int, ...]
    format: str
    compression: str | None
    at: str
    mode: str
    plan: bytes = b""


def _end_leavings(ended: ChildProcess) -> None:
    """A trainer that was killed could not end what it ran."""
    end_processes(ended.scratch)


def candidate_file(name: str) -> int:
    """An empty file in memory for a candidate; the caller closes it. Raises OSError."""
    return os.memfd_create(name.encode("ascii", "replace").decode()[:200], os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)


class Trainer:
    """Client of one trainer process. Failures are raised as ChildFailed or ChildRefused, each with its record."""

    def __init__(self, child: ChildProcess) -> None:
        self.child = child
        self._running = False

    @classmethod
    async def start(
        cls,
        launcher: Launcher,
        label: str,
        *,
        fresh: bool = True,
        python: str | None = None,
        limits: Limits | None = None,
        readable: Sequence[str] = (),
        forks: bool = False,
        compiles: bool = False,
    ) -> Trainer:
        """A sandboxed trainer, a fresh interpreter for what is not `safe`.

        `forks` lets the operator's own program run, `readable` opens its paths to it; `compiles` is for models whose
        libraries make code.
        """
        plan: SandboxPlan = replace(launcher.sandbox, forks=forks, compiles=compiles).reading(*readable)
        if forks:
            own = limits or launcher.limits
            limits = replace(own, scratch=own.file_size, scratch_files=PROGRAM_FILES)
        child = await launcher.spawn("trainer", label=label, fresh=fresh, python=python, limits=limits, sandbox=plan)
        if forks:
            child.on_end.append(_end_leavings)
        return cls(child)

    async def train(
        self,
        current: Candidate,
        table: int,
        name: str,
        *,
        target: Target | None,
        options: ReadOptions | None = None,
        hold_back: bool,
        candidate: int,
        on_progress: Progress,
    ) -> Trained:
        """Train on the table `table` (called `name`) and write the new model to the empty file `candidate`.

        With `hold_back` a fifth of the rows, always the same, is kept from fitting.
        """
        fields: Head = {
            "format": current.format,
            "compression": current.compression,
            "at": current.at,
            "mode": current.mode,
            "name": name,
            "target": target,
            "options": None if options is None else asdict(options),
            "hold_back": hold_back,
        }
        memory, *file = current.artifact
        fds = (memory, table, candidate, *file)
        head = await self._ask("train", fields, fds, f"the file {name}", on_progress, current.plan)
        found = self.child.checked(lambda said: decoded(said, Trained), head)
        notes, warnings = texts(found.notes), warning_texts(found.warnings)
        return replace(found, task=found.task[:40], notes=notes, warnings=warnings, decided=safe(found.decided, 2000))

    async def command(
        self, command: Sequence[str], directory: str, suffix: str, *, candidate: int, on_progress: Progress
    ) -> float:
        """Run the operator's own program in `directory`; what it wrote at {candidate} fills `candidate`. Seconds.

        The failure of a program that fails has the last of what it printed.
        """
        fields: Head = {"command": list(command), "directory": directory, "suffix": suffix}
        printed: deque[str] = deque(maxlen=OUTPUT_LINES)

        def hear(phase: str, done: int | None, total: int | None, text: str) -> None:
            if text:
                printed.append(text)
            on_progress(phase, done, total, text)

        self._running = True
        try:
            head = await self._ask("command", fields, (candidate,), None, hear)
        except ConsoleError as error:
            self._running = False
            if isinstance(error, ChildFailed) and error.failure is not None:
                last = "\n".join(printed) or error.failure.stderr
                how = str(error.details.get("exit") or error.failure.exit or "")[:100] or None
                error.failure = replace(error.failure, stderr=last, exit=how)
            raise
        self._running = False
        return self.child.checked(lambda said: decoded(said.get("seconds"), float), head)

    async def end(self) -> None:
        """End the process, and what it runs, and wait until it is gone; nothing can write to the candidate any more."""
        if self._running:
            await self._stop()
        self.child.kill("cancelled", "was cancelled")
        await self.child.ended.wait()

    async def _stop(self) -> None:
        """Have a running program ended with everything it started: only the trainer finds all of that."""
        self._running = False
        with suppress(ConsoleError, TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await self.child.request("stop", deadline=NEVER)

    async def _ask(
        self, op: str, fields: Head, fds: Sequence[int], given: str | None, on_progress: Progress, body: bytes = b""
    ) -> Head:
        def on_event(head: Head) -> None:
            done, total = (value if isinstance(value, int) else None for value in (head.get("done"), head.get("total")))
            text = head.get("text")
            on_progress(str(head.get("phase") or "command")[:40], done, total, str(text)[:2000] if text else "")

        try:
            head, _body = await self.child.request(
                op, fields, body=body, fds=fds, deadline=NEVER, on_event=on_event, input=given
            )
        except asyncio.CancelledError:
            await self.end()
            raise
        return head
