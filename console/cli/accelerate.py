"""The command that makes an ONNX twin, shows how it compares, and keeps it on the operator's word."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from console.cli.data_files import absolute, tell_unbuilt
from console.cli.opening import opened
from console.cli.output import Output, asked, columns, size_words
from console.errors import Usage
from console.records import Json, Twinned
from console.safe_text import safe

__all__ = ["accelerate"]


async def accelerate(arguments: argparse.Namespace, output: Output) -> int:
    """Make, compare and keep a twin; `--drop` removes the one there is. Raises Usage for both at once."""
    if arguments.drop and (arguments.data or arguments.at or arguments.accept or arguments.yes):
        raise Usage("--drop makes no copy, so that nothing else can be said with it", hint="leave out one of them")
    async with opened(arguments.door, arguments.artifact, records=True) as store:
        engine, path = store.engine, store.artifact
        if arguments.drop:
            gone = await engine.acceleration.drop(path)
            output.data({"dropped": gone}, lambda: ["the twin is removed" if gone else f"{path} has no twin"])
            return 0
        await tell_unbuilt(store)
        data = absolute(arguments.data)
        twinned: Twinned | None = None
        async for now in engine.acceleration.compare(path, data=data, at=arguments.at, accept=arguments.accept):
            twinned = now.twinned
            if twinned is None:
                output.say(f"{safe(path)}: {safe(now.phase)}")
        assert twinned is not None
        found = twinned
        output.warn(found.warnings)
        if not output.as_json:
            output.lines(_table(found))
        kept = bool(arguments.yes or await asked(f"Have the twin answer for {path} where it is faster?"))
        await (engine.acceleration.keep(path) if kept else engine.acceleration.discard(path))
        output.data({"kept": kept, **_shape(found), "warnings": output.warned}, lambda: [_outcome(found, kept)])
    return 0


def _table(found: Twinned) -> Iterable[str]:
    rows = [
        (one.method, f"{one.rows:,}", f"{one.model_ms:.3f}", f"{one.twin_ms:.3f}", f"{one.model_ms / one.twin_ms:.1f}x")
        for one in found.timings
    ]
    header = ("METHOD", "ROWS", "MODEL MS", "TWIN MS", "FASTER")
    yield from columns(header, rows, right=header[1:])
    yield f"{found.dtype}: {found.differing:,} of {found.rows:,} labels differ, numbers by at most {found.largest:.2g}"


def _outcome(found: Twinned, kept: bool) -> str:
    if not kept:
        return "the twin is not kept; --yes keeps it"
    ends = [f"{method} of {low:,} to {high:,} rows" for method, ranges in found.routes.items() for low, high in ranges]
    words = ", ".join(ends) or "nothing: it is faster nowhere"
    return f"kept ({size_words(found.size)}); from the next load on the twin answers {safe(words, 300)}"


def _shape(found: Twinned) -> dict[str, Json]:
    timings: list[Json] = [
        {"method": one.method, "rows": one.rows, "model_ms": one.model_ms, "twin_ms": one.twin_ms}
        for one in found.timings
    ]
    return {
        "dtype": found.dtype,
        "rows": found.rows,
        "differing": found.differing,
        "largest": found.largest,
        "timings": timings,
        "routes": {method: [list(ends) for ends in ranges] for method, ranges in found.routes.items()},
        "size": found.size,
    }
