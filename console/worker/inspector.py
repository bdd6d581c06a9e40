"""Static inspection in children of their own: a file that crashes its reader costs one inspector, no more."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from backends.base import Inspection
from backends.load_plan import LoadPlan
from console.worker.failures import error_of, new_failure
from console.worker.launcher import Launcher
from console.worker.process import ChildProcess
from console.worker.strict import inspection_from
from console.worker.wire import Head

DEADLINE = 30.0
BYTES_A_SECOND = 50 << 20
"""What a slow disk gives, for files of which much has to be copied."""
FILES_EACH = 5_000
"""A child is replaced after this many files, so that nothing a file left behind in it stays for long."""


class Inspectors:
    """A pool of inspectors, started when first needed and replaced when one dies or overstays."""

    def __init__(self, launcher: Launcher, count: int = 1) -> None:
        self._launcher = launcher
        self._turns = asyncio.Semaphore(count)
        self._idle: list[tuple[ChildProcess, int]] = []

    async def inspect(self, fd: int, name: str = "", *, deadline: float = DEADLINE) -> Inspection:
        """The facts of the open regular file `fd`, which stays the caller's; `name` is its file name.

        Raises ChildRefused with code `damaged`, `unsupported` or `not-loadable`, ChildFailed with `hang`, `died`,
        `out-of-memory`, `protocol` or `raised`.
        """
        inspection, _plan = await self._ask({"name": name}, (fd,), name, deadline)
        return inspection

    async def plan(
        self, fd: int, name: str = "", *, memory: int | None = None, room: int = 0, deadline: float = DEADLINE
    ) -> tuple[Inspection, bytes]:
        """The facts of `fd`, and the load plan of where its arrays lie (see `backends.load_plan`).

        With `memory`, an empty memfd of the file's size, the file is read only through a copy made there once, of at
        most `room` bytes, which in the end holds everything but what the plan calls raw. Raises as `inspect` does.
        """
        fields = {"name": name, "plan": True, "room": room}
        fds = (fd,) if memory is None else (fd, memory)
        seconds = deadline + os.fstat(fd).st_size / BYTES_A_SECOND
        inspection, plan = await self._ask(fields, fds, name, seconds)
        return inspection, plan

    async def _ask(self, fields: Head, fds: Sequence[int], name: str, deadline: float) -> tuple[Inspection, bytes]:
        async with self._child(name) as child:
            head, body = await child.request("inspect", fields, fds=fds, deadline=deadline, input=f"the file {name}")
            try:
                LoadPlan.from_bytes(body, os.fstat(fds[0]).st_size)
                return inspection_from(head.get("inspection")), body
            except ValueError as error:
                child.kill("protocol", "sent an inspection that is none and was killed")
                message = f"the inspector's answer is malformed: {error}"
                raise error_of(new_failure(name, "inspect", "protocol", message)) from None

    async def close(self) -> None:
        """End the idle ones; `Launcher.close` ends those at work."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*(child.end() for child, _used in idle))

    async def warm(self) -> None:
        """Have one inspector started before the first file is asked for."""
        async with self._child(""):
            pass

    @asynccontextmanager
    async def _child(self, name: str) -> AsyncIterator[ChildProcess]:
        """One inspector for one file. A caller that goes away in the middle takes the inspector with it."""
        async with self._turns:
            child, used = await self._take()
            child.label = name
            try:
                yield child
            except asyncio.CancelledError:
                child.kill()
                raise
            finally:
                if child.alive and used + 1 < FILES_EACH:
                    self._idle.append((child, used + 1))
                else:
                    child.kill()

    async def _take(self) -> tuple[ChildProcess, int]:
        while self._idle:
            child, used = self._idle.pop()
            if child.alive:
                return child, used
        return await self._launcher.spawn("inspector", label="inspector"), 0
