"""The rooms of the API that are about an engine in service: models that answer others, jobs, and who may ask."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from console.records import (
    InferAnswer,
    InferRequest,
    Job,
    ModelStatistics,
    NewToken,
    Principal,
    RequestOutcome,
    ServedModel,
    ServeSettings,
    Token,
)

__all__ = ["JobsApi", "ServingApi", "TokensApi"]


class ServingApi(Protocol):
    """Models in service."""

    async def models(self) -> tuple[ServedModel, ...]:
        """All models of the store by the names they answer to, loaded or not."""
        ...

    async def model(self, name: str) -> ServedModel:
        """The one of a name. Raises NotServedError."""
        ...

    async def infer(self, request: InferRequest) -> InferAnswer:
        """The answer to a request.

        Raises NotServedError, NotReadyError, OverloadedError with the seconds to wait, DeadlineError, InputError with
        the differences of the columns, AccessDeniedError, OperationError.
        """
        ...

    async def load(self, name: str, version: str = "") -> ServedModel:
        """Have a model, or one version of it, answer. Raises NotServedError, and what loading raises."""
        ...

    async def unload(self, name: str, version: str = "") -> ServedModel:
        """Have it answer no more once what it was asked is answered. Raises NotServedError, AccessDeniedError."""
        ...

    async def configure(self, name: str, settings: ServeSettings) -> ServedModel:
        """Serve a model so from now on: what differs is changed without losing a request. Raises NotServedError,
        UsageError, AccessDeniedError, and what loading raises."""
        ...

    async def statistics(self, name: str = "") -> tuple[ModelStatistics, ...]:
        """Counts by model and version; of one model, or ("") of all. Raises NotServedError."""
        ...

    async def worst(self, name: str) -> tuple[RequestOutcome, ...]:
        """The worst requests of a model that are kept, the slowest and those that failed, newest first."""
        ...


class JobsApi(Protocol):
    """Work that takes long."""

    async def list(self) -> tuple[Job, ...]:
        """Jobs that run, and the latest that ended, newest first."""
        ...

    def follow(self, job: int) -> AsyncIterator[Job]:
        """A job each time something of it changes, until it has ended. Raises InputError for a number nobody has."""
        ...

    async def cancel(self, job: int) -> Job:
        """End a job that runs; it as it is then. Raises InputError, AccessDeniedError."""
        ...


class TokensApi(Protocol):
    """Bearer tokens of those who ask over HTTP."""

    async def list(self) -> tuple[Token, ...]:
        """All tokens, without their secrets. Raises AccessDeniedError, InputError."""
        ...

    async def add(
        self,
        name: str,
        *,
        role: str = "infer",
        models: tuple[str, ...] = (),
        rate: float = 0.0,
        expires: float | None = None,
    ) -> NewToken:
        """A new token, that counts until the moment `expires`. Raises UsageError, ConflictError for a name that is
        taken, AccessDeniedError, OperationError."""
        ...

    async def revoke(self, name: str) -> Token:
        """Let nobody ask with this token any more, from now on. Raises InputError, AccessDeniedError,
        OperationError."""
        ...

    async def principal(self, secret: str, peer: str = "") -> Principal:
        """Whoever has this secret ("" = anybody who asks without one); a wrong one of `peer` goes on record. Raises
        UnauthenticatedError."""
        ...

    async def refused(self, what: str, model: str, why: str, who: str, peer: str = "") -> None:
        """Put on record that `who` was refused `what` of a model; those that are alike are counted by the minute.
        Raises OperationError."""
        ...
