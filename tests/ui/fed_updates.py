"""The rooms that a feeder stands for: what changes artifacts, what makes them faster, and what keeps them safe."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from console.errors import UsageError
from console.records import (
    AuditCheck,
    AuditEntry,
    Candidate,
    Comparison,
    EncryptedFile,
    ExportProgress,
    FormatsProgress,
    Json,
    SignatureStatus,
    SignedContents,
    Target,
    UpdatePlan,
    UpdateStatus,
    Version,
)
from console.reporting import reported
from tests.ui.fed_rooms import FedRoom

_COMPARED = Comparison("", 0.0, "", 0, None, Candidate("sha256:00", 0, None, {}, {}), (), passed=False)
_NOTHING = Version(1, "sha256:00", 0.0, "ada", "fed", 0)


class FedUpdates(FedRoom):
    """Updates of an artifact."""

    async def plan(
        self, path: str, *, data: str | None = None, target: Target | None = None, at: str = ""
    ) -> UpdatePlan:
        return self._feeder.plan(path, data=data, target=target)

    async def run(self, plan: UpdatePlan) -> Comparison:
        await self._feeder.update(plan)
        return self._feeder.compared.get(plan.path) or replace(_COMPARED, path=plan.path)

    async def status(self, path: str) -> UpdateStatus:
        return UpdateStatus(path, *self._feeder.known_update(path))

    async def cancel(self, path: str) -> None:
        await self._feeder.cancel_update(path)

    async def promote(self, path: str, why: str) -> Version:
        await self._feeder.promote(path, why)
        return _NOTHING

    async def discard(self, path: str) -> None:
        await self._feeder.discard(path)

    async def history(self, path: str) -> tuple[Version, ...]:
        return await self._feeder.history(path)

    async def rollback(self, path: str, version: int | None = None) -> Version:
        await self._feeder.rollback(path, version)
        return _NOTHING

    async def convert(
        self, path: str, to: str, out: str, *, at: str = "", accept: str | None = None
    ) -> dict[str, Json]:
        raise UsageError("a feeder converts nothing")

    async def compare_formats(
        self, path: str, *, data: str | None = None, at: str = "", accept: str | None = None
    ) -> AsyncIterator[FormatsProgress]:
        yield FormatsProgress("compared")


class FedAcceleration(FedRoom):
    """Exports of a model to ONNX."""

    async def compare(
        self, path: str, *, data: str | None = None, at: str = "", accept: str | None = None
    ) -> AsyncIterator[ExportProgress]:
        async def made(tell: Callable[[ExportProgress], None]) -> ExportProgress:
            def hear(phase: str) -> None:
                tell(ExportProgress(phase))

            return ExportProgress("compared", await self._feeder.accelerate(path, at=at, accept=accept, on_phase=hear))

        async for progress in reported(made):
            yield progress

    async def write(self, path: str) -> Version:
        return await self._feeder.write_export(path)

    async def discard(self, path: str) -> None:
        await self._feeder.discard_export(path)


class FedSecurity(FedRoom):
    """Signatures, encryption and audit."""

    async def sign(self, beneath: str, key: str) -> SignedContents:
        raise UsageError("a feeder signs nothing")

    async def verify(self, beneath: str, keys: tuple[str, ...] = ()) -> tuple[SignatureStatus, ...]:
        return ()

    async def check_encryption(self) -> None:
        await self._feeder.check_seal()

    async def encrypt(
        self, path: str, recipients: tuple[str, ...], out: str | None = None, *, replace: bool = False
    ) -> EncryptedFile:
        await self._feeder.seal(path, recipients, replace=replace)
        return EncryptedFile(f"{path}.age", "")

    async def decrypt(self, path: str, identity: str | None, out: str) -> int:
        raise UsageError("a feeder decrypts nothing")

    async def history_directory(self, path: str) -> str:
        return f"{self._feeder.root}/.model-console/history"

    async def audit(self) -> tuple[AuditEntry, ...]:
        return ()

    async def verify_audit(self) -> AuditCheck:
        return AuditCheck(True, 0)
