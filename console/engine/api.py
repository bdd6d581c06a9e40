"""The engine of one store as its clients see it: typed async methods by room, records in and records out.

Nothing else of the console is called by screens and commands. Every argument and every answer survives the way through
bytes (`console.engine.codec`), so that a client may live in another process; what fails raises a ConsoleError, which
does too. Long work that tells of its progress is an async iterator of records, of which the last has the result.

Paths of artifacts are relative to the store, as os.fsdecode gives them; paths of data and of files to be written are
absolute.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Protocol, TypeVar

from console.engine.api_artifacts import AccelerationApi, ArtifactsApi, DoctorApi, SecurityApi, UpdatesApi
from console.engine.api_models import DataApi, InferenceApi, ModelsApi, MonitorApi
from console.engine.api_service import JobsApi, ServingApi, TokensApi
from console.records import Changes, Event, MissedEvents, PublicKey, StoreStatus
from console.records.service import ServeOptions

__all__ = [
    "AccelerationApi",
    "ArtifactsApi",
    "DataApi",
    "DoctorApi",
    "Door",
    "EngineApi",
    "InferenceApi",
    "JobsApi",
    "ModelsApi",
    "MonitorApi",
    "SecurityApi",
    "ServingApi",
    "TokensApi",
    "UpdatesApi",
    "last_of",
]

R = TypeVar("R")


class EngineApi(Protocol):
    """One store, opened."""

    @property
    def artifacts(self) -> ArtifactsApi:
        """The artifacts of the store."""
        ...

    @property
    def models(self) -> ModelsApi:
        """The models that are loaded."""
        ...

    @property
    def data(self) -> DataApi:
        """The data that models are driven with."""
        ...

    @property
    def inference(self) -> InferenceApi:
        """Inference with loaded models."""
        ...

    @property
    def serving(self) -> ServingApi:
        """Models in service for other programs."""
        ...

    @property
    def monitor(self) -> MonitorApi:
        """Probes and measurements."""
        ...

    @property
    def updates(self) -> UpdatesApi:
        """Updates, versions and conversion."""
        ...

    @property
    def acceleration(self) -> AccelerationApi:
        """The export of models to ONNX."""
        ...

    @property
    def security(self) -> SecurityApi:
        """Signatures, encryption and audit."""
        ...

    @property
    def tokens(self) -> TokensApi:
        """Who may ask over HTTP."""
        ...

    @property
    def jobs(self) -> JobsApi:
        """Work that takes long."""
        ...

    @property
    def doctor(self) -> DoctorApi:
        """The examination of the machine and the store."""
        ...

    async def status(self) -> StoreStatus:
        """How the store stands."""
        ...

    async def events(self, after: int = 0) -> MissedEvents:
        """The events that are kept of those after a number, at once."""
        ...

    def follow(self, after: int = 0) -> AsyncIterator[Event]:
        """The kept events after a number, then each as it happens; a gap in the numbers tells of those that are lost
        to a client that is slow."""
        ...

    async def changes(self, after: int = -1, *, wait: bool = True, gather: float = 0.0) -> Changes:
        """Everything that has changed since the event with this number (-1: everything there is).

        With `wait` not before something has happened since, and all that happens in the `gather` seconds after that.
        """
        ...

    async def begin(self) -> None:
        """Start what runs in the background; a second call does nothing."""
        ...

    async def close(self) -> None:
        """End everything that was started; never raises."""
        ...


class Door(Protocol):
    """How a program comes by engines, and by what needs none."""

    def root(self, path: str) -> Path:
        """The store that a path belongs to. Raises InputError."""
        ...

    async def open(
        self,
        path: str,
        *,
        records: bool | None = None,
        watch: bool = False,
        alone: bool = False,
        on_failure: Callable[[Exception], None] = lambda _: None,
    ) -> tuple[EngineApi, str]:
        """The engine of the store that a path belongs to, and the place in it ("" = the store itself): the one that
        serves it, where one runs, else (and if it is to be `alone`) one in this process.

        `records` tells whether what is done goes to the store's own files: always, never, or (None) where the store
        has some already. `on_failure` hears of what nobody expected in the background. Raises InputError, UsageError.
        """
        ...

    async def attach(self, path: str) -> EngineApi:
        """The engine that serves the store a path belongs to, in its own process. Raises InputError, OperationError
        where none does."""
        ...

    def serve(self, path: str, options: ServeOptions) -> int:
        """Serve the store until this process is told to end; the exit code. Raises InputError, UsageError,
        OperationError where an engine serves it already."""
        ...

    def unit(self, path: str, options: ServeOptions) -> str:
        """The systemd unit that does the same. Raises InputError, UsageError."""
        ...

    def new_signing_key(self, file: Path) -> PublicKey:
        """Write a new private key for signing. Raises InputError, OperationError."""
        ...

    def new_identity(self, file: Path) -> PublicKey:
        """Write a new identity of age; the recipient that belongs to it. Raises InputError, OperationError."""
        ...


async def last_of(reports: AsyncIterator[R]) -> R:
    """The result, for whoever does not watch the progress."""
    last: list[R] = []
    async for report in reports:
        last = [report]
    return last[0]
