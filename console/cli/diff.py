"""`diff`: how two artifacts of a store differ."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from console.cli.output import Output, columns, size_words
from console.cli.session import opened
from console.errors import InputError
from console.records import ArrayChange, Change, Differences
from console.records.words import change_words, norm_words
from console.safe_text import safe

_SHOWN = 30


async def diff(arguments: argparse.Namespace, output: Output) -> int:
    """Both are read and none is run; 0 whether they differ or not."""
    beneath, first, second = _places(arguments.artifact, arguments.other)
    async with opened(arguments.door, beneath, records=False, attach=False) as store:
        found = await store.engine.artifacts.differ(_in(store.root, first), _in(store.root, second))
        output.data(asdict(found), lambda: _lines(found))
    return 0


def _places(first: str, second: str) -> tuple[str, str, str]:
    """The directory that both paths lie beneath, and both. Raises InputError for what is not there."""
    paths = [os.path.abspath(path) for path in (first, second)]
    for path in paths:
        if not os.path.lexists(path):
            raise InputError(f"{path} is not there", hint="give the paths of two artifacts")
    return os.path.commonpath([os.path.dirname(path) for path in paths]), paths[0], paths[1]


def _in(root: Path, path: str) -> str:
    """A path as the store has it, whose root may be a link on the way there."""
    return os.path.relpath(os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path)), root)


def _lines(found: Differences) -> Iterable[str]:
    yield f"{safe(found.first)} → {safe(found.second)}"
    yield ""
    yield from (f"  {_words(change)}" for change in found.changes[:_SHOWN])
    if len(found.changes) > _SHOWN:
        yield f"  and {len(found.changes) - _SHOWN} more"
    if not found.changes:
        yield "  they are, declare, take and give the same"
    yield ""
    if found.arrays:
        rows = [_row(change) for change in found.arrays[:_SHOWN]]
        yield from columns(("ARRAY", "BEFORE", "AFTER", "NORM"), rows)
        more = len(found.arrays) - len(rows) + found.left_out
        if more:
            yield f"and {more:,} more arrays differ"
    how = "by their numbers" if found.measured else "by dtype and shape; their numbers were not compared"
    yield f"{found.alike:,} arrays are the same, {how}"


def _words(change: Change) -> str:
    if change.what in ("name", "finding"):
        return f"{'+' if change.before is None else '-'} {safe(change.name, 200)}"
    if change.what == "size" and change.before is not None and change.after is not None:
        return f"size {size_words(int(change.before))} → {size_words(int(change.after))}"
    return safe(change_words(change), 300)


def _row(change: ArrayChange) -> tuple[str, str, str, str]:
    before, after = change.before or "not there", change.after or "not there"
    return safe(change.name, 80), before, after if after != before else "the same shape", norm_words(change)
