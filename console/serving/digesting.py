"""Digests of files too large to be read before they are loaded: taken beside the load, told when they are known."""

from __future__ import annotations

import asyncio
import os
import threading
from dataclasses import replace

from console.errors import ConsoleError, OperationError
from console.files.snapshot import Snapshot, digest_of
from console.worker.process import ChildProcess

__all__ = ["Digesting"]


class Digesting:
    """The digests that are being taken; `close` gives up those that are not done."""

    def __init__(self) -> None:
        self._running: dict[asyncio.Task[str], threading.Event] = {}

    def begin(self, content: Snapshot) -> asyncio.Task[str]:
        """Take the digest of judged bytes, which may be closed meanwhile.

        The task raises Conflict when the file changed, InputError when it cannot be read, Failed when it was given up.
        """
        skeleton = os.dup(content.skeleton) if content.skeleton >= 0 else -1
        own = replace(content, fd=os.dup(content.fd), skeleton=skeleton, opened=-1)
        stop = threading.Event()
        task = asyncio.create_task(self._take(own, stop))
        self._running[task] = stop
        task.add_done_callback(self._running.pop)
        return task

    async def _take(self, content: Snapshot, stop: threading.Event) -> str:
        with content:
            return await asyncio.to_thread(digest_of, content, cancelled=stop.is_set)

    async def of_worker(self, task: asyncio.Task[str], child: ChildProcess) -> str | None:
        """The digest of what a worker holds, None when it ended first; it is ended when its file changed."""
        stop = self._running.get(task)
        if stop is not None:
            child.on_end.append(lambda _: stop.set())
        try:
            return await asyncio.shield(task)
        except OperationError:
            return None
        except ConsoleError as error:
            child.kill("changed", f"was ended, since what it loaded is not known: {error.message}")
            return None

    def give_up(self, task: asyncio.Task[str]) -> None:
        """Nobody wants this one any more."""
        stop = self._running.get(task)
        if stop is not None:
            stop.set()
            task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def close(self) -> None:
        """Give up what is running and wait until it is over."""
        for stop in self._running.values():
            stop.set()
        await asyncio.gather(*self._running, return_exceptions=True)
