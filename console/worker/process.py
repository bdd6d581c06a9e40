"""One child process: asked through its control socket, watched through its pidfd, drained, ended without a trace."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from console.errors import ConsoleError
from console.library_versions import Versions
from console.os_errors import hint, why
from console.records import Failure, Layer, Memory
from console.worker.cgroups import Group
from console.worker.channel import Channel
from console.worker.decode_records import Malformed
from console.worker.exit_status import Exit, OomCounters, is_dying, is_stopped, resident_bytes
from console.worker.failures import error_of, from_frame, new_failure
from console.worker.output import OutputRing
from console.worker.shared import MappedFile
from console.worker.wire import TAKE_BACK, Head, WireError

IN_FLIGHT_CAP = 64
ALONE = 2
"""So many requests in a row that found no other unanswered have a single caller: theirs are sent at once."""
EVENTS_A_SECOND = 2_000
DUMP_SECONDS = 0.15
"""How long a child that overstayed has to print its Python stack before it is killed."""
CLOSE_SECONDS = 0.3
"""How long an idle child has to leave by itself once its control socket closes."""
GONE_SECONDS = 30.0
"""How much longer than its deadline an answer is waited for when the process is dying: how it ended tells more."""
REAP_SECONDS = 0.2
"""How long a zygote may take to tell how a child ended that was killed from here; how is known anyhow."""
DRAIN_CHUNKS = 64
_ASKED_FOR = ("ended", "unloaded")
"""Codes of an end that the console or its operator wanted."""

_PHASES = {"open_data": "read data", "sample_rows": "read data", "start": "start"}

T = TypeVar("T")
Reap = Callable[[], Coroutine[Any, Any, Exit]]
OnEvent = Callable[[Head], None]


@dataclass(eq=False, slots=True)
class _Pending:
    future: asyncio.Future[tuple[Head, bytes]]
    timer: asyncio.TimerHandle
    phase: str
    seconds: float
    on_event: OnEvent | None = None
    input: str | None = None
    late: bool = False
    patience: float | None = None
    sent: float = 0.0
    taken_back: bool = False


class ChildProcess:
    """A started child. Made by `Launcher.spawn`; `ended` is set once it is gone, reaped and cleaned up after.

    Requests answer with (head, body) or raise ChildFailed or ChildRefused with a structured failure. One that is not
    answered within its deadline costs the child its life, since a blocked interpreter cannot be interrupted.
    """

    def __init__(
        self, kind: str, label: str, pid: int, pidfd: int, sock: socket.socket, output: Sequence[int], reap: Reap
    ) -> None:
        self.kind = kind
        self.label = label
        self.pid = pid
        self.layers: dict[str, Layer] = {}
        self.selftest: dict[str, Layer] = {}
        self.sandbox_ms: tuple[float, ...] = ()
        """Milliseconds of its layers, of its self-test, and of the console's part in both."""
        self.group = Group()
        self.python = ""
        self.scratch = ""
        self.memory: Memory | None = None
        self.memory_limit: int | None = None
        self.mapped: MappedFile | None = None
        self.versions = Versions()
        """Of its model's file and of its own libraries, as far as they are known: every failure names what differs."""
        self.exit: Exit | None = None
        self.ended = asyncio.Event()
        self.on_end: list[Callable[[ChildProcess], None]] = []
        self._pidfd = pidfd
        self._reap = reap
        self._loop = asyncio.get_running_loop()
        self._pending: dict[int, _Pending] = {}
        self._last_id = 0
        self._answered_at = 0.0
        self._alone = ALONE
        self._cause: tuple[str, str] | None = None
        self._oom = OomCounters.read()
        self._group_kills = 0
        self._events = 0
        self._events_since = 0.0
        self._finishing: asyncio.Task[None] | None = None
        self._reaping: asyncio.Task[Exit] | None = None
        self._stdout, self._stderr = (OutputRing(fd) for fd in output)
        self._line = Channel(sock, self._on_frame, self._on_close)
        self._loop.add_reader(pidfd, self._on_exit)

    @property
    def alive(self) -> bool:
        """Whether requests may be sent."""
        return self._line.open and self._finishing is None and self._cause is None

    @property
    def busy(self) -> int:
        """Requests that have no answer yet, those included that nobody waits for any more."""
        return len(self._pending)

    @property
    def over_its_limit(self) -> bool:
        """Whether the kernel ended it at the memory limit of its own control group."""
        return self._group_kills > 0

    def claim(self, label: str) -> None:
        """From now on it works for the artifact of this name; what went before is none of its failures."""
        self.label = label
        self._oom = OomCounters.read()
        for ring in (self._stdout, self._stderr):
            ring.forget()

    def tell_output(self, hear: Callable[[int, bytes], object]) -> None:
        """Have it heard what it writes, and what is kept of what it wrote; 1 is stdout, 2 is stderr."""
        self._stdout.tell(partial(hear, 1))
        self._stderr.tell(partial(hear, 2))

    @property
    def ended_by_itself(self) -> bool:
        """Whether nobody asked for its end."""
        return self._diagnosis()[0] not in _ASKED_FOR

    @property
    def how_it_ended(self) -> str:
        """In a few words: `segmentation fault (SIGSEGV)`, `was unloaded`."""
        code, message = self._diagnosis()
        return self.exit.words if code == "died" and self.exit is not None else message

    def stderr_tail(self) -> str:
        """The last of what it wrote to stderr."""
        return self._stderr.text()

    def request(
        self,
        op: str,
        fields: Head | None = None,
        *,
        body: bytes = b"",
        fds: Sequence[int] = (),
        deadline: float = 60.0,
        on_event: OnEvent | None = None,
        input: str | None = None,  # noqa: A002
        patience: float | None = None,
    ) -> asyncio.Future[tuple[Head, bytes]]:
        """Ask one thing: the frame is on its way when this returns, its answer is waited for `deadline` seconds.

        `fds` stay the caller's. `on_event` gets the frames that report progress meanwhile; `input` says what was given,
        for a failure. With `patience` one that is late fails with `deadline` and is taken back where it has not begun,
        and the child is only ended when it has worked on one thing for so many seconds. Raises ChildFailed and
        ChildRefused, as the future does.
        """
        phase = _phase_of(op, fields or {})
        if not self.alive:
            raise error_of(self.death_failure(phase, input))
        if self.busy >= IN_FLIGHT_CAP:
            message = f"{self.busy} requests wait for this {self.kind} already"
            raise error_of(new_failure(self.label, phase, "busy", message))
        self._last_id += 1
        number = self._last_id
        self._alone = 0 if self._pending else self._alone + 1
        try:
            self._line.send({**(fields or {}), "op": op, "id": number}, body, fds, gather=self._alone < ALONE)
        except WireError as error:
            raise error_of(new_failure(self.label, phase, "protocol", f"cannot send the request: {error}")) from None
        except OSError as error:
            message = f"cannot send the request: {why(error)}"
            raise error_of(new_failure(self.label, phase, "not-sent", message, hint=hint(error))) from None
        timer = self._loop.call_later(deadline, self._overdue, number)
        pending = _Pending(self._loop.create_future(), timer, phase, deadline, on_event, input)
        if patience is not None:
            pending.patience, pending.sent = patience, self._loop.time()
        self._pending[number] = pending
        return pending.future

    def take_back_cancelled(self) -> None:
        """Have the child pass over what nobody waits for any more."""
        for number, pending in self._pending.items():
            if pending.future.cancelled() and not pending.taken_back:
                self._take_back(number, pending)

    def _take_back(self, number: int, pending: _Pending) -> None:
        pending.taken_back = True
        with suppress(WireError, OSError):
            self._line.send({"op": TAKE_BACK, "of": number})

    def checked(self, convert: Callable[[Head], T], head: Head, phase: str = "answer") -> T:
        """An answer as a record. Raises ChildFailed where it is none, and ends the child that sent it."""
        try:
            return convert(head)
        except Malformed as error:
            raise self.malformed(error, phase) from None

    def malformed(self, error: Exception, phase: str = "answer") -> ConsoleError:
        """End the child, which sent an answer that is no record; the error to raise."""
        self.kill("protocol", "sent an answer that is malformed and was killed")
        message = f"the {self.kind}'s answer is malformed: {type(error).__name__}: {error}"
        return error_of(new_failure(self.label, phase, "protocol", message))

    async def quiet(self, seconds: float) -> None:
        """Wait until nothing it was asked is unanswered, for `seconds` at most."""
        waiting = [pending.future for pending in self._pending.values()]
        if waiting:
            await asyncio.wait(waiting, timeout=seconds)

    def kill(self, code: str = "ended", why: str = "was ended by the console") -> None:
        """End it now, whatever it does; `code` and `why` are what requests in flight are told."""
        if self._cause is None and self._finishing is None:
            self._cause = (code, why)
        self._signal(signal.SIGKILL)

    async def end(self) -> None:
        """Ask it to leave, then make it; returns when it is gone. May be called at any time, and again."""
        if self._finishing is None:
            if self._cause is None:
                self._cause = ("ended", "was ended by the console")
            self._line.close()
            if not self.busy:
                with suppress(TimeoutError):
                    async with asyncio.timeout(CLOSE_SECONDS):
                        await self.ended.wait()
            self._signal(signal.SIGKILL)
        await self.ended.wait()

    def _on_frame(self, head: Head, body: bytes) -> None:
        if self._cause is not None:
            return
        number = head.get("id")
        pending = self._pending.get(number) if isinstance(number, int) else None
        if pending is None or not isinstance(number, int):
            self.kill("protocol", "answered a request that was not made and was killed")
        elif "event" in head:
            self._on_event(pending, head)
        elif "failure" in head:
            details = head.get("details")
            tail, memory = self.stderr_tail(), self.memory
            failure = from_frame(head["failure"], self.label, pending.phase, tail, memory, self.versions, details)
            self._answer(number, error_of(failure, details if isinstance(details, dict) else {}))
        else:
            self._answer(number, (head, body))

    def _on_event(self, pending: _Pending, head: Head) -> None:
        now = self._loop.time()
        if now - self._events_since > 1.0:
            self._events_since, self._events = now, 0
        self._events += 1
        if self._events > EVENTS_A_SECOND:
            self.kill("protocol", "flooded its line with reports and was killed")
        phase = head.get("phase")
        if isinstance(phase, str):
            pending.phase = phase[:100]
        if pending.on_event is not None and not pending.future.done():
            pending.on_event(head)

    def _answer(self, number: int, outcome: tuple[Head, bytes] | Exception) -> None:
        pending = self._pending.pop(number)
        pending.timer.cancel()
        self._answered_at = self._loop.time()
        if pending.future.done():
            return
        if isinstance(outcome, Exception):
            pending.future.set_exception(outcome)
        else:
            pending.future.set_result(outcome)

    def _overdue(self, number: int) -> None:
        pending = self._pending.get(number)
        if pending is None or self._cause is not None:
            return
        if pending.patience is not None and self._put_off(number, pending, pending.patience):
            return
        if is_dying(self.pid) and not pending.late:
            pending.late = True
            pending.timer = self._loop.call_later(GONE_SECONDS, self._overdue, number)
            return
        stopped = " (it was stopped by a signal)" if is_stopped(self.pid) else ""
        self._cause = (
            "hang",
            f"gave no answer to '{pending.phase}' within {pending.seconds:g} s{stopped} and was killed",
        )
        self._note_resident()
        self._signal(signal.SIGUSR2)
        self._loop.call_later(DUMP_SECONDS, self._signal, signal.SIGKILL)

    def _put_off(self, number: int, pending: _Pending, patience: float) -> bool:
        """Give up a request that is late; whether the child has not worked on one thing for too long, by what it
        answered last."""
        if not pending.future.done():
            message = f"'{pending.phase}' was not answered within {pending.seconds:g} s"
            pending.future.set_exception(error_of(new_failure(self.label, pending.phase, "deadline", message)))
            self._take_back(number, pending)
        left = max(pending.sent, self._answered_at) + patience - self._loop.time()
        if left <= 0:
            pending.seconds = patience
            return False
        pending.timer = self._loop.call_later(left, self._overdue, number)
        return True

    def _on_close(self, reason: str) -> None:
        """The line closed: the process is about to end, or it broke the line; either way it is over."""
        self._note_resident()
        if reason:
            self.kill("protocol", f"broke the protocol and was killed: {reason}")
        else:
            self._loop.call_later(CLOSE_SECONDS, self._without_line)

    def _without_line(self) -> None:
        """Kill a process that lives on without its line; one that is dying is waited for, since its end tells why."""
        if self._finishing is None and self._cause is None:
            if is_dying(self.pid):
                self._loop.call_later(CLOSE_SECONDS, self._without_line)
            else:
                self.kill("protocol", "closed its line to the console and was killed")

    def _note_resident(self) -> None:
        resident = resident_bytes(self.pid)
        if resident:
            peak = self.memory.peak if self.memory else None
            self.memory = Memory(resident, peak=peak)

    def _signal(self, number: int) -> None:
        if self._pidfd >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def _on_exit(self) -> None:
        self._loop.remove_reader(self._pidfd)
        self._finishing = self._loop.create_task(self._finish())

    async def _finish(self) -> None:
        """The process is a zombie: take what it left, end its group, reap it, and tell whoever waits."""
        self._drain()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._group_kills = self.group.oom_kills()
        self.exit = await self._reaped()
        os.close(self._pidfd)
        self._pidfd = -1
        self._line.close()
        self._stdout.close()
        self._stderr.close()
        if self.exit.peak:
            last = self.memory.rss if self.memory else self.exit.peak
            self.memory = Memory(last, peak=self.exit.peak)
        if self.scratch:
            shutil.rmtree(self.scratch, ignore_errors=True)
        for number in list(self._pending):
            pending = self._pending[number]
            self._answer(number, error_of(self.death_failure(pending.phase, pending.input)))
        if self.mapped is not None:
            self.mapped.close()
        self.ended.set()
        for call in self.on_end:
            call(self)

    async def _reaped(self) -> Exit:
        """How it ended. Where that was by a kill from here, a zygote that is busy is not waited for."""
        self._reaping = self._loop.create_task(self._reap())
        await asyncio.wait([self._reaping], timeout=REAP_SECONDS if self._cause is not None else None)
        return self._reaping.result() if self._reaping.done() else Exit(signal=signal.SIGKILL)

    def _drain(self) -> None:
        for source in (self._line, self._stdout, self._stderr):
            for _ in range(DRAIN_CHUNKS):
                if not source.read():
                    break

    def death_failure(self, phase: str, given: str | None) -> Failure:
        """How it ended, as the failure of whatever it was asked in `phase` (or "idle")."""
        code, message = self._diagnosis()
        words = self.exit.words if self.exit else None
        return new_failure(
            self.label,
            phase,
            code,
            f"the {self.kind} {message}",
            exit=words,
            stderr=self.stderr_tail(),
            input=given,
            memory=self.memory,
            versions=self.versions,
        )

    def _diagnosis(self) -> tuple[str, str]:
        """Code and sentence of how it ended. The kernel's own word comes before what was made of its silence."""
        killed = self.exit is not None and self.exit.signal == signal.SIGKILL
        if killed and self._group_kills and (self._cause is None or self._cause[0] == "hang"):
            return "out-of-memory", "was killed by the kernel because the limit of its own control group was reached"
        if self._cause is not None:
            return self._cause[0], self._cause[1]
        if self.exit is None:
            return "died", "is ending"
        if self.exit.code is None and self.exit.signal is None:
            return "died", "ended with the zygote it was forked from"
        if self.exit.signal == signal.SIGXCPU:
            return "cpu-limit", "used up its processor time: " + self.exit.words
        if self.exit.signal == signal.SIGXFSZ:
            return "file-limit", "wrote more than it may: " + self.exit.words
        oom = OomCounters.read().since(self._oom) if self.exit.signal == signal.SIGKILL else ""
        if oom:
            return "out-of-memory", f"was killed by the kernel because {oom}"
        if self.exit.signal == signal.SIGBUS and self.mapped is not None and self.mapped.shrank:
            return "file-shrank", "ended because the file that its numbers are mapped from shrank underneath it"
        if self.exit.signal is not None and self._no_memory_left():
            return "out-of-memory", f"ran out of its memory limit and died: {self.exit.words}"
        if self.exit.signal == signal.SIGKILL:
            return "died", "was killed by somebody else (SIGKILL)"
        return "died", self.exit.words if self.exit.code is not None else f"died: {self.exit.words}"

    def _no_memory_left(self) -> bool:
        peak = self.memory.peak if self.memory else None
        tail = self.stderr_tail()
        starved = "bad_alloc" in tail or "MemoryError" in tail or "Cannot allocate memory" in tail
        return starved or bool(peak and self.memory_limit and peak > 0.95 * self.memory_limit)


def _phase_of(op: str, fields: Head) -> str:
    """The name of an operation for an operator: of a call, the method that it calls."""
    if op.startswith("call") or op == "write_outputs":
        methods = fields.get("methods")
        return str(methods[0]) if isinstance(methods, list) and methods else "predict"
    return _PHASES.get(op, op)
