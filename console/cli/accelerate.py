"""The command that exports a model to ONNX, shows how the two compare, and writes it on the operator's word."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from console.cli.data_files import absolute, tell_unbuilt
from console.cli.json_shapes import picked
from console.cli.output import Output, asked, columns, size_words
from console.cli.session import as_job, opened
from console.records import Json, OnnxComparison
from console.safe_text import safe

__all__ = ["accelerate"]


async def accelerate(arguments: argparse.Namespace, output: Output) -> int:
    """Export, compare, and write the export as an artifact beside its model."""
    async with opened(arguments.door, arguments.artifact, records=True, files=[arguments.data]) as store:
        engine, path = store.engine, store.artifact
        await tell_unbuilt(store)
        data = absolute(arguments.data)
        exported: OnnxComparison | None = None
        async with as_job(store, "accelerate", arguments, output):
            async for now in engine.acceleration.compare(path, data=data, at=arguments.at, accept=arguments.accept):
                exported = now.comparison
                if exported is None:
                    output.say(f"{safe(path)}: {safe(now.phase)}")
        assert exported is not None
        found = exported
        output.warn(found.warnings)
        if not output.as_json:
            output.lines(_table(found))
        if found.replaces is not None:
            output.say(f"{safe(found.path)} is there already: it would be kept as a version, for `rollback`")
        written = bool(arguments.yes or await asked(f"Write {safe(found.path)}?"))
        if written:
            await engine.acceleration.write(path)
        else:
            await engine.acceleration.discard(path)
        output.data(
            {"written": written, **_shape(found), "warnings": output.warned}, lambda: [_outcome(found, written)]
        )
    return 0


def _table(found: OnnxComparison) -> Iterable[str]:
    rows = [
        (one.method, f"{one.rows:,}", f"{one.model_ms:.3f}", f"{one.onnx_ms:.3f}", f"{one.model_ms / one.onnx_ms:.1f}x")
        for one in found.timings
    ]
    header = ("METHOD", "ROWS", "MODEL MS", "ONNX MS", "FASTER")
    yield from columns(header, rows, right=header[1:])
    yield f"{found.dtype}: {found.differing:,} of {found.rows:,} labels differ, numbers by at most {found.largest:.2g}"


def _outcome(found: OnnxComparison, written: bool) -> str:
    if not written:
        return f"{safe(found.path)} is not written; --yes writes it"
    return f"{safe(found.path)} is written ({size_words(found.size)})"


def _shape(found: OnnxComparison) -> dict[str, Json]:
    timings: list[Json] = [picked(one, "method", "rows", "model_ms", "onnx_ms") for one in found.timings]
    shown = picked(found, "path", "replaces", "dtype", "rows", "differing", "largest")
    return {**shown, "timings": timings, "size": found.size}
