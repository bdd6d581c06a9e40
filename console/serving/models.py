"""Models as an operator may change them: loaded, replicated, reloaded and unloaded."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

from console.access.control import AccessControl
from console.errors import ConflictError
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
        self._holders: Counter[str] = Counter()
        self._lent: set[str] = set()
        """What is loaded for its holders alone."""
        self._ending: dict[str, asyncio.Task[None]] = {}
        """What is being unloaded since its last holder let go of it."""

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

    async def load(self, path: str, *, at: str = "", accept: str | None = None, anyway: bool = False) -> WorkerView:
        """Load an artifact; `accept` is why the operator says yes to one under review, `anyway` the yes to one that
        will not fit into memory.

        Raises NeedsReviewError, NeedsMemoryError, AccessDeniedError, InputError, OperationError.
        """
        await self._access.authorize("load", path)
        self._lent.discard(path)
        await self._let_go_of(path)
        return await self._supervisor.load(path, at=at, accept=accept, anyway=anyway)

    async def hold(
        self, path: str, *, at: str = "", accept: str | None = None, anyway: bool = False
    ) -> AsyncIterator[WorkerView]:
        """Its worker, loaded where nobody has; what is loaded so is unloaded once its last holder iterates no more.

        Raises ConflictError where another model of the file is loaded, and what `load` raises.
        """
        await self._access.authorize("load", path)
        await self._let_go_of(path)
        view = await self.settled(path)
        if view is not None and self._supervisor.answers(path) and view.at != at:
            place = view.at or "its only model"
            raise ConflictError(f"{path} is loaded already, at {place}", hint="unload it, or name that place with --at")
        if view is None:
            self._lent.add(path)
        self._holders[path] += 1
        try:
            yield await self._supervisor.load(path, at=at, accept=accept, anyway=anyway)
            await asyncio.Event().wait()
        finally:
            self._holders[path] -= 1
            if self._holders[path] <= 0:
                del self._holders[path]
                if path in self._lent:
                    self._lent.discard(path)
                    self._ending[path] = asyncio.ensure_future(self._unload(path))
                    self._ending[path].add_done_callback(lambda _: self._ending.pop(path, None))
                await self._let_go_of(path)

    async def _let_go_of(self, path: str) -> None:
        """Wait while it is being unloaded for want of holders."""
        if path in self._ending:
            await asyncio.wait([self._ending[path]])

    async def set_copies(self, path: str, count: int) -> WorkerView:
        """Have this many workers answer for a loaded artifact. Raises UsageError, OperationError, and what `load`
        raises."""
        await self._access.authorize("load", path)
        self._lent.discard(path)
        return await self._supervisor.set_copies(path, count)

    async def reload(self, path: str, *, accept: str | None = None) -> WorkerView:
        """Load what the file holds now in place of what is loaded, or of a worker that died. Raises like `load`."""
        await self._access.authorize("reload", path)
        return await self._supervisor.reload(path, accept=accept)

    async def unload(self, path: str) -> None:
        """End the workers of an artifact at once, and what drives them. Raises AccessDeniedError."""
        await self._access.authorize("unload", path)
        self._lent.discard(path)
        await self._unload(path)

    async def _unload(self, path: str) -> None:
        await asyncio.gather(self._supervisor.unload(path), self._end_driver(path))
