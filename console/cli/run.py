"""Commands that load an artifact into a sandboxed worker: evaluate, probe, convert."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterable
from pathlib import Path

from console.cli import shapes
from console.cli.data_files import data_named, narrate, read_as, refuse_terminal, target_of
from console.cli.opening import Opened, opened
from console.cli.output import Output, size_words
from console.cli.progress import Progress
from console.errors import BadInput
from console.records import Json, Measured, ProbePlan, ProbeState, WorkerView


def _recorded(arguments: argparse.Namespace) -> bool | None:
    """An operator's yes is always put on record."""
    return True if arguments.accept is not None else None


async def evaluate(arguments: argparse.Namespace, output: Output) -> int:
    """Measure the answers against the truth in a data file."""
    refuse_terminal(arguments)
    async with opened(arguments.artifact, records=_recorded(arguments)) as store:
        await store.load(arguments)
        read_as(store, arguments)
        questions, target = store.engine.questions, target_of(arguments)
        async with data_named(store, arguments) as data:
            reading = Progress(output, "reading")
            table = await questions.open_data(store.artifact, data, target, on_progress=reading)
            reading.done()
            narrate(table, output)
            task, rows, metrics = await questions.evaluate(store.artifact, data=data, target=target)
    value: dict[str, Json] = {"task": task, "rows": rows, "metrics": dict(metrics), "data": shapes.data(table)}
    output.data(value, lambda: [f"{task} on {rows} rows", *_numbers(metrics)])
    return 0


def _numbers(metrics: dict[str, float]) -> Iterable[str]:
    width = max(map(len, metrics), default=0)
    return (f"  {name:<{width}}  {number:.6g}" for name, number in metrics.items())


async def probe(arguments: argparse.Namespace, output: Output) -> int:
    """Drive the model at a rate for a while; a line a second, then a summary."""
    refuse_terminal(arguments)
    async with opened(arguments.artifact, records=_recorded(arguments)) as store:
        await store.load(arguments)
        async with data_named(store, arguments) as named:
            state = await _probed(store, arguments, named, output)
        view = store.engine.models.view(store.artifact)
        value: dict[str, Json] = {
            "summary": True,
            **shapes.probe(state, view),
            "score": None if state.score is None else dict(state.score),
        }
        output.line(value, _progress(state, view) + f"  ({state.stopped_why or 'done'})")
    return 1 if state.errors and state.errors >= state.calls else 0


async def _probed(store: Opened, arguments: argparse.Namespace, named: str | None, output: Output) -> ProbeState:
    engine, path = store.engine, store.artifact
    read_as(store, arguments)
    data, target = engine.questions.data_of(path, named, target_of(arguments))
    reading = Progress(output, "reading")
    table = await engine.questions.open_data(path, data, target, on_progress=reading)
    reading.done()
    narrate(table, output)
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
        return Path(out).absolute()
    try:
        return artifact.with_suffix(registry.suffix(to)).absolute()
    except Unsupported as error:
        raise BadInput(str(error)) from None
