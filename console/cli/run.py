"""Commands that load an artifact into a sandboxed worker: predict, evaluate, probe, convert."""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import os
from collections.abc import Iterable
from pathlib import Path

from console.cli import shapes
from console.cli.data_files import absolute, narrate, read_as, target_of
from console.cli.opening import Opened, opened
from console.cli.output import Output, columns, size_words
from console.durable import put_output
from console.errors import BadInput, Usage
from console.os_errors import hint, why
from console.records import Json, Measured, Memory, ProbePlan, ProbeState, WorkerView

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


def _recorded(arguments: argparse.Namespace) -> bool | None:
    """An operator's yes is always put on record."""
    return True if arguments.accept is not None else None


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


async def evaluate(arguments: argparse.Namespace, output: Output) -> int:
    """Measure the answers against the truth in a data file."""
    async with opened(arguments.artifact, records=_recorded(arguments)) as store:
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


async def probe(arguments: argparse.Namespace, output: Output) -> int:
    """Drive the model at a rate for a while; a line a second, then a summary."""
    async with opened(arguments.artifact, records=_recorded(arguments)) as store:
        await store.load(arguments)
        state = await _probed(store, arguments, output)
        view = store.engine.models.view(store.artifact)
        value: dict[str, Json] = {
            "summary": True,
            **shapes.probe(state, view),
            "score": None if state.score is None else dict(state.score),
        }
        output.line(value, _progress(state, view) + f"  ({state.stopped_why or 'done'})")
    return 1 if state.errors and state.errors >= state.calls else 0


async def _probed(store: Opened, arguments: argparse.Namespace, output: Output) -> ProbeState:
    engine, path = store.engine, store.artifact
    read_as(store, arguments)
    data, target = engine.questions.data_of(path, absolute(arguments.data), target_of(arguments))
    narrate(await engine.questions.open_data(path, data, target), output)
    plan = ProbePlan(data, rate=arguments.rate, batch=arguments.batch, target=target)
    await engine.live.start(path, plan, seconds=arguments.seconds)
    finished = asyncio.ensure_future(engine.live.finished(path))
    started = asyncio.get_running_loop().time()
    second = 1
    try:
        while True:
            wait = max(0.0, started + second - asyncio.get_running_loop().time())
            done, _ = await asyncio.wait([finished], timeout=wait)
            if done:
                return finished.result()
            _tick(engine.live.probe(path), engine.models.view(path), second, output)
            second += 1
    finally:
        finished.cancel()


def _tick(state: ProbeState | None, view: WorkerView | None, second: int, output: Output) -> None:
    if state is None:
        return
    value: dict[str, Json] = {"second": second, **shapes.probe(state, view)}
    output.line(value, f"{second:>4} s  {_progress(state, view)}")


def _progress(state: ProbeState, view: WorkerView | None) -> str:
    def part(name: str, found: Measured | None) -> str:
        return f"{name} p50 {found.p50:.2f} p99 {found.p99:.2f} ms" if found else f"{name} -"

    memory = f"rss {size_words(view.memory.rss)}" if view and view.memory else ""
    counts = f"{state.calls} calls  {state.rate:.1f}/s  {state.errors} errors"
    return f"{counts}  {part('worker', state.worker)}  {part('round trip', state.round_trip)}  {memory}".rstrip()


async def convert(arguments: argparse.Namespace, output: Output) -> int:
    """Write the model in another format."""
    async with opened(arguments.artifact, records=_recorded(arguments)) as store:
        out = _converted_path(Path(arguments.artifact), arguments.to, arguments.out)
        try:
            found = await store.engine.updates.convert(
                store.artifact, arguments.to, out, at=arguments.at, accept=arguments.accept
            )
        except FileExistsError:
            raise BadInput(f"{out} is there already", hint="name another place with --out") from None
    output.data({"path": str(out), **found}, lambda: [f"written {out}", *(f"  {k}: {v}" for k, v in found.items())])
    return 0


def _converted_path(artifact: Path, to: str, out: str | None) -> Path:
    from backends import registry
    from backends.base import Unsupported

    if out:
        named = Path(out).absolute()
        honest = registry.suffixes(to)
        if named.suffix.lower() not in honest:
            raise Usage(
                f"--out {out} does not end as a {to} file does",
                hint=f"name it {named.stem}{registry.suffix(to)}, or with one of {' '.join(honest)}",
            )
        return named
    try:
        return artifact.with_suffix(registry.suffix(to)).absolute()
    except Unsupported as error:
        raise BadInput(str(error)) from None
