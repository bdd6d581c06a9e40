"""Serving: the room of models that answer other programs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

from console.access.control import AccessControl
from console.closing import close_each
from console.errors import ConsoleError, NotServedError, UsageError
from console.events import Bus
from console.records import (
    Artifact,
    InferAnswer,
    InferRequest,
    Json,
    ModelStatistics,
    RequestOutcome,
    ServedModel,
    ServedState,
    ServeSettings,
)
from console.serving.answering import Answering
from console.serving.counting import Counting
from console.serving.endpoint import Endpoint
from console.serving.endpoints import Endpoints, no_version
from console.serving.loader import ModelLoader
from console.serving.retained import key_of, parts_of
from console.serving.served_models import ServedModels
from console.serving.served_names import is_model

_AT_ONCE = 2
"""Models that are loaded at a time as the engine begins."""


class Serving:
    """Models in service; `end_driver` ends what drives a model, `counts` has what is counted of requests."""

    def __init__(
        self,
        endpoints: Endpoints,
        answering: Answering,
        described: ServedModels,
        access: AccessControl,
        rows: Callable[[], tuple[Artifact, ...]],
        report: Callable[[str], Awaitable[object]],
        end_driver: Callable[[str], Awaitable[object]],
        counts: Counting,
        loader: ModelLoader,
        retained_bus: Bus,
    ) -> None:
        self._endpoints = endpoints
        self._answering = answering
        self._described = described
        self._access = access
        self._rows = rows
        self._report = report
        self._end_driver = end_driver
        self._counts = counts
        self._loader = loader
        self.retained = endpoints.retained
        """The workers of versions that are not in place."""
        self.retained_bus = retained_bus
        """What happens to them."""

    async def infer(self, request: InferRequest) -> InferAnswer:
        """The answer to a request: see `Answering.infer`."""
        return await self._answering.infer(request)

    # seen

    async def models(self) -> tuple[ServedModel, ...]:
        """All models that whoever asks may see, by the names they answer to."""
        found = await self._described.of(filter(is_model, self._rows()))
        return tuple(sorted((one for one in found if self._access.sees(one.name)), key=lambda one: one.name))

    async def model(self, name: str) -> ServedModel:
        """The one of a name. Raises NotServedError, AccessDeniedError."""
        endpoint = await self._endpoints.named(name)
        await self._access.authorize_model("look", endpoint.settings.name)
        return await self._of(endpoint)

    async def _of(self, endpoint: Endpoint) -> ServedModel:
        if self._endpoints.fleet.find(endpoint.path) is None:
            await self._report(endpoint.path)
        row = self._endpoints.row(endpoint.path)
        if row is None:
            raise NotServedError(f"{endpoint.path} is gone")
        return (await self._described.of([row]))[0]

    async def described(self, paths: Iterable[str]) -> tuple[ServedModel, ...]:
        """The models of these artifacts, whoever asks; none where their history cannot be read."""
        rows = [row for path in paths if (row := self._endpoints.row(path)) is not None]
        try:
            return await self._described.of(filter(is_model, rows))
        except ConsoleError:
            return ()

    def pending(self, path: str) -> int:
        """How many requests to an artifact are not answered yet."""
        endpoint = self._endpoints.known(path)
        return 0 if endpoint is None else endpoint.pending

    async def statistics(self, name: str = "") -> tuple[ModelStatistics, ...]:
        """Counts by model and version; of one model, or ("") of all. Raises NotServedError,
        AccessDeniedError."""
        if name:
            endpoint = await self._endpoints.named(name)
            await self._access.authorize_model("look", endpoint.settings.name)
            name = endpoint.settings.name
        return tuple(one for one in self._counts.statistics(name) if self._access.sees(one.name))

    async def worst(self, name: str) -> tuple[RequestOutcome, ...]:
        """The worst requests of a model that are kept, newest first. Raises NotServedError, AccessDeniedError."""
        endpoint = await self._endpoints.named(name)
        await self._authorize("load", endpoint)
        return self._counts.worst(endpoint.settings.name)

    async def _authorize(self, action: str, endpoint: Endpoint) -> None:
        """See that whoever asks may do this, and to this model. Raises AccessDeniedError."""
        await self._access.authorize(action, endpoint.path)
        await self._access.authorize_model(action, endpoint.settings.name)

    # changes

    async def load(self, name: str, version: str = "") -> ServedModel:
        """Have a model, or one version of it, answer. Raises NotServedError, AccessDeniedError, and what
        loading raises."""
        endpoint = await self._endpoints.named(name)
        await self._authorize("load", endpoint)
        await self._endpoints.refreshed(endpoint)
        await self._load(endpoint, version)
        return await self._of(endpoint)

    async def _load(self, endpoint: Endpoint, version: str) -> None:
        if version and self._endpoints.current(endpoint) is None:
            await self._endpoints.find_current(endpoint)
        fleet, key = self._endpoints.place_of(endpoint, version)
        if fleet is self._endpoints.retained and not await self._endpoints.exists(endpoint, version):
            raise no_version(endpoint, f"version {version[:100]!r}")
        endpoint.stopped.discard(key)
        await self._endpoints.load(endpoint, fleet, key)
        self._endpoints.settings.loaded.add(key)
        endpoint.wake()

    async def unload(self, name: str, version: str = "") -> ServedModel:
        """Have it answer no more once what it was asked is answered. Raises NotServedError, AccessDeniedError."""
        endpoint = await self._endpoints.named(name)
        await self._authorize("unload", endpoint)
        places = [self._endpoints.place_of(endpoint, version)]
        if not version:
            retained = self._endpoints.retained
            beneath = key_of(endpoint.path, "")
            places += [(retained, key) for key in retained.views() if key.startswith(beneath)]
        for _fleet, key in places:
            endpoint.stopped.add(key)
            self._endpoints.settings.loaded.discard(key)
        endpoint.wake()
        await asyncio.gather(*(self._endpoints.retire(endpoint, *place) for place in places))
        if places[0][1] == endpoint.path:
            await self._end_driver(endpoint.path)
        return await self._of(endpoint)

    async def configure(self, name: str, settings: ServeSettings) -> ServedModel:
        """Serve a model so from now on. Raises NotServedError, UsageError, AccessDeniedError, and what loading
        raises."""
        endpoint = await self._endpoints.named(name)
        await self._authorize("load", endpoint)
        await self._require_available(endpoint, settings)
        await asyncio.to_thread(self._endpoints.settings.change, endpoint.path, settings)
        before = endpoint.settings
        await self._endpoints.refreshed(endpoint)
        if settings.copies != before.copies and self._endpoints.fleet.answers(endpoint.path):
            await self._endpoints.fleet.set_copies(endpoint.path, settings.copies)
        self._endpoints.tell(endpoint, f"{endpoint.path} is served otherwise: {_differences(before, settings)}")
        return await self._of(endpoint)

    async def _require_available(self, endpoint: Endpoint, settings: ServeSettings) -> None:
        """A label or a share moves only to a version that answers. Raises UsageError."""
        before = endpoint.settings
        moved = {str(one) for label, one in settings.labels.items() if before.labels.get(label) != one}
        moved |= {version for version, share in settings.weights.items() if before.weights.get(version) != share}
        if not moved:
            return
        versions = (await self._of(endpoint)).versions
        there = {one.version: one for one in versions}
        for version in sorted(moved):
            one = there.get(version)
            if one is None:
                raise UsageError(f"{settings.name} has no version {version}", hint="`history` lists those there are")
            if one.state is not ServedState.AVAILABLE:
                why = f"version {version} of {settings.name} does not answer: {one.reason}"
                raise UsageError(f"no requests can be moved to it: {why}", hint="load that version first")

    # life

    async def begin(self, warmed: Callable[[], Awaitable[None]]) -> None:
        """Load what is to answer from the start, and what was loaded before, once the store is known and workers are
        `warmed`; what fails is told as the reason why it does not answer."""
        await self._endpoints.scanned()
        kept, few = self._endpoints.settings.loaded.copy(), asyncio.Semaphore(_AT_ONCE)

        async def load(endpoint: Endpoint, version: str) -> None:
            async with few:
                with suppress(ConsoleError):
                    await self._load(endpoint, version)

        owed = []
        for row in filter(is_model, self._rows()):
            endpoint = await self._endpoints.at(row.path)
            if row.path in kept or endpoint.settings.load == "start":
                owed.append((endpoint, ""))
            owed += [(endpoint, parts_of(key)[1]) for key in kept if key.startswith(key_of(row.path, ""))]
        if owed:
            await warmed()
        await asyncio.gather(*(load(*one) for one in owed))

    def kept(self) -> Json:
        """The changed settings and the loaded models, for an engine that comes after this one."""
        return self._endpoints.settings.kept()

    def restore(self, kept: Json) -> None:
        """Take over what an engine before this one kept."""
        self._endpoints.settings.restore(kept)
        self._endpoints.forget_names()

    async def close(self) -> None:
        """End what was started for requests; never raises."""
        await close_each(self._endpoints, self._loader)


def _differences(before: ServeSettings, after: ServeSettings) -> str:
    names = [name for name in ServeSettings.__slots__ if getattr(before, name) != getattr(after, name)]
    return ", ".join(names) or "nothing"
