"""The endpoints of a store: found by name, loaded when they are asked, told of what happens to their workers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from console.errors import ConsoleError, NotReadyError, NotServedError
from console.events import Bus
from console.records import Artifact, Event, FileIdentity
from console.serving.endpoint import Endpoint
from console.serving.histories import Histories
from console.serving.replicas import Slot, drained
from console.serving.retained import key_of, parts_of
from console.serving.served_names import ServedNames
from console.serving.served_settings import ServedSettings
from console.serving.supervisor import Supervisor

REFRESH_S = 2.0
"""How old the settings that a recipe asks for may be."""
_ROWS = ("artifact.", "store.", "recipe.")
_NAMELESS = ("artifact.inspected", "artifact.uninspected", "store.scanning")
"""Of those, the ones that come in thousands and change nobody's name."""


class Endpoints:
    """Endpoints by path. The content in place is kept by `fleet`, retained versions by `retained`."""

    def __init__(
        self,
        histories: Histories,
        row: Callable[[str], Artifact | None],
        scanning: Callable[[], bool],
        names: ServedNames,
        settings: ServedSettings,
        fleet: Supervisor,
        retained: Supervisor,
        bus: Bus,
        retained_bus: Bus,
    ) -> None:
        self.histories = histories
        self.row = row
        self._scanning = scanning
        self.names = names
        self.settings = settings
        self.fleet = fleet
        self.retained = retained
        self._bus = bus
        self._by_path: dict[str, Endpoint] = {}
        self.by_name: dict[str, Endpoint] = {}
        """Those that were asked, by what they were called; emptied when names may have changed."""
        self._work: set[asyncio.Task[Any]] = set()
        self._stops = [bus.subscribe(self._hear), retained_bus.subscribe(self._hear_retained)]

    # finding

    async def named(self, name: str) -> Endpoint:
        """The endpoint that answers to a name. Raises NotServedError, NotReadyError."""
        endpoint = self.by_name[name] = await self.at(await self.names.path_of(name))
        return endpoint

    async def at(self, path: str) -> Endpoint:
        """The endpoint of an artifact."""
        endpoint = self._by_path.get(path)
        if endpoint is None:
            found = await asyncio.to_thread(self.settings.of, path)
            endpoint = self._by_path.setdefault(path, Endpoint(path, *found))
            self._due(endpoint)
        return endpoint

    def known(self, path: str) -> Endpoint | None:
        """The same, where it was asked or loaded before."""
        return self._by_path.get(path)

    def refresh(self, endpoint: Endpoint) -> None:
        """Look in the background whether its recipe asks for something else by now."""
        self._due(endpoint)
        self.spawn(self.refreshed(endpoint))

    async def refreshed(self, endpoint: Endpoint) -> None:
        """Take over what its recipe asks for, and what was changed since."""
        settings, problem = await asyncio.to_thread(self.settings.of, endpoint.path)
        if (settings, problem) != (endpoint.settings, endpoint.problem):
            if settings.name != endpoint.settings.name:
                self.forget_names()
            endpoint.configured(settings, problem)

    def _due(self, endpoint: Endpoint) -> None:
        endpoint.refresh_at = asyncio.get_running_loop().time() + REFRESH_S

    async def scanned(self) -> None:
        """Wait until it is known what the store holds."""
        happened = asyncio.Event()
        stop = self._bus.subscribe(lambda _event: happened.set())
        try:
            while self._scanning():
                happened.clear()
                await happened.wait()
        finally:
            stop()

    def tell(self, endpoint: Endpoint, text: str, severity: str = "info") -> None:
        """Tell whoever follows that something answers otherwise now."""
        self._bus.emit("serving.changed", endpoint.path, text, severity=severity)

    def forget_names(self) -> None:
        """Names may stand for something else now."""
        self.names.forget()
        self.by_name.clear()

    # versions

    def place_of(self, endpoint: Endpoint, version: str) -> tuple[Supervisor, str]:
        """Who keeps the workers of a version ("" = whichever is current), and what they go by there."""
        if not version or version == self.current(endpoint):
            return self.fleet, endpoint.path
        return self.retained, key_of(endpoint.path, version)

    def current(self, endpoint: Endpoint) -> str | None:
        """The version of the content in place, of the loaded one where one is, as far as that is known."""
        return endpoint.number(self._identity(endpoint)[0])

    def _identity(self, endpoint: Endpoint) -> tuple[FileIdentity | None, str | None]:
        """The file and digest of what is loaded, else of what lies there."""
        slot, row = self.fleet.find(endpoint.path), self.row(endpoint.path)
        if slot is not None and slot.identity is not None:
            return slot.identity, slot.view.digest
        return (None, None) if row is None else (row.identity, row.digest)

    async def find_current(self, endpoint: Endpoint) -> str | None:
        """The same, found out where it is not known. Raises OperationError."""
        identity, digest = self._identity(endpoint)
        return None if identity is None else await self._numbered(endpoint, identity, digest)

    async def exists(self, endpoint: Endpoint, version: str) -> bool:
        """Whether a version can be loaded from the history. Raises OperationError."""
        return await self.histories.exists((endpoint.path, self._identity(endpoint)[1]), version)

    async def numbered(self, endpoint: Endpoint, slot: Slot) -> str:
        """The version of what a slot holds; "1" where there is no history. Raises OperationError."""
        if slot.identity is None:
            return ""
        return await self._numbered(endpoint, slot.identity, slot.view.digest)

    async def _numbered(self, endpoint: Endpoint, identity: FileIdentity, digest: str | None) -> str:
        return await endpoint.find_number(identity, lambda: self.histories.number((endpoint.path, digest), identity))

    # loading

    def load_soon(self, endpoint: Endpoint, version: str) -> None:
        """Have a version loaded, once for all who wait for it."""
        fleet, key = self.place_of(endpoint, version)
        if key not in endpoint.loading:
            task = endpoint.loading[key] = self.spawn(self.load(endpoint, fleet, key))
            task.add_done_callback(lambda done: self._loaded(endpoint, key, done))

    async def load(self, endpoint: Endpoint, fleet: Supervisor, key: str) -> None:
        """Have it answer, by as many workers as are wanted. Raises what loading raises."""
        row = self.row(endpoint.path)
        try:
            await fleet.load(key)
        except ConsoleError as error:
            endpoint.failed[key] = (None if row is None else row.identity, error)
            raise
        endpoint.failed.pop(key, None)
        if fleet is self.fleet and endpoint.settings.copies > 1:
            self.spawn(self._copies(endpoint))

    async def _copies(self, endpoint: Endpoint) -> None:
        try:
            await self.fleet.set_copies(endpoint.path, endpoint.settings.copies)
        except ConsoleError as error:
            self.tell(endpoint, f"{endpoint.path}: not all of its copies started: {error.message}", "failure")

    def _loaded(self, endpoint: Endpoint, key: str, task: asyncio.Task[None]) -> None:
        endpoint.loading.pop(key, None)
        if not task.cancelled():
            task.exception()
        endpoint.wake()

    def why_not(self, endpoint: Endpoint, key: str) -> ConsoleError | None:
        """Why the last attempt to load it failed, while its file is still the one that was tried."""
        failed = endpoint.failed.get(key)
        if failed is None:
            return None
        row = self.row(endpoint.path)
        return failed[1] if row is None or row.identity == failed[0] else None

    def wanted(self, endpoint: Endpoint, version: str) -> bool:
        """Whether a retained version is to answer: it has a label or a share, or an operator had it loaded."""
        settings = endpoint.settings
        labelled = version in settings.weights or any(str(one) == version for one in settings.labels.values())
        return labelled or key_of(endpoint.path, version) in self.settings.loaded

    async def retire(self, endpoint: Endpoint, fleet: Supervisor, key: str) -> None:
        """Unload it once what it was asked is answered, for as long as a worker that leaves may take."""
        slot = fleet.find(key)
        if slot is not None:
            await asyncio.gather(*(drained(worker) for worker in slot.workers))
            await fleet.unload(key)

    # what happens

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Do this in the background."""
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._spent)
        return task

    def _spent(self, task: asyncio.Task[Any]) -> None:
        self._work.discard(task)
        if not task.cancelled() and isinstance(task.exception(), ConsoleError):
            task.exception()

    def _hear(self, event: Event) -> None:
        if event.kind.startswith(_ROWS):
            self.names.forget()
            if event.kind not in _NAMELESS:
                self.by_name.clear()
        if not event.kind.startswith("worker."):
            return
        if event.kind in ("worker.ready", "worker.draining"):
            self._remember(event.subject, event.kind == "worker.ready")
        endpoint = self._by_path.get(event.subject)
        if endpoint is None:
            return
        if event.kind == "worker.draining":
            endpoint.stopped.add(event.subject)
        elif event.kind == "worker.loading":
            endpoint.stopped.discard(event.subject)
        elif event.kind == "worker.ready":
            self.spawn(self._turned(endpoint))
        endpoint.wake()

    def _hear_retained(self, event: Event) -> None:
        endpoint = self._by_path.get(parts_of(event.subject)[0])
        if endpoint is not None:
            endpoint.wake()

    def _remember(self, path: str, loaded: bool) -> None:
        (self.settings.loaded.add if loaded else self.settings.loaded.discard)(path)

    async def _turned(self, endpoint: Endpoint) -> None:
        """Another content answers: find its number, and let go of workers beside it that hold the same."""
        slot = self.fleet.find(endpoint.path)
        if slot is None or slot.identity is None:
            return
        version = await self.numbered(endpoint, slot)
        await self.retire(endpoint, self.retained, key_of(endpoint.path, version))

    async def close(self) -> None:
        """Start nothing more, and end the workers of retained versions; never raises."""
        for stop in self._stops:
            stop()
        for task in tuple(self._work):
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        await self.retained.close()


def not_ready(
    endpoint: Endpoint, why: str, hint: str | None = None, cause: ConsoleError | None = None
) -> NotReadyError:
    """The refusal of a request that nothing can answer now."""
    failure = None if cause is None else cause.failure
    return NotReadyError(f"{endpoint.settings.name} cannot answer: {why}", hint=hint, failure=failure)


def no_version(endpoint: Endpoint, words: str) -> NotServedError:
    """The refusal of a request for a version that there is not."""
    return NotServedError(f"{endpoint.settings.name} has no {words}")
