"""The command predict: rows of a data file through a model, to the screen, as JSON or into a file.

The answers come in pieces, of which none is kept: what is to stand in front of them waits for the last one on disk.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack

from console.cli import json_shapes
from console.cli.answers_out import JsonAnswers, OutFile, form_of, keep_apart, table_lines, write_json
from console.cli.data_files import data_named, read_as, read_data, refuse_terminal, target_of, why_alone
from console.cli.output import Output
from console.cli.progress import Progress
from console.cli.session import Opened, at_another_place, opened
from console.records import Answers, DataFile, Json, Memory, WorkerView


async def predict(arguments: argparse.Namespace, output: Output) -> int:
    """Predict every row of a data file."""
    form = form_of(arguments.out, len(arguments.method or ()))
    refuse_terminal(arguments)
    keep_apart(arguments.out, arguments.artifact, arguments.data or "")
    async with opened(
        arguments.door,
        arguments.artifact,
        records=arguments.accept is not None,
        alone=why_alone(arguments),
        files=[arguments.data],
        unless=lambda engine, path: at_another_place(engine, path, arguments.at),
    ) as store:
        await store.load(arguments, output)
        await read_as(store, arguments)
        async with data_named(store, arguments) as data:
            table = await read_data(store, data, target_of(arguments), output, arguments.rows)
            keep_apart(arguments.out, arguments.artifact, table.path)
            with _Answers(arguments, output, form) as answers:
                async for piece in _pieces(store, arguments, data, answers.forms):
                    await answers.add(piece, table)
                await answers.finish()
                engine, path = store.engine, store.artifact
                view, memory = await engine.models.worker(path), await engine.monitor.memory(path)
                value: dict[str, Json] = {
                    "rows": answers.rows,
                    "data": json_shapes.data(table),
                    "outputs": {},
                    "latency_ms": json_shapes.quantiles(answers.times),
                    **_worker(view, memory),
                    "warnings": output.warned,
                }
                answers.show(value)
    return 0


def _pieces(
    store: Opened, arguments: argparse.Namespace, data: str | None, forms: tuple[str, ...]
) -> AsyncIterator[Answers]:
    return store.engine.inference.answers(
        store.artifact,
        data,
        target_of(arguments),
        forms=forms,
        methods=tuple(arguments.method or ()),
        limit=arguments.rows,
    )


class _Answers:
    """The answers of one run on their way to wherever they are wanted. Used by `with`."""

    def __init__(self, arguments: argparse.Namespace, output: Output, form: str | None) -> None:
        self.rows = 0
        self.times: list[float] = []
        self._output = output
        self._out: str | None = arguments.out
        self._progress = Progress(output, "predicting")
        self._stack, self._place = ExitStack(), ExitStack()
        self._file = OutFile(self._out, form) if self._out is not None and form is not None else None
        self._json = JsonAnswers(indent=2, level=4) if output.as_json else None
        plain = form == "json" or self._json is not None or self._file is None
        self.forms = tuple(one for one in (form, "json" if plain else None) if one is not None)
        if form == "json":
            self.forms = ("json",)

    def __enter__(self) -> _Answers:
        if self._json is not None:
            self._stack.enter_context(self._json)
        self._stack.enter_context(self._place)
        if self._file is not None:
            self._place.enter_context(self._file)
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.done()
        self._stack.__exit__(*error)  # type: ignore[arg-type]

    async def add(self, piece: Answers, table: DataFile) -> None:
        """The answers for the next rows."""
        outcome, files = piece.outcome, piece.files
        self.times.append(outcome.worker_ms)
        self._output.warn(outcome.warnings)
        if self._file is not None:
            await asyncio.to_thread(self._file.add, outcome.outputs, files)
        if self._json is not None:
            self._json.add(outcome.outputs)
        elif self._file is None:
            self._output.lines(table_lines(outcome.outputs, header=not self.rows))
        self.rows += outcome.rows
        self._progress(self.rows, self.rows / max(1, table.rows))

    async def finish(self) -> None:
        """Bring a file to the disk, which can take a while."""
        if self._file is not None:
            await asyncio.to_thread(self._file.finish)
            self._place.close()
            self._progress.done()
            self._output.say(f"{self.rows} rows written to {self._out}")

    def show(self, value: dict[str, Json]) -> None:
        """The whole as JSON, where that was asked for."""
        if self._json is not None:
            write_json(self._json, value)


def _worker(view: WorkerView | None, memory: Memory | None) -> dict[str, Json]:
    return {
        "load_ms": dict(view.phases) if view else {},
        "memory": json_shapes.memory(memory),
        "worker": {"pid": view.pid if view else None, "sandbox": json_shapes.layers(view.layers if view else {})},
    }
