"""Models as an operator may change them: loaded, replicated, reloaded and unloaded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from console.access.control import AccessControl
from console.records import LogPart, WorkerView
from console.serving.supervisor import Supervisor


class Models:
    """The loaded models as an operator may ask for them; what the supervisor does by itself needs no authorization.

    `end_driver` ends what drives a model.
    """

    def __init__(
        self, supervisor: Supervisor, access: AccessControl, end_driver: Callable[[str], Awaitable[object]]
    ) -> None:
        self._supervisor = supervisor
        self._access = access
        self._end_driver = end_driver

    def views(self) -> dict[str, WorkerView]:
        """The workers that are loaded, loading or dead, by path."""
        return self._supervisor.views()

    def view(self, path: str) -> WorkerView | None:
        """The same of one path."""
        return self._supervisor.view(path)

    async def worker(self, path: str) -> WorkerView | None:
        """The same of one path, for clients."""
        return self._supervisor.view(path)

    async def log(self, path: str, after: int = 0) -> LogPart | None:
        """The output of its processes after a line number, a part at a time; None where nothing was ever loaded."""
        log = self._supervisor.logs.find(path)
        return None if log is None else log.look(after)

    async def settled(self, path: str) -> WorkerView | None:
        """Wait while it is being loaded and nothing answers for it; its worker then."""
        await self._supervisor.settled(path)
        return self._supervisor.view(path)

    async def load(self, path: str, *, at: str = "", accept: str | None = None) -> WorkerView:
        """Load an artifact; `accept` is why the operator says yes to one under review.

        Raises NeedsReviewError, AccessDeniedError, InputError, OperationError.
        """
        await self._access.authorize("load", path)
        return await self._supervisor.load(path, at=at, accept=accept)

    async def set_copies(self, path: str, count: int) -> WorkerView:
        """Have this many workers answer for a loaded artifact. Raises UsageError, OperationError, and what `load`
        raises."""
        await self._access.authorize("load", path)
        return await self._supervisor.set_copies(path, count)

    async def reload(self, path: str, *, accept: str | None = None) -> WorkerView:
        """Load what the file holds now in place of what is loaded, or of a worker that died. Raises like `load`."""
        await self._access.authorize("reload", path)
        return await self._supervisor.reload(path, accept=accept)

    async def unload(self, path: str) -> None:
        """End the workers of an artifact at once, and what drives them. Raises AccessDeniedError."""
        await self._access.authorize("unload", path)
        await asyncio.gather(self._supervisor.unload(path), self._end_driver(path))
