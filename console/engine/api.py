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

from console.records import (
    Answers,
    Artifact,
    AuditCheck,
    AuditEntry,
    Changes,
    Comparison,
    DataColumns,
    DataReading,
    Draft,
    EncryptedFile,
    Evaluated,
    Event,
    Expected,
    Explanation,
    ExportProgress,
    Failure,
    FoundDataFiles,
    Json,
    KnownFacts,
    Layer,
    LogPart,
    Memory,
    MissedEvents,
    ModelData,
    Prediction,
    ProbePlan,
    ProbeState,
    PublicKey,
    ReadOptions,
    RecipeFacts,
    Report,
    SeriesChunk,
    SeriesPosition,
    SignatureStatus,
    SignedContents,
    StoreStatus,
    SweepPart,
    Target,
    TypedPath,
    UpdatePlan,
    UpdateStatus,
    Version,
    WorkerView,
)

R = TypeVar("R")


class ArtifactsApi(Protocol):
    """What lies in the store, and what is found out about it."""

    async def rows(self) -> tuple[Artifact, ...]:
        """All rows, in order of path."""
        ...

    async def row(self, path: str) -> Artifact | None:
        """One row."""
        ...

    async def scan(self, path: str = "") -> tuple[Artifact, ...]:
        """One look at the store, or at one file or directory of it, with every artifact inspected. Raises
        InputError."""
        ...

    def sweep(self, path: str = "", *, digest: bool = False) -> AsyncIterator[SweepPart]:
        """Everything in a directory and those beneath it as it lies there, in order, then the totals."""
        ...

    async def known(self, path: str) -> KnownFacts:
        """What is known of one artifact without looking at the disk."""
        ...

    async def report(self, path: str, *, digest: bool = False) -> Report:
        """What is known of one artifact, inspected when it is not. Raises InputError."""
        ...

    async def inspect(self, path: str) -> Report:
        """The report of one artifact, read from the disk and judged anew whatever is known of it. Raises InputError."""
        ...

    async def explain(self, path: str) -> Explanation:
        """A verdict in plain words, and how the content differs from the one before it. Raises InputError."""
        ...

    async def prioritize(self, paths: tuple[str, ...]) -> None:
        """Inspect these before the others: somebody looks at their rows."""
        ...

    async def prefetch(self, path: str) -> None:
        """Find out beforehand what it takes to load this one: somebody's cursor is on it."""
        ...


class ModelsApi(Protocol):
    """What is loaded."""

    async def workers(self) -> tuple[WorkerView, ...]:
        """What is loaded, loading or dead."""
        ...

    async def worker(self, path: str) -> WorkerView | None:
        """The same of one artifact."""
        ...

    async def settled(self, path: str) -> WorkerView | None:
        """Wait while it is being loaded and nothing answers for it; then the same."""
        ...

    async def load(self, path: str, *, at: str = "", accept: str | None = None) -> WorkerView:
        """Load an artifact; `accept` is why the operator says yes to one under review.

        Raises NeedsReviewError, AccessDeniedError, InputError, OperationError.
        """
        ...

    async def reload(self, path: str, *, accept: str | None = None) -> WorkerView:
        """Load what the file holds now in place of what is loaded, or of a worker that died. Raises like `load`."""
        ...

    async def unload(self, path: str) -> None:
        """End the workers of an artifact at once, and what drives them. Raises AccessDeniedError."""
        ...

    async def set_copies(self, path: str, count: int) -> WorkerView:
        """Have this many workers answer for a loaded artifact. Raises UsageError, OperationError, and what `load`
        raises."""
        ...

    async def log(self, path: str, after: int = 0) -> LogPart | None:
        """What its processes wrote after a line number, a part at a time; None where nothing was ever loaded."""
        ...


class DataApi(Protocol):
    """The data that models are driven with: recipes, choices, and files of the engine's machine."""

    async def of(self, path: str) -> ModelData:
        """The data of a model, with why where it must be asked for. Raises InputError for a recipe that is
        malformed."""
        ...

    async def chosen(self, path: str) -> ModelData:
        """What an operator chose, as it was read last and without a look at the disk."""
        ...

    async def recipe(self, path: str) -> RecipeFacts:
        """The recipe of an artifact, with what was chosen where it names no data. Raises InputError."""
        ...

    async def expected(self, path: str) -> Expected:
        """What is known of a model's inputs."""
        ...

    async def columns(self, path: str, data: str) -> DataColumns:
        """The columns of a data file, read in a sandboxed child. Raises InputError, OperationError."""
        ...

    async def choose(self, path: str, data: str, target: Target | None) -> None:
        """Use this data for a model from now on. Raises AccessDeniedError; Failed where it cannot be remembered."""
        ...

    async def draft(self, path: str, data: str, target: Target | None) -> Draft:
        """The lines that would name this data in the recipe, or why none can be written."""
        ...

    async def write_recipe(self, path: str, draft: Draft) -> None:
        """Write a draft beside the model, on record. Raises AccessDeniedError, InputError, ConflictError,
        OperationError."""
        ...

    async def read_as(self, path: str, options: ReadOptions) -> None:
        """From here on the data files of this artifact are read so, whatever its recipe says of it."""
        ...

    async def call(self, name: str, file: str) -> None:
        """Have this name stand for a file, whose own name tells nobody anything."""
        ...

    async def typed(self, typed: str) -> TypedPath:
        """What is meant by a path that is being typed, relative to the store, absolute or from a home (`~`)."""
        ...

    def nearest(self, path: str) -> AsyncIterator[FoundDataFiles]:
        """Data files of the store by their names, those nearest to an artifact first."""
        ...


class InferenceApi(Protocol):
    """What a loaded model is asked. Without `data` that of its recipe is meant, or what was chosen."""

    def open_data(
        self, path: str, data: str | None = None, target: Target | None = None, *, limit: int | None = None
    ) -> AsyncIterator[DataReading]:
        """Open a data file in the worker, where it is not yet; with `limit` its first rows only.

        Raises InputError with the differences of the columns, UsageError, OperationError.
        """
        ...

    async def sample(self, path: str, data: str | None, start: int, count: int) -> list[dict[str, Json]]:
        """Rows of a data file as they go into the model, by column; the target, if there is one, under its name."""
        ...

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
        """Answers for rows `start` to `stop` of a data file, or for typed `rows`.

        Raises AccessDeniedError, InputError, UsageError, OperationError.
        """
        ...

    def answers(
        self,
        path: str,
        data: str | None = None,
        target: Target | None = None,
        *,
        forms: tuple[str, ...] = (),
        methods: tuple[str, ...] = (),
        limit: int | None = None,
    ) -> AsyncIterator[Answers]:
        """Answers for all rows of a data file, or its first, in as few calls as may be, in the forms of files.

        Raises AccessDeniedError, InputError, UsageError, OperationError.
        """
        ...

    async def evaluate(self, path: str, *, data: str | None = None, target: Target | None = None) -> Evaluated:
        """How a model does on a data file with a target. Raises AccessDeniedError, UsageError, InputError,
        OperationError."""
        ...


class MonitorApi(Protocol):
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
        """How a model would be driven, with what nobody named from its recipe and the settings. Raises UsageError."""
        ...

    async def start(self, path: str, plan: ProbePlan | None = None, *, seconds: float | None = None) -> ProbeState:
        """Begin to drive a loaded model, in place of a probe that runs. Raises AccessDeniedError, OperationError,
        InputError, UsageError."""
        ...

    async def set(self, path: str, *, rate: float | None = None, batch: int | None = None) -> None:
        """Change a probe while it runs. Raises OperationError when there is none."""
        ...

    async def stop(self, path: str) -> ProbeState | None:
        """End the probe of one artifact, if there is one that runs; its last state."""
        ...

    async def finished(self, path: str) -> ProbeState:
        """Wait for the probe of one artifact to end by itself. Raises OperationError when there is none."""
        ...

    async def probe(self, path: str) -> ProbeState | None:
        """The probe of one artifact that runs, or ran last."""
        ...

    async def memory(self, path: str) -> Memory | None:
        """The memory of what is loaded, read now; None where nothing is."""
        ...

    async def series(self, path: str, wanted: tuple[SeriesPosition, ...] = ()) -> SeriesChunk | None:
        """What is measured after these positions; None where nothing was ever loaded. Raises UsageError for a width
        that is not kept."""
        ...

    async def failures(self) -> tuple[Failure, ...]:
        """What went wrong last, newest last."""
        ...


class UpdatesApi(Protocol):
    """What changes an artifact: updates, versions, conversion."""

    async def plan(
        self, path: str, *, data: str | None = None, target: Target | None = None, at: str = ""
    ) -> UpdatePlan:
        """What an update would do, from the recipe and what was named. Raises InputError, UsageError."""
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


class AccelerationApi(Protocol):
    """What has a model answer faster."""

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
    """What to look at when something is odd."""

    async def examine(self) -> dict[str, Json]:
        """Versions, sandbox layers with their evidence, limits, paths, and the policy, by topic."""
        ...

    async def remedies(self, layers: dict[str, Layer]) -> dict[str, str]:
        """What would give each layer that is missing, by its name."""
        ...


class EngineApi(Protocol):
    """One store, opened."""

    @property
    def artifacts(self) -> ArtifactsApi:
        """What lies in the store."""
        ...

    @property
    def models(self) -> ModelsApi:
        """What is loaded."""
        ...

    @property
    def data(self) -> DataApi:
        """What models are driven with."""
        ...

    @property
    def inference(self) -> InferenceApi:
        """What loaded models are asked."""
        ...

    @property
    def monitor(self) -> MonitorApi:
        """Probes, measurements and failures."""
        ...

    @property
    def updates(self) -> UpdatesApi:
        """What changes an artifact."""
        ...

    @property
    def acceleration(self) -> AccelerationApi:
        """What has a model answer faster."""
        ...

    @property
    def security(self) -> SecurityApi:
        """Signatures, encryption and audit."""
        ...

    @property
    def doctor(self) -> DoctorApi:
        """What to look at when something is odd."""
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
        """What has changed since the event with this number (-1: everything there is).

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
        on_failure: Callable[[Exception], None] = lambda _: None,
    ) -> tuple[EngineApi, str]:
        """The engine of the store that a path belongs to, and the place in it ("" = the store itself).

        `records` tells whether what is done goes to the store's own files: always, never, or (None) where the store
        has some already. `on_failure` hears of what nobody expected in the background. Raises InputError, UsageError.
        """
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
