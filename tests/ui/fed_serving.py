"""The room of models in service that a feeder stands for."""

from __future__ import annotations

from dataclasses import replace

from console.errors import NotServedError, UsageError
from console.records import (
    InferAnswer,
    InferRequest,
    ModelStatistics,
    RequestOutcome,
    ServedModel,
    ServeSettings,
)
from tests.ui.fed_rooms import FedRoom


class FedServing(FedRoom):
    """Models in service."""

    async def models(self) -> tuple[ServedModel, ...]:
        return self._feeder.served

    async def model(self, name: str) -> ServedModel:
        found = next((one for one in self._feeder.served if one.name == name), None)
        if found is None:
            raise NotServedError(f"nothing answers to {name}")
        return found

    async def infer(self, request: InferRequest) -> InferAnswer:
        raise UsageError("a feeder answers nobody")

    async def load(self, name: str, version: str = "") -> ServedModel:
        return await self.model(name)

    async def unload(self, name: str, version: str = "") -> ServedModel:
        return await self.model(name)

    async def configure(self, name: str, settings: ServeSettings) -> ServedModel:
        model = replace(await self.model(name), settings=settings)
        self._feeder.served = tuple(model if one.name == name else one for one in self._feeder.served)
        return model

    async def statistics(self, name: str = "") -> tuple[ModelStatistics, ...]:
        return tuple(one for one in self._feeder.statistics if name in ("", one.name))

    async def worst(self, name: str) -> tuple[RequestOutcome, ...]:
        return tuple(one for one in self._feeder.worst if one.model == name)
