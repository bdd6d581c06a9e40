"""The running event loop, made fit for a machine that gives little: few threads, and failures that nobody waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def make_do() -> None:
    """Have `asyncio.to_thread` wait for a free thread where the system gives no further one.

    Without a first thread it raises RuntimeError as ever.
    """
    asyncio.get_running_loop().set_default_executor(_Frugal())


def hear_of_failures(hear: Callable[[Exception], bool]) -> None:
    """Have `hear` called with what fails in a callback; asyncio logs it with its traceback unless that returns true."""

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not ("handle" in context and isinstance(error, Exception) and hear(error)):
            loop.default_exception_handler(context)

    asyncio.get_running_loop().set_exception_handler(handle)


class _Frugal(ThreadPoolExecutor):
    def _adjust_thread_count(self) -> None:
        """See ThreadPoolExecutor, which has queued the work already and fails for want of a thread more."""
        try:
            super()._adjust_thread_count()
        except RuntimeError:
            if not self._threads:
                raise
