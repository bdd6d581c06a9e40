"""Models as an operator may change them: loaded, replicated, reloaded and unloaded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from console.access.control import AccessControl
from console.records import WorkerView
from console.serving.supervisor import Supervisor
from console.serving.worker_logs import WorkerLog


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
        """What is loaded, loading or dead, by path."""
        return self._supervisor.views()

    def view(self, path: str) -> WorkerView | None:
        """The same of one path."""
        return self._supervisor.view(path)

    def log(self, path: str) -> WorkerLog | None:
        """What the processes of a path wrote; None where nothing was ever loaded."""
        return self._supervisor.logs.find(path)

    async def settled(self, path: str) -> None:
        """Wait while it is being loaded and nothing answers for it."""
        await self._supervisor.settled(path)

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
