"""Inference with loaded models: data files opened in a worker, rows run through the model, answers measured."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

from console.access.control import AccessControl
from console.closing import closing_fd
from console.errors import InputError, UsageError
from console.os_errors import hint, why
from console.recipes.recipe import Recipe
from console.records import AnswerFile, Answers, DataFile, DataReading, Evaluated, Json, Prediction, ReadOptions, Target
from console.reporting import reported
from console.serving.replicas import Table
from console.serving.supervisor import Supervisor
from console.worker.failures import ChildRefused
from console.worker.model import Progress, Worker
from console.worker.shared import Buffer

_SLOWEST = 4 << 20
"""Bytes of a data file that are gone through in a second, at the least."""
_ROWS_A_DEADLINE = 100_000
"""Rows that every model answers within the deadline of one call."""


class Inference:
    """Asks the workers of a supervisor; `recipe` tells which data a path is probed with when nobody names any."""

    def __init__(
        self, supervisor: Supervisor, access: AccessControl, recipe: Callable[[str], Recipe], deadline_s: float
    ) -> None:
        self._supervisor = supervisor
        self._access = access
        self._recipe = recipe
        self.deadline_s = deadline_s
        self._called: dict[str, str] = {}

    def data_of(self, path: str, data: str | None, target: Target | None) -> tuple[str, Target | None]:
        """The data file and target to use: those named, else the recipe's hold-out or training rows. Raises
        UsageError."""
        recipe = self._recipe(path)
        named = data or recipe.data.holdout or recipe.data.train
        if named is None:
            raise UsageError(
                f"{path} has no recipe that names data", hint="name a data file with --data, or in its recipe"
            )
        return named, target or recipe.data.target

    async def open_data(
        self, path: str, data: str | None = None, target: Target | None = None, *, limit: int | None = None
    ) -> AsyncIterator[DataReading]:
        """Open a data file as `data_file` does, telling of the progress; the last reading has the file."""

        async def opened(tell: Callable[[DataReading], None]) -> DataReading:
            def hear(rows: int, share: float) -> None:
                tell(DataReading(rows, share))

            file = await self.data_file(path, data, target, limit=limit, on_progress=hear)
            return DataReading(file.rows, 1.0, file)

        async for reading in reported(opened):
            yield reading

    async def data_file(
        self,
        path: str,
        data: str | None,
        target: Target | None = None,
        *,
        limit: int | None = None,
        on_progress: Progress | None = None,
    ) -> DataFile:
        """Open a data file (None: the recipe's) in the worker, where it is not yet; with `limit` its first rows only.

        `on_progress` hears of rows and share of the file while it is read. Raises InputError with the differences of
        the columns, UsageError, OperationError.
        """
        named, column = self.data_of(path, data, target)

        async def opened(worker: Worker) -> Table:
            return await self._opened(path, worker, named, column, limit, on_progress)

        return (await self._supervisor.ask(path, opened)).file

    async def _opened(
        self,
        path: str,
        worker: Worker,
        named: str,
        column: Target | None,
        limit: int | None = None,
        on_progress: Progress | None = None,
        *,
        measured: bool = False,
    ) -> Table:
        """The data file open in this worker, read as the recipe says.

        Other files than the recipe's own may lack its target, unless answers are to be `measured`.
        """
        tables, said = self._supervisor.slot(path).tables_of(worker), self._recipe(path).data
        needs = measured or column != said.target or named in (said.holdout, said.train)
        key = (named, column, said.options, limit)
        known = tables.get(key)
        if known is not None and (known.file.target is not None or column is None or not needs):
            return known
        with closing_fd(await asyncio.to_thread(open_data_file, self._called.get(named, named))) as fd:
            handle, file = await worker.open_data(
                fd,
                os.path.basename(named),
                target=column,
                needs_target=needs,
                options=said.options,
                limit=limit,
                deadline=max(self.deadline_s, os.fstat(fd).st_size / _SLOWEST),
                on_progress=on_progress,
            )
        table = tables[key] = Table(handle, replace(file, path=named))
        return table

    async def alias(self, name: str, file: str) -> None:
        """Have this name stand for the file at this path, whose own name tells nobody anything. Raises
        AccessDeniedError."""
        await self._access.authorize("predict")
        self._called[name] = file

    async def answers(
        self,
        path: str,
        data: str | None = None,
        target: Target | None = None,
        *,
        forms: Sequence[str] = (),
        methods: Sequence[str] = (),
        limit: int | None = None,
    ) -> AsyncIterator[Answers]:
        """Answers for all rows of a data file, or its first, in as few calls as may be: see `Worker.write_outputs`.

        A model that may be asked row by row gets them in pieces, any other at once. Raises AccessDeniedError,
        InputError, UsageError, OperationError.
        """
        await self._access.authorize("predict", path)
        named, column = self.data_of(path, data, target)
        file = (await self._supervisor.ask(path, lambda worker: self._opened(path, worker, named, column, limit))).file
        total = file.rows if limit is None else min(file.rows, limit)
        for start in range(0, total, file.piece or max(1, total)):
            stop = min(total, start + (file.piece or total))

            async def called(
                worker: Worker, start: int = start, stop: int = stop
            ) -> tuple[Prediction, dict[str, tuple[str, Buffer]]]:
                table = await self._opened(path, worker, named, column, limit)
                return await worker.write_outputs(
                    table.handle, start, stop, forms, total=total, methods=methods, deadline=self._whole_deadline(file)
                )

            outcome, files = await self._supervisor.ask(path, called)
            yield Answers(outcome, {form: AnswerFile(kind, memoryview(text)) for form, (kind, text) in files.items()})

    def _whole_deadline(self, file: DataFile) -> float:
        """Seconds for one call: as long as is asked for where all rows go into one."""
        return self.deadline_s if file.piece else self.deadline_s * max(1.0, file.rows / _ROWS_A_DEADLINE)

    async def predict(
        self,
        path: str,
        *,
        data: str | None = None,
        rows: Sequence[Json] | None = None,
        start: int = 0,
        stop: int | None = None,
        methods: Sequence[str] = (),
        target: Target | None = None,
        outputs: bool = True,
        score: bool = False,
    ) -> Prediction:
        """Answers for rows `start` to `stop` of a data file, or for typed `rows`.

        Raises AccessDeniedError, InputError, UsageError, OperationError.
        """
        await self._access.authorize("predict", path)
        if rows is not None:
            typed = rows
            return await self._supervisor.ask(
                path, lambda worker: worker.call_rows(typed, methods=methods, deadline=self.deadline_s)
            )
        named, column = self.data_of(path, data, target)
        return await self.rows(path, named, column, start, stop, methods=methods, outputs=outputs, score=score)

    async def rows(
        self,
        path: str,
        named: str,
        column: Target | None,
        start: int,
        stop: int | None,
        *,
        methods: Sequence[str] = (),
        outputs: bool = True,
        score: bool = False,
    ) -> Prediction:
        """Answers for rows of the data file of this name with this target, as `data_of` gives them."""

        async def called(worker: Worker) -> Prediction:
            table = await self._opened(path, worker, named, column)
            return await worker.call(
                table.handle, start, stop, methods=methods, outputs=outputs, score=score, deadline=self.deadline_s
            )

        return await self._supervisor.ask(path, called)

    async def ensure_method(self, path: str, methods: Sequence[str] = ()) -> None:
        """Raise InputError unless the model has these methods; without any, unless it has one that answers rows."""
        await self._supervisor.ask(path, lambda worker: worker.resolve(methods, deadline=self.deadline_s))

    async def sample(self, path: str, data: str | None, start: int, count: int) -> list[dict[str, Json]]:
        """Rows of a data file as they go into the model, by column; the target, if there is one, under its name."""
        named, column = self.data_of(path, data, None)

        async def sampled(worker: Worker) -> list[dict[str, Json]]:
            table = await self._opened(path, worker, named, column)
            rows, truth = await worker.sample_rows(table.handle, start, count)
            if truth is None or table.file.target is None:
                return rows
            return [{**row, table.file.target: value} for row, value in zip(rows, truth, strict=True)]

        return await self._supervisor.ask(path, sampled)

    async def evaluate(self, path: str, *, data: str | None = None, target: Target | None = None) -> Evaluated:
        """How a model does on a data file with a target; the metric of the recipe's gate is among what is measured.

        Raises AccessDeniedError, UsageError, InputError, OperationError.
        """
        await self._access.authorize("evaluate", path)
        metric = self._recipe(path).gate.metric
        named, column = self.data_of(path, data, target)

        async def evaluated(worker: Worker) -> Evaluated:
            table = await self._opened(path, worker, named, column, measured=True)
            deadline = self.deadline_s * max(1.0, table.file.rows / _ROWS_A_DEADLINE)
            return await worker.evaluate(table.handle, metric=metric, deadline=deadline)

        try:
            return await self._supervisor.ask(path, evaluated)
        except ChildRefused as refused:
            if refused.details.get("needs") != "target":
                raise
            message = f"evaluating {path} needs the column to predict"
            raise UsageError(message, hint="name it with --target or in the recipe") from None


async def open_rows(worker: Worker, path: str, target: Target | None, options: ReadOptions) -> int:
    """The handle of a data file that is opened in a worker. Raises InputError, ChildRefused."""
    with closing_fd(await asyncio.to_thread(open_data_file, path)) as fd:
        handle, _file = await worker.open_data(fd, os.path.basename(path), target=target, options=options)
    return handle


def open_data_file(path: str) -> int:
    """A descriptor of a regular data file. Raises InputError with one sentence."""
    if "\0" in path:
        raise InputError("a data file's name holds a zero byte, which no file has")
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        raise InputError(f"the data file {path} cannot be opened: {why(error)}", hint=hint(error)) from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise InputError(f"the data file {path} is not a regular file")
    os.set_blocking(fd, True)
    return fd
