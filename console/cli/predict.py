"""The command predict: rows of a data file through a model, to the screen, as JSON or into a file."""

from __future__ import annotations

import argparse
import csv
import json
import os
from collections.abc import Iterable
from pathlib import Path

from console.cli import shapes
from console.cli.data_files import absolute, narrate, read_as, target_of
from console.cli.opening import opened
from console.cli.output import Output, columns
from console.durable import put_output
from console.errors import BadInput
from console.os_errors import hint, why
from console.records import Json, Memory, WorkerView

_BATCH = 256
"""Rows in one request, so that an answer stays far below the cap of a frame."""


async def predict(arguments: argparse.Namespace, output: Output) -> int:
    """Predict every row of a data file."""
    async with opened(arguments.artifact, records=arguments.accept is not None) as store:
        engine, path = store.engine, store.artifact
        await store.load(arguments)
        data = absolute(arguments.data)
        read_as(store, arguments)
        target = target_of(arguments)
        table = await engine.questions.open_data(path, data, target)
        narrate(table, output)
        outputs: dict[str, list[Json]] = {}
        times: list[float] = []
        stop = table.rows if arguments.rows is None else min(table.rows, arguments.rows)
        for start in range(0, stop, _BATCH):
            outcome = await engine.questions.predict(
                path,
                data=data,
                target=target,
                start=start,
                stop=min(stop, start + _BATCH),
                methods=tuple(arguments.method or ()),
            )
            times.append(outcome.worker_ms)
            for name, values in outcome.outputs.items():
                outputs.setdefault(name, []).extend(values if isinstance(values, list) else [values])
        view, memory = engine.models.view(path), await engine.live.memory(path)
    if arguments.out:
        _write(Path(arguments.out), outputs)
        output.say(f"{stop} rows written to {arguments.out}")
    value: dict[str, Json] = {
        "rows": stop,
        "data": shapes.data(table),
        "outputs": dict(outputs),
        "latency_ms": shapes.quantiles(times),
        **_worker(view, memory),
    }
    output.data(value, lambda: [] if arguments.out else _lines(outputs))
    return 0


def _worker(view: WorkerView | None, memory: Memory | None) -> dict[str, Json]:
    return {
        "load_ms": dict(view.phases) if view else {},
        "memory": shapes.memory(memory),
        "worker": {"pid": view.pid if view else None, "sandbox": shapes.layers(view.layers if view else {})},
    }


def _flat(outputs: dict[str, list[Json]]) -> tuple[list[str], list[list[Json]]]:
    """Outputs as a table: one column a name, several (`name_0`, `name_1`, …) where a row's answer is a list."""
    headers: list[str] = []
    parts: list[list[list[Json]]] = []
    for name, values in outputs.items():
        cells: list[list[Json]] = [value if isinstance(value, list) else [value] for value in values]
        width = max(map(len, cells), default=0)
        headers += [name] if width == 1 else [f"{name}_{index}" for index in range(width)]
        parts.append(cells)
    return headers, [[cell for cells in row for cell in cells] for row in zip(*parts, strict=True)]


def _lines(outputs: dict[str, list[Json]]) -> Iterable[str]:
    headers, rows = _flat(outputs)
    cells = [[f"{cell:.6g}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    return columns(headers, cells, right=headers)


def _write(path: Path, outputs: dict[str, list[Json]]) -> None:
    """As CSV, or as JSON where the name says so. Raises BadInput."""

    def fill(fd: int) -> None:
        with os.fdopen(os.dup(fd), "w", encoding="utf-8", newline="") as file:
            if path.suffix == ".json":
                json.dump(outputs, file)
                return
            headers, rows = _flat(outputs)
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(headers)
            writer.writerows(rows)

    try:
        put_output(path, fill)
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {why(error)}", hint=hint(error)) from None
