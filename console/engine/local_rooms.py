"""The rooms of an engine in this process, each behind its API; what one is not asked for is not made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from console.engine.reporting import reported
from console.engine.rooms import Engine
from console.errors import InputError
from console.records import (
    Artifact,
    AuditCheck,
    AuditEntry,
    Comparison,
    EncryptedFile,
    Explanation,
    ExportProgress,
    Json,
    KnownFacts,
    LogPart,
    Report,
    SignatureStatus,
    SignedContents,
    SweepPart,
    SweepTotals,
    Target,
    UpdatePlan,
    UpdateStatus,
    Version,
    WorkerView,
)


class LocalRoom:
    """One of them."""

    def __init__(self, rooms: Engine) -> None:
        self._rooms = rooms


class LocalArtifacts(LocalRoom):
    """What lies in the store, and what is found out about it."""

    async def rows(self) -> tuple[Artifact, ...]:
        """All rows, in order of path."""
        return self._rooms.artifacts.rows()

    async def row(self, path: str) -> Artifact | None:
        """One row."""
        return self._rooms.artifacts.row(path)

    async def scan(self, path: str = "") -> tuple[Artifact, ...]:
        """One look at the store, or at one file or directory of it, with every artifact inspected."""
        return await self._rooms.artifacts.scan(path)

    async def sweep(self, path: str = "", *, digest: bool = False) -> AsyncIterator[SweepPart]:
        """Everything in a directory and those beneath it as it lies there, in order, then the totals."""
        artifacts = self._rooms.artifacts
        sweep = artifacts.beneath(path, digest=digest)
        async for report in sweep:
            yield SweepPart(report, artifacts.explained(report))
        yield SweepPart(totals=SweepTotals(sweep.tally.no_model, dict(sweep.tally.special)))

    async def known(self, path: str) -> KnownFacts:
        """What is known of one artifact without looking at the disk."""
        artifacts = self._rooms.artifacts
        return KnownFacts(artifacts.known_report(path), artifacts.known_explanation(path))

    async def report(self, path: str, *, digest: bool = False) -> Report:
        """What is known of one artifact, inspected when it is not."""
        return await self._rooms.artifacts.report(path, digest=digest)

    async def inspect(self, path: str) -> Report:
        """The report of one artifact, read from the disk and judged anew whatever is known of it."""
        return await self._rooms.artifacts.inspect(path)

    async def explain(self, path: str) -> Explanation:
        """A verdict in plain words, and how the content differs from the one before it."""
        return await self._rooms.artifacts.explain(path)

    async def prioritize(self, paths: tuple[str, ...]) -> None:
        """Inspect these before the others: somebody looks at their rows."""
        self._rooms.artifacts.look_at(paths)

    async def prefetch(self, path: str) -> None:
        """Find out beforehand what it takes to load this one: somebody's cursor is on it."""
        self._rooms.artifacts.stand_on(path)


class LocalModels(LocalRoom):
    """What is loaded."""

    async def workers(self) -> tuple[WorkerView, ...]:
        """What is loaded, loading or dead."""
        return tuple(self._rooms.models.views().values())

    async def worker(self, path: str) -> WorkerView | None:
        """The same of one artifact."""
        return self._rooms.models.view(path)

    async def settled(self, path: str) -> WorkerView | None:
        """Wait while it is being loaded and nothing answers for it; then the same."""
        await self._rooms.models.settled(path)
        return self._rooms.models.view(path)

    async def load(self, path: str, *, at: str = "", accept: str | None = None) -> WorkerView:
        """Load an artifact; `accept` is why the operator says yes to one under review."""
        return await self._rooms.models.load(path, at=at, accept=accept)

    async def reload(self, path: str, *, accept: str | None = None) -> WorkerView:
        """Load what the file holds now in place of what is loaded, or of a worker that died."""
        return await self._rooms.models.reload(path, accept=accept)

    async def unload(self, path: str) -> None:
        """End the workers of an artifact at once, and what drives them."""
        await self._rooms.models.unload(path)

    async def set_copies(self, path: str, count: int) -> WorkerView:
        """Have this many workers answer for a loaded artifact."""
        return await self._rooms.models.set_copies(path, count)

    async def log(self, path: str, after: int = 0) -> LogPart | None:
        """What its processes wrote after a line number, a part at a time."""
        log = self._rooms.models.log(path)
        return None if log is None else log.look(after)


class LocalUpdates(LocalRoom):
    """What changes an artifact: updates, versions, conversion."""

    async def plan(
        self, path: str, *, data: str | None = None, target: Target | None = None, at: str = ""
    ) -> UpdatePlan:
        """What an update would do, from the recipe and what was named."""
        return self._rooms.updates.plan(path, data=data, target=target, at=at)

    async def run(self, plan: UpdatePlan) -> Comparison:
        """Retrain, judge and measure a candidate; it waits for `promote` or `discard`."""
        return await self._rooms.updates.run(plan)

    async def status(self, path: str) -> UpdateStatus:
        """How the update of an artifact stands."""
        return UpdateStatus(path, *self._rooms.known_update(path))

    async def cancel(self, path: str) -> None:
        """End an update that runs; nothing is changed by it."""
        await self._rooms.updates.cancel(path)

    async def promote(self, path: str, why: str) -> Version:
        """Put the waiting candidate in place, atomically."""
        return await self._rooms.updates.promote(path, why)

    async def discard(self, path: str) -> None:
        """Let go of the waiting candidate."""
        await self._rooms.updates.discard(path)

    async def history(self, path: str) -> tuple[Version, ...]:
        """The versions of an artifact, newest first."""
        return await self._rooms.updates.history(path)

    async def rollback(self, path: str, version: int | None = None) -> Version:
        """Promote an old version (None: the one before)."""
        return await self._rooms.updates.rollback(path, version)

    async def convert(
        self, path: str, to: str, out: str, *, at: str = "", accept: str | None = None
    ) -> dict[str, Json]:
        """Write the model to the new file `out` in another format, and check that it answers alike."""
        try:
            return await self._rooms.updates.convert(path, to, Path(out), at=at, accept=accept)
        except FileExistsError:
            raise InputError(f"{out} is there already", hint="name another place with --out") from None


class LocalAcceleration(LocalRoom):
    """What has a model answer faster."""

    async def compare(
        self, path: str, *, data: str | None = None, at: str = "", accept: str | None = None
    ) -> AsyncIterator[ExportProgress]:
        """Export the artifact to ONNX and compare; the export waits for `write` or `discard`."""

        async def compared(tell: Callable[[ExportProgress], None]) -> ExportProgress:
            def hear(phase: str) -> None:
                tell(ExportProgress(phase))

            found = await self._rooms.accelerating.compare(path, data=data, at=at, accept=accept, on_phase=hear)
            return ExportProgress("compared", found)

        async for progress in reported(compared):
            yield progress

    async def write(self, path: str) -> Version:
        """Put the export that waits beside its model."""
        return await self._rooms.accelerating.write(path)

    async def discard(self, path: str) -> None:
        """Let go of the export that waits, if one does."""
        await self._rooms.accelerating.discard(path)


class LocalSecurity(LocalRoom):
    """Signatures, encryption, and the record of who did what."""

    async def sign(self, beneath: str, key: str) -> SignedContents:
        """Sign what an artifact holds now, or all of a directory, with the private key in a file."""
        from console.trust.signing import key_id

        line, digests = await self._rooms.signing.sign(beneath, Path(key))
        return SignedContents(line, key_id(line), digests)

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
