"""The rooms of the API that are about what is loaded: models, their data, inference, measurements."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from console.records import (
    Answers,
    DataColumns,
    DataReading,
    Draft,
    Evaluated,
    Expected,
    FoundDataFiles,
    Json,
    LogPart,
    Memory,
    ModelData,
    Prediction,
    ProbePlan,
    ProbeState,
    ReadOptions,
    RecipeFacts,
    SeriesChunk,
    SeriesPosition,
    Target,
    TypedPath,
    WorkerView,
)

__all__ = ["DataApi", "InferenceApi", "ModelsApi", "MonitorApi"]


class ModelsApi(Protocol):
    """Models that are loaded."""

    async def worker(self, path: str) -> WorkerView | None:
        """The worker of an artifact that is loaded, loading or dead; None where none is."""
        ...

    async def settled(self, path: str) -> WorkerView | None:
        """Wait while it is being loaded and nothing answers for it; then the same."""
        ...

    async def load(self, path: str, *, at: str = "", accept: str | None = None, anyway: bool = False) -> WorkerView:
        """Load an artifact; `accept` is why the operator says yes to one under review, `anyway` the yes to one that
        will not fit into memory.

        Raises NeedsReviewError, NeedsMemoryError, AccessDeniedError, InputError, OperationError.
        """
        ...

    def hold(
        self, path: str, *, at: str = "", accept: str | None = None, anyway: bool = False
    ) -> AsyncIterator[WorkerView]:
        """The worker of an artifact, loaded where nobody has; one loaded so stays for as long as somebody iterates,
        unless somebody asks for it to be loaded.

        Raises ConflictError where another model of the file is loaded, and what `load` raises.
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
        """Lines that its processes wrote after a line number, a part at a time; None where nothing was ever loaded."""
        ...


class DataApi(Protocol):
    """The data that models are driven with: recipes, choices, and files of the engine's machine."""

    async def of(self, path: str) -> ModelData:
        """The data of a model, with why where it must be asked for. Raises InputError for a recipe that is
        malformed."""
        ...

    async def chosen(self, path: str) -> ModelData:
        """The data that an operator chose, as they were read last and without a look at the disk."""
        ...

    async def recipe(self, path: str) -> RecipeFacts:
        """The recipe of an artifact, with what was chosen where it names no data. Raises InputError."""
        ...

    async def expected(self, path: str) -> Expected:
        """The inputs that a model expects, as far as they are known."""
        ...

    async def columns(self, path: str, data: str) -> DataColumns:
        """The columns of a data file, read in a sandboxed child. Raises InputError, OperationError."""
        ...

    async def choose(self, path: str, data: str, target: Target | None) -> None:
        """Use this data for a model from now on. Raises AccessDeniedError; OperationError where it cannot be
        remembered."""
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

    async def typed(self, typed: str) -> TypedPath:
        """The file meant by a path that is being typed, relative to the store, absolute or from a home (`~`)."""
        ...

    def nearest(self, path: str) -> AsyncIterator[FoundDataFiles]:
        """Data files of the store by their names, those nearest to an artifact first."""
        ...


class InferenceApi(Protocol):
    """Inference with a loaded model. Without `data` that of its recipe is meant, or what was chosen."""

    def open_data(
        self, path: str, data: str | None = None, target: Target | None = None, *, limit: int | None = None
    ) -> AsyncIterator[DataReading]:
        """Open a data file in the worker, where it is not yet; with `limit` its first rows only.

        Raises InputError with the differences of the columns, UsageError, OperationError.
        """
        ...

    async def alias(self, name: str, file: str) -> None:
        """Have this name stand for a data file, whose own name tells nobody anything."""
        ...

    async def sample(self, path: str, data: str | None, start: int, count: int) -> list[dict[str, Json]]:
        """Rows of a data file as they go into the model, by column; the target, if there is one, under its name.

        Raises InputError, UsageError, OperationError.
        """
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
        """The measurements after these positions; None where nothing was ever loaded. Raises UsageError for a width
        that is not kept."""
        ...

    async def exposition(self, openmetrics: bool = False) -> str:
        """Everything that is measured and counted, in Prometheus' text format 0.0.4, or as OpenMetrics 1.0 with traces
        as exemplars."""
        ...
