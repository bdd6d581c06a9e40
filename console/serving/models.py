"""What an operator has done with one model: it is loaded, multiplied, loaded anew and let go of."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from console.access.control import AccessControl
from console.records import LogPart, WorkerView
from console.serving.supervisor import Supervisor


class Models:
    """The loaded models as an operator may ask for them; the fleet also acts by itself, which takes nobody's leave.

    `end_driver` ends what drives a model.
    """

    def __init__(self, fleet: Supervisor, book: AccessControl, end_driver: Callable[[str], Awaitable[object]]) -> None:
        self._fleet = fleet
        self._book = book
        self._end_driver = end_driver

    def views(self) -> dict[str, WorkerView]:
        """What is loaded, loading or dead, by path."""
        return self._fleet.views()

    def view(self, path: str) -> WorkerView | None:
        """The same of one path."""
        return self._fleet.view(path)

    async def worker(self, path: str) -> WorkerView | None:
        """The same of one path, for clients."""
        return self._fleet.view(path)

    async def log(self, path: str, after: int = 0) -> LogPart | None:
        """What its processes wrote after a line number, a part at a time; None where nothing was ever loaded."""
        log = self._fleet.logs.find(path)
        return None if log is None else log.look(after)

    async def settled(self, path: str) -> WorkerView | None:
        """Wait while it is being loaded and nothing answers for it; its worker then."""
        await self._fleet.settled(path)
        return self._fleet.view(path)

    async def load(self, path: str, *, at: str = "", accept: str | None = None) -> WorkerView:
        """Load an artifact; `accept` is why the operator says yes to one under review.

        Raises NeedsReviewError, AccessDeniedError, InputError, OperationError.
        """
        await self._book.allow("load", path)
        return await self._fleet.load(path, at=at, accept=accept)

    async def set_copies(self, path: str, count: int) -> WorkerView:
        """Have this many workers answer for a loaded artifact. Raises UsageError, OperationError, and what `load`
        raises."""
        await self._book.allow("load", path)
        return await self._fleet.set_copies(path, count)

    async def reload(self, path: str, *, accept: str | None = None) -> WorkerView:
        """Load what the file holds now in place of what is loaded, or of a worker that died. Raises like `load`."""
        await self._book.allow("reload", path)
        return await self._fleet.reload(path, accept=accept)

    async def unload(self, path: str) -> None:
        """End the workers of an artifact at once, and what drives them. Raises AccessDeniedError."""
        await self._book.allow("unload", path)
        await asyncio.gather(self._fleet.unload(path), self._end_driver(path))
