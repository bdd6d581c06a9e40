"""Data files on the command line: which file, which target, and how its text is read."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from console.cli.output import Output
from console.cli.piped import STDIN, piped
from console.cli.progress import Progress
from console.cli.session import Opened
from console.errors import UsageError
from console.records import DataFile, ReadOptions, Target

__all__ = [
    "absolute",
    "data_named",
    "narrate",
    "read_as",
    "read_data",
    "refuse_terminal",
    "target_of",
    "tell_unbuilt",
    "why_alone",
]

_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_KEYS = ("sep", "decimal", "encoding", "header", "missing")


def absolute(path: str | None) -> str | None:
    """A data file named on the command line, as the engine takes it."""
    return None if path is None else str(Path(path).absolute())


def refuse_terminal(arguments: argparse.Namespace) -> None:
    """Raise UsageError where a table is to come from stdin, and that is a terminal or closed."""
    if arguments.data == "-" and (sys.stdin is None or os.isatty(0)):
        raise UsageError(
            f"--data - reads a table from a pipe, and stdin is {'a terminal' if sys.stdin else 'closed'}",
            hint="zcat rows.csv.gz | model-console predict MODEL --data -",
        )


def why_alone(arguments: argparse.Namespace) -> str:
    """Why what the command line says of its data is no business of an engine that others use; empty where it may be."""
    if arguments.read or arguments.ignore:
        return "--read and --ignore would hold for everybody there"
    return "its data come from a pipe" if arguments.data == "-" else ""


@asynccontextmanager
async def data_named(store: Opened, arguments: argparse.Namespace) -> AsyncIterator[str | None]:
    """The data file that `--data` names, as the engine takes it; `-` is what comes from a pipe.

    Raises InputError.
    """
    if arguments.data != "-":
        yield absolute(arguments.data)
        return
    async with piped() as fd:
        await store.engine.inference.alias(STDIN, f"/proc/{os.getpid()}/fd/{fd}")
        yield STDIN


def target_of(arguments: argparse.Namespace) -> Target | None:
    """The column of the truth that was named, or several."""
    named: list[str] = arguments.target or []
    return named[0] if len(named) == 1 else tuple(named) or None


async def read_as(store: Opened, arguments: argparse.Namespace) -> None:
    """Have the artifact's data files read as `--read` and `--ignore` say, and tell what its recipe sets in vain.

    Raises UsageError for what cannot be said, InputError for a recipe that cannot be read.
    """
    await tell_unbuilt(store)
    if arguments.read or arguments.ignore:
        options = _options(arguments.read or [], arguments.ignore or [])
        await store.engine.data.read_as(store.artifact, options)


def _options(said: list[str], ignore: list[str]) -> ReadOptions:
    found: dict[str, str | bool] = {}
    missing: list[str] = []
    for each in said:
        key, equals, value = each.partition("=")
        if not equals or key not in _KEYS:
            raise UsageError(
                f"--read {each} is not understood", hint="say one of " + ", ".join(f"{key}=…" for key in _KEYS)
            )
        if key == "missing":
            missing.append(value)
        elif key == "header":
            if value.lower() not in _TRUTHS:
                raise UsageError(f"--read {each} is not understood", hint="header=true or header=false")
            found[key] = _TRUTHS[value.lower()]
        else:
            found[key] = "\t" if value == "\\t" else value
    return ReadOptions(missing=tuple(missing), ignore=tuple(ignore), **found)  # type: ignore[arg-type]


async def tell_unbuilt(store: Opened) -> None:
    """Say what the artifact's recipe sets and nothing acts on. Raises InputError for a recipe that cannot be read."""
    recipe = await store.engine.data.recipe(store.artifact)
    for note in recipe.notes:
        Output().say(f"{recipe.path}: {note}")


async def read_data(
    store: Opened, data: str | None, target: Target | None, output: Output, limit: int | None = None
) -> DataFile:
    """Open a data file in the worker, telling how far it is read and then how. Raises InputError, UsageError,
    OperationError."""
    reading = Progress(output, "reading")
    table: DataFile | None = None
    async for now in store.engine.inference.open_data(store.artifact, data, target, limit=limit):
        table = now.file
        if table is None:
            reading(now.rows, now.share)
    reading.done()
    assert table is not None
    narrate(table, output)
    return table


def narrate(table: DataFile, output: Output) -> None:
    """Say how the data file was read."""
    output.warn(table.warnings)
    output.say(
        f"{table.path}: {table.rows:,} row{'s' * (table.rows != 1)}{', ' if table.decided else ''}{table.decided}"
    )
