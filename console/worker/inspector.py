"""Static inspection in children of their own: a file that crashes its reader costs one inspector, no more."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import resource
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass

from backends.core.errors import NO_MEMORY
from backends.core.inspection import Inspection
from backends.core.load_plan import LoadPlan
from console.errors import ConsoleError, OperationError
from console.free_memory import free_memory
from console.os_errors import OF_THE_MACHINE, hint, why
from console.records import ArrayNorm, DataColumns, ReadOptions
from console.worker.answers import columns_from, count_from, norms_from
from console.worker.decode_records import inspection_from
from console.worker.launcher import Launcher
from console.worker.process import ChildProcess
from console.worker.wire import Head

DEADLINE = 30.0
BYTES_A_SECOND = 50 << 20
"""The pace of a slow disk, for files of which much has to be copied."""
FILES_EACH = 5_000
"""A child is replaced after this many files, so that nothing a file left behind in it stays for long."""
HANDED_LIKE_A_FILE = 64 << 10
"""Bytes of memory filled for others that wear a child as one file does: its control group keeps bearing them."""

START_AGAIN_SECONDS = 0.5
"""After an inspector could not be started no other is tried for so long: who asks meanwhile gets the same answer."""
IDLE_SECONDS = 20.0
"""A child that nobody needed for so long is ended: its memory is worth more than the start of another."""
MOST = 16
NICENESS = 5
"""Inspectors stand back behind screens and workers where all cores are busy."""


_GAVE_UP = ("failed to map segment", "without exception set", "without setting an exception")
"""Parts of what the linker and CPython say where a library got no memory and did not tell."""
_ERRNO = re.compile(r"\[Errno (\d+)\]")


class NotInspected(OperationError):
    """The machine kept a file from being inspected, which says nothing about the file: it can be tried again."""

    code = "not-inspected"


def fitting() -> int:
    """How many inspectors this machine has cores for."""
    return min(MOST, len(os.sched_getaffinity(0)))


@dataclass(slots=True)
class _Idle:
    child: ChildProcess
    used: int = 0
    since: float = 0.0


class Inspectors:
    """A pool of up to `count` inspectors: each started when needed, replaced when it dies or overstays, ended
    when it was idle for long.

    The one that was used last is taken first, so that those a lull makes superfluous are the ones to go.
    """

    def __init__(self, launcher: Launcher, count: int | None = None, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self.count = count or fitting()
        self._launcher = launcher
        self._turns = asyncio.Semaphore(self.count)
        self._idle: list[_Idle] = []
        self._idle_seconds = idle_seconds
        self._ending: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._at_work = 0
        self._returned = asyncio.Event()
        self._refused: ConsoleError | None = None
        self._refused_until = 0.0

    async def inspect(self, fd: int, name: str = "", *, deadline: float = DEADLINE, anew: bool = False) -> Inspection:
        """The facts of the open regular file `fd`, which stays the caller's; `name` is its file name.

        `anew` = by an inspector that has seen no other file. Raises ChildRefused with code `damaged`, `unsupported` or
        `not-loadable`, ChildFailed with `hang`, `died`, `out-of-memory`, `protocol` or `raised`, NotInspected.
        """
        inspection, _plan = await self._ask({"name": name}, (fd,), name, deadline, anew)
        return inspection

    async def inspect_directory(self, members: Mapping[str, int], name: str, *, anew: bool = False) -> Inspection:
        """The facts of a directory by its open members. Raises as `inspect` does."""
        fields: Head = {"name": name, "members": list(members)}
        inspection, _plan = await self._ask(fields, tuple(members.values()), name, DEADLINE, anew)
        return inspection

    async def plan(
        self,
        fd: int,
        name: str = "",
        *,
        memory: int | None = None,
        room: int = 0,
        opened: int | None = None,
        deadline: float = DEADLINE,
        anew: bool = False,
    ) -> tuple[Inspection, bytes]:
        """The facts of `fd`, and the load plan of where its arrays lie (see `backends.core.load_plan`).

        With `memory`, an empty memfd of the file's size, the file is read only through a copy made there once, of at
        most `room` bytes, which in the end holds everything but what the plan calls raw. `opened`, an empty memfd,
        gets what a compression holds; it stays empty where a worker has to open that for itself. Raises as `inspect`
        does.
        """
        fields = {"name": name, "plan": True, "room": room, "opened": opened is not None}
        fds = tuple(one for one in (fd, memory, opened) if one is not None)
        seconds = deadline + os.fstat(fd).st_size / BYTES_A_SECOND
        inspection, plan = await self._ask(fields, fds, name, seconds, anew)
        return inspection, plan

    async def columns(
        self, fd: int, name: str, options: ReadOptions, names: Sequence[str] = (), *, deadline: float = DEADLINE
    ) -> DataColumns:
        """The columns of the open data file `fd`; `names` are those that a model knows. Raises as `inspect` does, with
        code `bad-input` for a file that is no table."""
        fields: Head = {"name": name, "options": asdict(options), "names": list(names)}
        async with self._child(name, anew=False) as one:
            head, _body = await _answer(one.child, "columns", fields, (fd,), name, deadline)
            return one.child.checked(columns_from, head, "columns")

    async def norms(self, fd: int, name: str) -> dict[str, ArrayNorm]:
        """The norms of the arrays of numbers in the open regular file `fd`, as far as its format tells them. Raises as
        `inspect` does."""
        seconds = DEADLINE + os.fstat(fd).st_size / BYTES_A_SECOND
        async with self._child(name, anew=False) as one:
            head, _body = await _answer(one.child, "norms", {"name": name}, (fd,), name, seconds)
            return one.child.checked(norms_from, head, "norms")

    async def tensors(self, fd: int, name: str, memory: int) -> int:
        """Have the tensors in the open regular file `fd` written to empty memory as safetensors; their number.

        Raises as `inspect` does."""
        seconds = DEADLINE + os.fstat(fd).st_size / BYTES_A_SECOND
        async with self._child(name, anew=False) as one:
            head, _body = await _answer(one.child, "tensors", {"name": name}, (fd, memory), name, seconds)
            return one.child.checked(count_from, head, "tensors")

    async def _ask(
        self, fields: Head, fds: Sequence[int], name: str, deadline: float, anew: bool
    ) -> tuple[Inspection, bytes]:
        async with self._child(name, anew) as one:
            head, body = await _answer(one.child, "inspect", fields, fds, name, deadline)
            if fields.get("opened"):
                one.used += os.fstat(fds[-1]).st_size // HANDED_LIKE_A_FILE
            try:
                LoadPlan.from_bytes(body, os.fstat(fds[0]).st_size)
                return inspection_from(head.get("inspection")), body
            except ValueError as error:
                raise one.child.malformed(error, "inspect") from None

    async def close(self) -> None:
        """End the idle ones; `Launcher.close` ends those at work."""
        if self._timer is not None:
            self._timer.cancel()
        idle, self._idle = self._idle, []
        await asyncio.gather(*(one.child.end() for one in idle), *self._ending)

    async def warm(self) -> None:
        """Have one inspector started before the first file is asked for."""
        async with self._child("", anew=False):
            pass

    @asynccontextmanager
    async def _child(self, name: str, anew: bool) -> AsyncIterator[_Idle]:
        """One inspector for one file. A caller that goes away in the middle takes the inspector with it."""
        async with self._turns:
            one = await self._take(anew)
            child = one.child
            child.label = name
            try:
                yield one
            except asyncio.CancelledError:
                child.kill()
                raise
            finally:
                one.used += 1
                self._at_work -= 1
                if child.alive and one.used < FILES_EACH:
                    self._keep(one)
                else:
                    child.kill()
                self._returned.set()

    async def _take(self, anew: bool) -> _Idle:
        """An inspector that is idle or new; where none can be started, the next that others are done with.

        Raises NotInspected.
        """
        while True:
            self._at_work += 1
            try:
                return self._rested(anew) or await self._start()
            except BaseException as error:
                self._at_work -= 1
                self._returned.set()
                if anew or not self._at_work or not isinstance(error, NotInspected):
                    raise
            self._returned.clear()
            await self._returned.wait()

    def _rested(self, anew: bool) -> _Idle | None:
        """The idle one that was used last; with `anew` it makes room for another."""
        while self._idle:
            one = self._idle.pop()
            if one.child.alive and not anew:
                return one
            one.child.kill()
            if anew:
                break
        return None

    async def _start(self) -> _Idle:
        """A new inspector. Raises NotInspected, for a moment without trying again."""
        loop = asyncio.get_running_loop()
        if self._refused is not None and loop.time() < self._refused_until:
            raise NotInspected(self._refused.message, hint=self._refused.hint)
        try:
            child = await self._launcher.spawn("inspector", label="inspector")
        except ConsoleError as error:
            self._refused, self._refused_until = error, loop.time() + START_AGAIN_SECONDS
            raise NotInspected(error.message, hint=error.hint, failure=error.failure) from None
        self._refused = None
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, child.pid, NICENESS)
        return _Idle(child)

    def _keep(self, one: _Idle) -> None:
        loop = asyncio.get_running_loop()
        one.since = loop.time()
        self._idle.append(one)
        if self._timer is None:
            self._timer = loop.call_later(self._idle_seconds, self._retire)

    def _retire(self) -> None:
        """End those that were idle for too long, and come back when the next will have been."""
        loop = asyncio.get_running_loop()
        due = loop.time() - self._idle_seconds
        for one in [one for one in self._idle if one.since <= due]:
            self._idle.remove(one)
            task = loop.create_task(one.child.end())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
        self._timer = None
        if self._idle:
            self._timer = loop.call_at(min(one.since for one in self._idle) + self._idle_seconds, self._retire)


async def _answer(
    child: ChildProcess, op: str, fields: Head, fds: Sequence[int], name: str, deadline: float
) -> tuple[Head, bytes]:
    """The answer about a file. Raises NotInspected where the machine is to blame, else what the request raises."""
    try:
        return await child.request(op, fields, fds=fds, deadline=deadline, input=f"the file {name}")
    except ConsoleError as error:
        if is_of_the_machine(child, error):
            raise _not_inspected(child, error) from None
        raise


def _not_inspected(child: ChildProcess, error: ConsoleError) -> NotInspected:
    if (
        NO_MEMORY in error.message
        or any(one in error.message for one in _GAVE_UP)
        or (error.code == "died" and _limited(child.memory_limit or 0))
    ):
        short = OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        return NotInspected(f"its reader got no memory: {why(short)}", hint=hint(short))
    return NotInspected(error.message, hint=error.hint, failure=error.failure)


def is_of_the_machine(child: ChildProcess, error: ConsoleError) -> bool:
    """Whether an inspector failed for want of something, or was killed from outside: no file can do that to it.

    One that used up all the memory it may have is the file's doing, one that could not have that much is not.
    """
    killed = child.exit is not None and child.exit.signal == signal.SIGKILL
    if error.code == "out-of-memory":
        return not child.over_its_limit and (killed or not could_have(child.memory_limit or 0))
    if (error.code == "damaged" and NO_MEMORY in error.message) or any(one in error.message for one in _GAVE_UP):
        return not could_have(child.memory_limit or 0)
    if error.code in ("ended", "not-sent") or (error.code == "died" and (killed or _limited(child.memory_limit or 0))):
        return True
    found = _ERRNO.match(error.message) if error.code == "raised" else None
    return found is not None and int(found[1]) in OF_THE_MACHINE


def could_have(memory: int) -> bool:
    """Whether a child could have had so many bytes: no limit that it inherits is lower, and the machine has them."""
    free = free_memory()
    return not _limited(memory) and (free is None or free >= memory)


def _limited(memory: int) -> bool:
    """Whether a limit that every child inherits is lower than so many bytes."""
    hard = (resource.getrlimit(which)[1] for which in (resource.RLIMIT_AS, resource.RLIMIT_DATA))
    return any(limit != resource.RLIM_INFINITY and limit < memory for limit in hard)
