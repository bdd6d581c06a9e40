"""Commands that load an artifact into a sandboxed worker: probe, convert."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterable
from pathlib import Path

from console.cli import json_shapes
from console.cli.compare_formats import compare_formats
from console.cli.data_files import data_named, read_as, read_data, refuse_terminal, target_of, why_alone
from console.cli.output import Output, size_words
from console.cli.session import Opened, as_job, at_another_place, opened
from console.engine.api import EngineApi
from console.errors import InputError, UsageError
from console.records import Json, ProbeState, Quantiles, WorkerView
from console.records.words import growth_words, rate_words


def _recorded(arguments: argparse.Namespace) -> bool | None:
    """An operator's yes is always put on record."""
    return True if arguments.accept is not None else None


async def probe(arguments: argparse.Namespace, output: Output) -> int:
    """Drive the model at a rate for a while; a line a second, then a summary."""
    refuse_terminal(arguments)

    async def taken(engine: EngineApi, path: str) -> str:
        probe = await engine.monitor.probe(path) if path else None
        if probe is not None and probe.running:
            return f"{path} is being driven there"
        return await at_another_place(engine, path, arguments.at)

    async with opened(
        arguments.door,
        arguments.artifact,
        records=_recorded(arguments),
        alone=why_alone(arguments),
        files=[arguments.data],
        unless=taken,
    ) as store:
        await store.load(arguments, output)
        async with data_named(store, arguments) as named:
            state = await _probed(store, arguments, named, output)
        view = await store.engine.models.worker(store.artifact)
        output.warn(state.warnings)
        summary = {**json_shapes.probe_summary(state, view), "warnings": output.warned}
        output.line(summary, _progress(state, view) + _scored(state) + f"  ({state.stopped_why or 'done'})")
        if not output.as_json:
            output.lines(_summary(state))
    return 1 if state.errors and state.errors >= state.calls else 0


async def _probed(store: Opened, arguments: argparse.Namespace, named: str | None, output: Output) -> ProbeState:
    engine, path = store.engine, store.artifact
    await read_as(store, arguments)
    plan = await engine.monitor.plan(
        path, data=named, target=target_of(arguments), rate=arguments.rate, batch=arguments.batch
    )
    await read_data(store, plan.data, plan.target, output)
    await engine.monitor.start(path, plan, seconds=arguments.seconds)
    finished = asyncio.ensure_future(engine.monitor.finished(path))
    started = asyncio.get_running_loop().time()
    second = 1
    try:
        while True:
            wait = max(0.0, started + second - asyncio.get_running_loop().time())
            done, _ = await asyncio.wait([finished], timeout=wait)
            if done:
                return finished.result()
            _tick(await engine.monitor.probe(path), await engine.models.worker(path), second, output)
            second += 1
    finally:
        finished.cancel()


def _tick(state: ProbeState | None, view: WorkerView | None, second: int, output: Output) -> None:
    if state is None:
        return
    value: dict[str, Json] = {"second": second, **json_shapes.probe(state, view)}
    output.line(value, f"{second:>4} s  {_progress(state, view)}")


def _progress(state: ProbeState, view: WorkerView | None) -> str:
    def part(name: str, found: Quantiles | None) -> str:
        return f"{name} p50 {found.p50:.2f} p99 {found.p99:.2f} ms" if found else f"{name} -"

    memory = f"rss {size_words(view.memory.rss)}" if view and view.memory else ""
    counts = f"{state.calls} calls  {state.rate:.1f}/s  {state.errors} errors"
    return f"{counts}  {part('worker', state.worker)}  {part('round trip', state.round_trip)}  {memory}".rstrip()


def _summary(state: ProbeState) -> Iterable[str]:
    asked = f"{state.plan.rate:g}/s" if state.plan.rate else "as fast as it goes"
    yield f"asked {asked}, reached {rate_words(state.rate)}/s"
    yield growth_words(state.growth)
    if state.last_error:
        yield f"the last error: {state.last_error}"


def _scored(state: ProbeState) -> str:
    """The score, how many rows had no truth, or why there is no score."""
    parts = [f"  {name} {value:.6g}" for name, value in (state.score or {}).items()]
    parts += [f"  {state.missing:,} rows without a truth"] if state.missing else []
    parts += [f"  no score: {state.unscored}"] if state.unscored and not state.score else []
    return "".join(parts)


async def convert(arguments: argparse.Namespace, output: Output) -> int:
    """Write the model in another format, or compare those it could be in."""
    if arguments.compare:
        return await compare_formats(arguments, output)
    files = [arguments.out or arguments.artifact]
    async with opened(arguments.door, arguments.artifact, records=_recorded(arguments), files=files) as store:
        out = _converted_path(Path(arguments.artifact), arguments.to, arguments.out)
        async with as_job(store, "convert", arguments, output):
            found = await store.engine.updates.convert(
                store.artifact, arguments.to, str(out), at=arguments.at, accept=arguments.accept
            )
    warnings = found.pop("warnings")
    output.warn(map(str, warnings) if isinstance(warnings, list) else ())
    value: dict[str, Json] = {"path": str(out), **found, "warnings": output.warned}
    output.data(value, lambda: [f"written {out}", *(f"  {k}: {v}" for k, v in found.items())])
    return 0


def _converted_path(artifact: Path, to: str, out: str | None) -> Path:
    from backends.core import registry
    from backends.core.errors import Unsupported

    if out:
        named = Path(out).absolute()
        honest = registry.named(to).honest_suffixes
        if named.suffix.lower() not in honest:
            raise UsageError(
                f"--out {out} does not end as a {to} file does",
                hint=f"name it {named.stem}{registry.named(to).suffix}, or with one of {' '.join(honest)}",
            )
        return named
    try:
        return artifact.with_suffix(registry.named(to).suffix).absolute()
    except Unsupported as error:
        raise InputError(str(error)) from None
