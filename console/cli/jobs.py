"""`jobs`: the long work of the engine that serves a store, listed, followed and cancelled."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable

from console.cli.json_shapes import picked
from console.cli.output import Output, columns
from console.engine.api import EngineApi
from console.errors import OperationError
from console.records import Job, JobState, Json
from console.records.words import span_words
from console.safe_text import safe


async def jobs(arguments: argparse.Namespace, output: Output) -> int:
    """List the jobs, or follow or cancel one of them."""
    engine = await arguments.door.attach(arguments.store)
    try:
        if arguments.cancel is not None:
            job = await engine.jobs.cancel(arguments.cancel)
            output.data(_shape(job), lambda: [_line(job)])
            return 0
        if arguments.follow is not None:
            return await _followed(engine, arguments.follow, output)
        found = await engine.jobs.list()
        output.data([_shape(job) for job in found], lambda: _table(found))
        return 0
    finally:
        await engine.close()


async def _followed(engine: EngineApi, number: int, output: Output) -> int:
    """Tell of a job until it has ended; 1 unless it is done then."""
    job: Job | None = None
    async for job in engine.jobs.follow(number):
        output.line(_shape(job), _line(job))
    return 0 if job is not None and job.state is JobState.DONE else OperationError.exit_code


def _shape(job: Job) -> dict[str, Json]:
    error = None if job.error is None else picked(job.error, "code", "message", "hint")
    shown = picked(job, "id", "kind", "artifact", "who", "started", "ended", "done", "note", "result")
    return {**shown, "state": str(job.state), "error": error}


def _line(job: Job) -> str:
    return f"job {job.id}  {job.kind} of {safe(job.artifact or 'the store')}  {job.state}  {_said(job)}".rstrip()


def _table(found: Iterable[Job]) -> Iterable[str]:
    rows = [
        (str(job.id), job.kind, job.artifact, job.who, _clock(job.started), _took(job), str(job.state), _said(job))
        for job in found
    ]
    header = ("JOB", "KIND", "ARTIFACT", "WHO", "BEGAN", "TOOK", "STATE", "")
    yield from columns(header, rows, right=("JOB", "TOOK")) if rows else ["no jobs"]


def _said(job: Job) -> str:
    """How far it is, or what came of it."""
    share = f"{job.done:.0%} " if job.done is not None and job.state is JobState.RUNNING else ""
    said = job.error.message if job.error is not None else job.result or job.note
    return f"{share}{safe(said, 200)}"


def _took(job: Job) -> str:
    return span_words((time.time() if job.ended is None else job.ended) - job.started)


def _clock(when: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(when))
