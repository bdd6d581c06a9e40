"""The console's side of a zygote: warmed in the background, asked for forks, started again when it dies."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress

from backends.core import registry
from console.errors import ConsoleError
from console.processes import process_stat
from console.worker.exit_status import Exit
from console.worker.failures import error_of, new_failure
from console.worker.process import ChildProcess, Reap

PRELOAD = ("console.worker.child.model", *registry.preloaded())
"""Modules that most models need; those not installed are skipped."""

PACKAGES = frozenset(name.partition(".")[0] for name in PRELOAD) - {"console", "backends"}
"""Packages known to import without starting threads, which would forbid to fork."""
MODULES_CAP = 256

WARM_DEADLINE = 120.0
FORK_DEADLINE = 10.0
SEEN_S = (0.001, 0.002, 0.004, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Pauses until a fork has to be seen."""
BACKOFF = (0.0, 1.0, 1.0, 2.0, 3.0, 5.0, 8.0)

Start = Callable[[], Awaitable[ChildProcess]]


class Zygote:
    """One zygote of one interpreter. `start` makes the process; it is run again, ever later, as often as it dies."""

    def __init__(self, start: Start, modules: Sequence[str] = PRELOAD) -> None:
        self._start = start
        self._modules = dict.fromkeys(modules)
        self._imported: set[str] = set()
        self._importing: asyncio.Task[None] | None = None
        self._child: ChildProcess | None = None
        self._warm = asyncio.Event()
        self.on_import: list[Callable[[], object]] = []
        """Called when its forks will have more imported than those before."""
        self._keeping = asyncio.get_running_loop().create_task(self._keep())

    @property
    def ready(self) -> bool:
        """Whether it forks now; while it does not, children are executed afresh."""
        return self._warm.is_set() and self._child is not None and self._child.alive

    @property
    def pid(self) -> int | None:
        """The process, once there is one."""
        return self._child.pid if self._child else None

    def expect(self, modules: Iterable[str]) -> None:
        """Models that name these modules may be loaded soon: import those of known packages too, in the background."""
        known = [name for name in modules if name.partition(".")[0] in PACKAGES]
        self._modules.update(dict.fromkeys(known[: max(0, MODULES_CAP - len(self._modules))]))
        idle = self._importing is None or self._importing.done()
        if self.ready and idle and self._modules.keys() - self._imported:
            self._importing = asyncio.get_running_loop().create_task(self._import())

    async def warmed(self) -> None:
        """Wait until it is ready."""
        await self._warm.wait()

    async def fork(self, kind: str, label: str, theirs: socket.socket, writers: Sequence[int]) -> tuple[int, int, Reap]:
        """A forked child on these descriptors: its pid, a pidfd and how to reap it. Raises ConsoleError."""
        zygote = self._child
        if zygote is None:
            raise error_of(new_failure(label, "start", "start", "there is no zygote"))
        head, _body = await zygote.request(
            "fork", {"kind": kind}, fds=(theirs.fileno(), *writers), deadline=FORK_DEADLINE
        )
        pid = head.get("pid")
        if not isinstance(pid, int) or await _parent_of(pid) != zygote.pid:
            raise error_of(new_failure(label, "start", "protocol", "the zygote named a process that is not its child"))

        async def reap() -> Exit:
            try:
                answer, _none = await zygote.request("reap", {"pid": pid}, deadline=FORK_DEADLINE)
                return Exit.of(int(answer["status"]), int(answer["peak"]))
            except (ConsoleError, KeyError, TypeError, ValueError):
                return Exit()

        return pid, os.pidfd_open(pid), reap

    async def close(self) -> None:
        """Stop keeping it; the launcher ends the process with all others."""
        tasks = [task for task in (self._keeping, self._importing) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep(self) -> None:
        failures = 0
        while True:
            await asyncio.sleep(BACKOFF[min(failures, len(BACKOFF) - 1)])
            failures += 1
            try:
                self._child = await self._start()
                self._imported.clear()
                await self._preload(self._child)
            except ConsoleError:
                continue
            self._warm.set()
            failures = 0
            await self._child.ended.wait()
            self._warm.clear()

    async def _import(self) -> None:
        with suppress(ConsoleError):
            while self._child is not None and self._modules.keys() - self._imported:
                await self._preload(self._child)

    async def _preload(self, child: ChildProcess) -> None:
        wanted = [name for name in self._modules if name not in self._imported]
        await child.request("preload", {"modules": wanted}, deadline=WARM_DEADLINE)
        self._imported.update(wanted)
        for hear in self.on_import:
            hear()


async def _parent_of(pid: int) -> int:
    """The parent of a process; -1 where there is none. Where /proc hides the processes of others (hidepid), a fork can
    be seen only from the moment on at which it lets itself be looked at."""
    for pause in SEEN_S:
        try:
            return process_stat(pid).parent
        except (OSError, ValueError, IndexError):
            await asyncio.sleep(pause)
    return -1
