"""The formats that one model could be in: written in memory, each loaded in a worker of its own, and measured."""

from __future__ import annotations

import asyncio
import os
import statistics
from collections.abc import Callable
from contextlib import suppress

import psutil

from backends.core import registry
from backends.core.format import Format
from console.errors import ConsoleError, InputError, UsageError
from console.files.snapshot import Snapshot, from_memory, new_memory
from console.records import DataRows, FormatFigures, OnnxComparison, Verdict
from console.serving.inference import open_rows
from console.serving.loader import Started
from console.update.services import UpdateServices
from console.update.train_candidate import ZYGOTE_S
from console.worker.answers import Saved
from console.worker.model import Worker
from console.worker.onnx_export import export_onnx

CALLS = 40
"""Single-row predictions of each that are timed, after the first."""
_ONNX = "onnx"
_TIMED = ("predict", "transform")
_WORST = (Verdict.SAFE, Verdict.REVIEW)
"""Verdicts with which a copy is loaded, where the model itself was let in with no better one."""


class ComparingFormats:
    """Compares the formats of one store's models; nothing is written anywhere."""

    def __init__(self, services: UpdateServices) -> None:
        self._services = services

    async def compare(
        self, path: str, *, data: str | None, at: str, accept: str | None, on_phase: Callable[[str], None]
    ) -> tuple[FormatFigures, ...]:
        """Figures of the model in `path` as it is, then in each other format.

        Raises UsageError without rows, NeedsReviewError, AccessDeniedError, InputError, OperationError.
        """
        await self._services.access.authorize("convert", path)
        rows = self._rows(path, data)
        inspection = (await self._services.artifacts.report(path)).inspection
        on_phase("importing libraries")
        await self._warmed(path)
        on_phase("loading")
        started = await self._services.loader.start(path, at, accept)
        try:
            form = inspection.format if inspection is not None else ""
            handle = await _opened(started.worker, rows)
            own = await _measured(started, handle, registry.named(form), started.identity.size)
            figures = [own]
            for other in _others(form):
                on_phase(f"in {other.name}")
                figures.append(await self._in_format(started, handle, path, rows, other))
        finally:
            await started.worker.end()
        return tuple(figures)

    async def _warmed(self, path: str) -> None:
        """Wait until workers begin with their libraries imported, so that loading is the reading alone."""
        python = self._services.recipes.python(path)
        if python is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(ZYGOTE_S):
                    await self._services.launcher.warm().warmed()

    def _rows(self, path: str, data: str | None) -> DataRows:
        recipe = self._services.recipes.or_default(path).data
        named = data or recipe.holdout or recipe.train
        if named is None:
            raise UsageError(f"no rows to compare {path} on", hint="name some with --data, or in the recipe's [data]")
        return DataRows(named, recipe.target, recipe.options)

    async def _in_format(self, started: Started, handle: int, path: str, rows: DataRows, into: Format) -> FormatFigures:
        """The model in this format, or why it cannot be in it."""
        memory = new_memory("compared")
        try:
            if into.name == _ONNX:
                answers = _exported(await export_onnx(started.worker, memory, handle, {}, lambda _: None))
            else:
                answers = _saved(await started.worker.save(memory, into.name, data=handle))
            with from_memory(memory, f"model{into.suffix}") as content:
                return await self._loaded(started, content, path, rows, into, answers)
        except ConsoleError as error:
            return FormatFigures(into.name, problem=error.failure.message if error.failure else error.message)
        finally:
            os.close(memory)

    async def _loaded(
        self, original: Started, content: Snapshot, path: str, rows: DataRows, into: Format, answers: str
    ) -> FormatFigures:
        """Figures of a copy in a worker of its own; a copy that is judged worse than the model itself is not loaded."""
        judged = await self._services.inspections.judge_bytes(content)
        verdict = judged.judgement.verdict
        if verdict is not Verdict.SAFE and (verdict not in _WORST or original.judgement.verdict is Verdict.SAFE):
            return FormatFigures(into.name, size=content.size, verdict=str(verdict), problem=f"it would be {verdict}")
        started = await self._services.loader.start_judged(path, judged, "", {})
        try:
            return await _measured(started, await _opened(started.worker, rows), into, content.size, answers)
        finally:
            await started.worker.end()


def _others(name: str) -> list[Format]:
    """The formats that a model in this one could be written in."""
    return [registry.named(one) for one in (*registry.convertible(), _ONNX) if one != name]


async def _opened(worker: Worker, rows: DataRows) -> int:
    try:
        return await open_rows(worker, rows.path, rows.target, rows.options)
    except InputError as error:
        raise InputError(f"the rows to compare on: {error.message}", hint=error.hint) from None


async def _measured(started: Started, handle: int, form: Format, size: int, answers: str = "") -> FormatFigures:
    """Size, times and memory of a model that is loaded. Raises what its worker raises."""
    worker, loaded = started.worker, started.loaded
    method = next((name for name in _TIMED if name in loaded.methods), _TIMED[0])
    spent = []
    for _ in range(CALLS + 1):
        outcome = await worker.call(handle, 0, 1, methods=(method,), outputs=False)
        spent.append(outcome.worker_ms)
    return FormatFigures(
        form.name,
        size=size,
        load_ms=sum(took for phase, took in loaded.phases.items() if phase not in ("judge", "start")),
        first_ms=spent[0],
        steady_ms=statistics.median(spent[1:]),
        memory=await asyncio.to_thread(_private, worker.child.pid),
        verdict=str(started.judgement.verdict),
        runs_code=form.runs_code,
        portability=form.portability,
        answers=answers,
        current=not answers,
    )


def _private(pid: int) -> int | None:
    """Bytes of a process that it shares with no other."""
    try:
        return int(psutil.Process(pid).memory_full_info().uss)
    except (psutil.Error, OSError):
        return None


def _saved(saved: Saved) -> str:
    if saved.differences:
        return "; ".join(saved.differences)
    return "the same to the last bit" if saved.compared else "not compared"


def _exported(found: OnnxComparison) -> str:
    labels = f"{found.differing:,} of {found.rows:,} labels differ, " if found.differing else ""
    return f"{labels}numbers by at most {found.largest:.2g} ({found.dtype})"
