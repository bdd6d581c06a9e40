"""The rooms of an engine in this process, each behind its API; what one is not asked for is not made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from console.engine.reporting import reported
from console.engine.rooms import Engine
from console.errors import InputError, UsageError
from console.records import (
    AnswerFile,
    Answers,
    Artifact,
    AuditCheck,
    AuditEntry,
    Comparison,
    DataReading,
    EncryptedFile,
    Evaluated,
    Explanation,
    ExportProgress,
    Failure,
    Json,
    KnownFacts,
    LogPart,
    Memory,
    Prediction,
    ProbePlan,
    ProbeState,
    Report,
    SeriesChunk,
    SeriesPosition,
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


class _Room:
    """One of them."""

    def __init__(self, rooms: Engine) -> None:
        self._rooms = rooms


class LocalArtifacts(_Room):
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


class LocalModels(_Room):
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


class LocalInference(_Room):
    """What a loaded model is asked."""

    async def open_data(
        self, path: str, data: str | None = None, target: Target | None = None, *, limit: int | None = None
    ) -> AsyncIterator[DataReading]:
        """Open a data file in the worker, where it is not yet; with `limit` its first rows only."""

        async def opened(tell: Callable[[DataReading], None]) -> DataReading:
            def hear(rows: int, share: float) -> None:
                tell(DataReading(rows, share))

            file = await self._rooms.questions.open_data(path, data, target, limit=limit, on_progress=hear)
            return DataReading(file.rows, 1.0, file)

        async for reading in reported(opened):
            yield reading

    async def sample(self, path: str, data: str | None, start: int, count: int) -> list[dict[str, Json]]:
        """Rows of a data file as they go into the model, by column."""
        return await self._rooms.questions.sample(path, data, start, count)

    async def predict(
        self,
        path: str,
        *,
        data: str | None = None,
        rows: list[Json] | None = None,
        start: int = 0,
        stop: int | None = None,
        methods: tuple[str, ...] = (),
        target: Target | None = None,
        outputs: bool = True,
        score: bool = False,
    ) -> Prediction:
        """Answers for rows `start` to `stop` of a data file, or for typed `rows`."""
        return await self._rooms.questions.predict(
            path,
            data=data,
            rows=rows,
            start=start,
            stop=stop,
            methods=methods,
            target=target,
            outputs=outputs,
            score=score,
        )

    async def answers(
        self,
        path: str,
        data: str | None = None,
        target: Target | None = None,
        *,
        forms: tuple[str, ...] = (),
        methods: tuple[str, ...] = (),
        limit: int | None = None,
    ) -> AsyncIterator[Answers]:
        """Answers for all rows of a data file, or its first, in as few calls as may be, in the forms of files."""
        pieces = self._rooms.questions.answers(path, data, target, forms=forms, methods=methods, limit=limit)
        async for outcome, files in pieces:
            yield Answers(outcome, {form: AnswerFile(kind, memoryview(data)) for form, (kind, data) in files.items()})

    async def evaluate(self, path: str, *, data: str | None = None, target: Target | None = None) -> Evaluated:
        """How a model does on a data file with a target."""
        return await self._rooms.questions.evaluate(path, data=data, target=target)


class LocalMonitor(_Room):
    """Probes, measurements and failures."""

    async def plan(
        self,
        path: str,
        *,
        data: str | None = None,
        target: Target | None = None,
        rate: float | None = None,
        batch: int = 1,
    ) -> ProbePlan:
        """How a model would be driven, with what nobody named from its recipe and the settings."""
        named, column = self._rooms.questions.data_of(path, data, target)
        asked = self._rooms.settings.probe_rate if rate is None else rate
        return ProbePlan(named, rate=asked, batch=batch, target=column)

    async def start(self, path: str, plan: ProbePlan | None = None, *, seconds: float | None = None) -> ProbeState:
        """Begin to drive a loaded model, in place of a probe that runs."""
        return await self._rooms.live.start(path, plan, seconds)

    async def set(self, path: str, *, rate: float | None = None, batch: int | None = None) -> None:
        """Change a probe while it runs."""
        self._rooms.live.set(path, rate=rate, batch=batch)

    async def stop(self, path: str) -> ProbeState | None:
        """End the probe of one artifact, if there is one that runs; its last state."""
        return await self._rooms.live.stop(path)

    async def finished(self, path: str) -> ProbeState:
        """Wait for the probe of one artifact to end by itself."""
        return await self._rooms.live.finished(path)

    async def probe(self, path: str) -> ProbeState | None:
        """The probe of one artifact that runs, or ran last."""
        return self._rooms.known_probe(path)

    async def memory(self, path: str) -> Memory | None:
        """The memory of what is loaded, read now."""
        return await self._rooms.live.memory(path)

    async def series(self, path: str, wanted: tuple[SeriesPosition, ...] = ()) -> SeriesChunk | None:
        """What is measured after these positions."""
        recorder = self._rooms.live.recorder(path)
        try:
            return None if recorder is None else recorder.chunk(wanted)
        except KeyError as error:
            raise UsageError(f"nothing is measured in steps of {error} seconds") from None

    async def failures(self) -> tuple[Failure, ...]:
        """What went wrong last, newest last."""
        return self._rooms.failures.all()


class LocalUpdates(_Room):
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


class LocalAcceleration(_Room):
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


class LocalSecurity(_Room):
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
