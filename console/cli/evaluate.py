"""The command evaluate: a model's answers held against the truth in a data file."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from console.cli import json_shapes
from console.cli.data_files import data_named, read_as, read_data, refuse_terminal, target_of, why_alone
from console.cli.output import Output, error_json
from console.cli.session import at_another_place, opened
from console.errors import OperationError
from console.records import Evaluated, Json, why_nothing


async def evaluate(arguments: argparse.Namespace, output: Output) -> int:
    """Measure the answers against the truth in a data file; 1 where nothing could be measured."""
    refuse_terminal(arguments)
    records = True if arguments.accept is not None else None
    async with opened(
        arguments.door,
        arguments.artifact,
        records=records,
        alone=why_alone(arguments),
        files=[arguments.data],
        unless=lambda engine, path: at_another_place(engine, path, arguments.at),
    ) as store:
        await store.load(arguments, output)
        await read_as(store, arguments)
        target = target_of(arguments)
        async with data_named(store, arguments) as data:
            table = await read_data(store, data, target, output)
            found = await store.engine.inference.evaluate(store.artifact, data=data, target=target)
    output.warn(found.warnings)
    value: dict[str, Json] = {
        "task": found.task,
        "rows": found.rows,
        "rows_without_truth": found.missing,
        "metrics": dict(found.metrics),
        "left_out": dict(found.causes),
        "notes": [*found.notes, *found.meanings],
        "data": json_shapes.data(table),
        "warnings": output.warned,
    }
    if not found.metrics:
        value["error"] = error_json(_nothing(found))
    output.data(value, lambda: _lines(found))
    if not found.metrics:
        output.say(_nothing(found).message)
    return 0 if found.metrics else OperationError.exit_code


def _nothing(found: Evaluated) -> OperationError:
    """Why there is no figure at all."""
    error = OperationError(f"nothing was measured: {why_nothing(found.task, found.rows, found.notes, found.causes)}")
    error.code = "not-measured"
    return error


def _lines(found: Evaluated) -> Iterable[str]:
    yield f"{found.task} on {found.rows:,} row{'s' * (found.rows != 1)}"
    left_out = {name: cause for name, cause in found.causes.items() if name not in found.metrics}
    width = max(map(len, (*found.metrics, *left_out)), default=0)
    for name, number in found.metrics.items():
        yield f"  {name:<{width}}  {number:.6g}"
    for name, cause in left_out.items():
        yield f"  {name:<{width}}  left out: {cause}"
    yield from (*found.notes, *found.meanings)
