"""The command evaluate: a model's answers held against the truth in a data file."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from console.cli import shapes
from console.cli.data_files import absolute, narrate, read_as, target_of
from console.cli.opening import opened
from console.cli.output import Output
from console.records import Json


async def evaluate(arguments: argparse.Namespace, output: Output) -> int:
    """Measure the answers against the truth in a data file."""
    async with opened(arguments.artifact, records=True if arguments.accept is not None else None) as store:
        await store.load(arguments)
        read_as(store, arguments)
        data, target = absolute(arguments.data), target_of(arguments)
        table = await store.engine.questions.open_data(store.artifact, data, target)
        narrate(table, output)
        task, rows, metrics = await store.engine.questions.evaluate(store.artifact, data=data, target=target)
    value: dict[str, Json] = {"task": task, "rows": rows, "metrics": dict(metrics), "data": shapes.data(table)}
    output.data(value, lambda: [f"{task} on {rows} rows", *_numbers(metrics)])
    return 0


def _numbers(metrics: dict[str, float]) -> Iterable[str]:
    width = max(map(len, metrics), default=0)
    return (f"  {name:<{width}}  {number:.6g}" for name, number in metrics.items())
