"""The engine of a store in this process: its rooms as the API that clients see. It decides nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from console.engine.change_log import ChangeLog
from console.engine.rooms import Engine
from console.records import (
    AuditCheck,
    AuditEntry,
    Changes,
    EncryptedFile,
    Event,
    MissedEvents,
    SignatureStatus,
    SignedContents,
    StoreStatus,
)

if TYPE_CHECKING:
    from console.doctor.doctor import Doctor
    from console.monitor.live import Live
    from console.serving.model_data import DataOfModels
    from console.update.accelerating import Accelerating
    from console.update.service import Updates

_MOST_WAITING = 10_000
"""Events that wait for a client."""


class LocalEngine:
    """An EngineApi over the rooms of one store; those that it is not asked for are not made."""

    def __init__(self, rooms: Engine) -> None:
        self._rooms = rooms
        self._log = ChangeLog(rooms)
        self.artifacts = rooms.artifacts
        self.models = rooms.models
        self.inference = rooms.questions
        self.security = LocalSecurity(rooms)

    @property
    def data(self) -> DataOfModels:
        """The data that models are driven with."""
        return self._rooms.model_data

    @property
    def monitor(self) -> Live:
        """Probes and measurements."""
        return self._rooms.live

    @property
    def updates(self) -> Updates:
        """Updates, versions, conversion."""
        return self._rooms.updates

    @property
    def acceleration(self) -> Accelerating:
        """The export of models to ONNX."""
        return self._rooms.accelerating

    @property
    def doctor(self) -> Doctor:
        """The state of the machine and the store."""
        return self._rooms.doctor

    async def status(self) -> StoreStatus:
        """How the store stands."""
        return self._rooms.status()

    async def events(self, after: int = 0) -> MissedEvents:
        """The events that are kept of those after a number, at once."""
        return self._rooms.bus.missed(after)

    async def follow(self, after: int = 0) -> AsyncIterator[Event]:
        """The kept events after a number, then each as it happens."""
        queue: asyncio.Queue[Event] = asyncio.Queue()
        missed = self._rooms.bus.missed(after).events

        def hear(event: Event) -> None:
            if queue.qsize() < _MOST_WAITING:
                queue.put_nowait(event)

        stop = self._rooms.bus.subscribe(hear)
        try:
            for event in missed:
                yield event
            while True:
                yield await queue.get()
        finally:
            stop()

    async def changes(self, after: int = -1, *, wait: bool = True, gather: float = 0.0) -> Changes:
        """Everything that has changed since the event with this number (-1: everything there is)."""
        if wait and after >= 0:
            await self._log.happened(after)
            await asyncio.sleep(gather)
        return self._log.since(after)

    async def begin(self) -> None:
        """Start what runs in the background; a second call does nothing."""
        self._rooms.begin()

    async def close(self) -> None:
        """End everything that was started; never raises."""
        self._log.close()
        await self._rooms.close()


class LocalSecurity:
    """Signatures, encryption, and the record of who did what."""

    def __init__(self, rooms: Engine) -> None:
        self._rooms = rooms

    async def sign(self, beneath: str, key: str) -> SignedContents:
        """Sign what an artifact holds now, or all of a directory, with the private key in a file."""
        return await self._rooms.signing.sign(beneath, key)

    async def verify(self, beneath: str, keys: tuple[str, ...] = ()) -> tuple[SignatureStatus, ...]:
        """How each artifact there stands with its signatures by these keys (none: the policy's)."""
        return await self._rooms.signing.verify(beneath, keys)

    async def check_encryption(self) -> None:
        """Make sure that something can be encrypted for the recipients in the settings."""
        await self._rooms.at_rest.check()

    async def encrypt(
        self, path: str, recipients: tuple[str, ...], out: str | None = None, *, replace: bool = False
    ) -> EncryptedFile:
        """Write the artifact encrypted: to `out`, or beside it; with `replace` in its stead."""
        place = None if out is None else Path(out)
        file, digest = await self._rooms.at_rest.seal(path, recipients, place, replace=replace)
        return EncryptedFile(str(file), digest)

    async def decrypt(self, path: str, identity: str | None, out: str) -> int:
        """Write what an encrypted artifact holds to a new file, which its owner alone may read; its size."""
        return await self._rooms.at_rest.unseal(path, None if identity is None else Path(identity), Path(out))

    async def history_directory(self, path: str) -> str:
        """The directory that holds what an artifact was before."""
        return str(self._rooms.at_rest.history(path))

    async def audit(self) -> tuple[AuditEntry, ...]:
        """The audit log, oldest first; behind it what the user's own log has of this store."""
        return await asyncio.to_thread(self._rooms.book.entries)

    async def verify_audit(self) -> AuditCheck:
        """Check the chain of the audit log, and that of the user's own."""
        return await asyncio.to_thread(self._rooms.book.verify)
