"""The rooms of the API that are about artifacts: what there is, what changes it, who vouches for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from console.records import (
    Artifact,
    AuditCheck,
    AuditEntry,
    Comparison,
    Differences,
    EncryptedFile,
    Explanation,
    ExportProgress,
    FormatsProgress,
    Json,
    KnownFacts,
    Layer,
    MemoryForecast,
    Report,
    SignatureStatus,
    SignedContents,
    SweepPart,
    Target,
    UpdatePlan,
    UpdateStatus,
    Version,
)

__all__ = ["AccelerationApi", "ArtifactsApi", "DoctorApi", "SecurityApi", "UpdatesApi"]


class ArtifactsApi(Protocol):
    """Artifacts of the store, and what is found out about them."""

    async def scan(self, path: str = "") -> tuple[Artifact, ...]:
        """One look at the store, or at one file or directory of it, with every artifact inspected. Raises
        InputError."""
        ...

    def sweep(self, path: str = "", *, digest: bool = False) -> AsyncIterator[SweepPart]:
        """Everything in a directory and those beneath it as it lies there, in order, then the totals. Raises
        InputError."""
        ...

    async def forecast(self, path: str) -> MemoryForecast | None:
        """The memory that an artifact will take once it is loaded; None where that is not known. Raises InputError."""
        ...

    async def known(self, path: str) -> KnownFacts:
        """The known facts of one artifact, which is not looked at for it; all None for one that is not known."""
        ...

    async def report(self, path: str, *, digest: bool = False) -> Report:
        """The report of one artifact, inspected where nothing is known. Raises InputError."""
        ...

    async def inspect(self, path: str) -> Report:
        """The report of one artifact, read from the disk and judged anew whatever is known of it. Raises InputError."""
        ...

    async def explain(self, path: str) -> Explanation:
        """A verdict in plain words, and how the content differs from the one before it. Raises InputError."""
        ...

    async def differ(self, first: str, second: str) -> Differences:
        """How two artifacts differ: what they are and declare, what they take and give, and their arrays, by the norms
        of their numbers where the formats tell them. Raises InputError."""
        ...

    async def prioritize(self, paths: tuple[str, ...]) -> None:
        """Inspect these before the others: somebody looks at their rows."""
        ...

    async def prefetch(self, path: str) -> None:
        """Find out beforehand what it takes to load this one: somebody's cursor is on it."""
        ...


class UpdatesApi(Protocol):
    """Updates of an artifact, its versions, conversion."""

    async def plan(
        self, path: str, *, data: str | None = None, target: Target | None = None, at: str = ""
    ) -> UpdatePlan:
        """The plan of an update, from the recipe and what was named. Raises InputError, UsageError."""
        ...

    async def run(self, plan: UpdatePlan) -> Comparison:
        """Retrain, judge and measure a candidate; it waits for `promote` or `discard`.

        Raises NeedsReviewError, AccessDeniedError, InputError, UsageError, ConflictError, OperationError.
        """
        ...

    async def status(self, path: str) -> UpdateStatus:
        """How the update of an artifact stands."""
        ...

    async def cancel(self, path: str) -> None:
        """End an update that runs; nothing is changed by it. Raises AccessDeniedError."""
        ...

    async def promote(self, path: str, why: str) -> Version:
        """Put the waiting candidate in place, atomically. Raises AccessDeniedError, ConflictError, OperationError."""
        ...

    async def discard(self, path: str) -> None:
        """Let go of the waiting candidate. Raises AccessDeniedError, and OperationError when there is none."""
        ...

    async def history(self, path: str) -> tuple[Version, ...]:
        """The versions of an artifact, newest first. Raises InputError, OperationError."""
        ...

    async def rollback(self, path: str, version: int | None = None) -> Version:
        """Promote an old version (None: the one before). Raises AccessDeniedError, InputError, ConflictError,
        OperationError."""
        ...

    async def convert(
        self, path: str, to: str, out: str, *, at: str = "", accept: str | None = None
    ) -> dict[str, Json]:
        """Write the model to the new file `out` in another format, and check that it answers alike.

        Raises NeedsReviewError, AccessDeniedError, InputError, OperationError.
        """
        ...

    def compare_formats(
        self, path: str, *, data: str | None = None, at: str = "", accept: str | None = None
    ) -> AsyncIterator[FormatsProgress]:
        """The formats that the model could be in, measured one after another; the last progress has the figures.

        Raises UsageError without rows, NeedsReviewError, AccessDeniedError, InputError, OperationError.
        """
        ...


class AccelerationApi(Protocol):
    """The export of models to ONNX."""

    def compare(
        self, path: str, *, data: str | None = None, at: str = "", accept: str | None = None
    ) -> AsyncIterator[ExportProgress]:
        """Export the artifact to ONNX and compare; the export waits for `write` or `discard`.

        Raises UsageError without rows, NeedsReviewError, AccessDeniedError, InputError, OperationError (no export
        answers alike).
        """
        ...

    async def write(self, path: str) -> Version:
        """Put the export that waits beside its model. Raises ConflictError, AccessDeniedError, OperationError."""
        ...

    async def discard(self, path: str) -> None:
        """Let go of the export that waits, if one does."""
        ...


class SecurityApi(Protocol):
    """Signatures, encryption, and the record of who did what."""

    async def sign(self, beneath: str, key: str) -> SignedContents:
        """Sign what an artifact holds now, or all of a directory, with the private key in a file.

        Raises InputError, AccessDeniedError, ConflictError, OperationError.
        """
        ...

    async def verify(self, beneath: str, keys: tuple[str, ...] = ()) -> tuple[SignatureStatus, ...]:
        """How each artifact there stands with its signatures by these keys (none: the policy's). Raises UsageError."""
        ...

    async def check_encryption(self) -> None:
        """Make sure that something can be encrypted for the recipients in the settings. Raises AccessDeniedError,
        OperationError."""
        ...

    async def encrypt(
        self, path: str, recipients: tuple[str, ...], out: str | None = None, *, replace: bool = False
    ) -> EncryptedFile:
        """Write the artifact encrypted: to `out`, or beside it; with `replace` in its stead.

        Raises AccessDeniedError, InputError, ConflictError, OperationError.
        """
        ...

    async def decrypt(self, path: str, identity: str | None, out: str) -> int:
        """Write what an encrypted artifact holds to a new file, which its owner alone may read; its size.

        `identity` is a file to use in place of that in the settings. Raises InputError, AccessDeniedError,
        OperationError.
        """
        ...

    async def history_directory(self, path: str) -> str:
        """The directory that holds what an artifact was before."""
        ...

    async def audit(self) -> tuple[AuditEntry, ...]:
        """The audit log, oldest first; behind it what the user's own log has of this store. Raises InputError."""
        ...

    async def verify_audit(self) -> AuditCheck:
        """Check the chain of the audit log, and that of the user's own."""
        ...


class DoctorApi(Protocol):
    """The examination of the machine and the store."""

    async def examine(self) -> dict[str, Json]:
        """Versions, sandbox layers with their evidence, limits, paths, and the policy, by topic."""
        ...

    async def remedies(self, layers: dict[str, Layer]) -> dict[str, str]:
        """Remedies for the layers of the sandbox that are missing, by name."""
        ...
