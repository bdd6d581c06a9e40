"""`convert --compare`: the formats that a model could be in, with the figures that tell which one to choose."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from console.cli.data_files import absolute
from console.cli.json_shapes import picked
from console.cli.output import Output, columns, size_words
from console.cli.session import opened
from console.records import FormatFigures, Json
from console.safe_text import safe

__all__ = ["compare_formats"]

_HEADER = ("FORMAT", "SIZE", "LOAD MS", "FIRST MS", "STEADY MS", "MEMORY", "TRUST", "LOADING", "READ BY")
_FIELDS = (
    *("format", "current", "size", "load_ms", "first_ms", "steady_ms", "memory", "verdict", "runs_code"),
    *("portability", "answers", "problem"),
)


async def compare_formats(arguments: argparse.Namespace, output: Output) -> int:
    """Measure the model in each format that it could be in; nothing is written."""
    async with opened(arguments.door, arguments.artifact, records=True, files=[arguments.data]) as store:
        path, data = store.artifact, absolute(arguments.data)
        figures: tuple[FormatFigures, ...] = ()
        async for now in store.engine.updates.compare_formats(
            path, data=data, at=arguments.at, accept=arguments.accept
        ):
            figures = now.figures
            if not figures:
                output.say(f"{safe(path)}: {safe(now.phase)}")
    found: list[Json] = [picked(one, *_FIELDS) for one in figures]
    output.data({"path": path, "formats": found}, lambda: _table(figures))
    return 0


def _table(figures: tuple[FormatFigures, ...]) -> Iterable[str]:
    yield from columns(_HEADER, [_row(one) for one in figures if not one.problem], right=_HEADER[1:6])
    for one in figures:
        if one.problem:
            yield f"not as {one.format}: {safe(one.problem)}"
        elif one.answers:
            yield f"answers as {one.format}: {safe(one.answers)}"


def _row(one: FormatFigures) -> tuple[str, ...]:
    name = f"{one.format} (now)" if one.current else one.format
    times = (one.load_ms, one.first_ms, one.steady_ms)
    runs = "runs what it names" if one.runs_code else "reads data"
    return (
        name,
        size_words(one.size),
        *("" if time is None else f"{time:.2f}" for time in times),
        size_words(one.memory),
        one.verdict,
        runs,
        one.portability,
    )
