"""From an artifact to a worker that answers for it: freeze, judge, admit, start, load."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from importlib import metadata

from console.errors import BadInput, ConsoleError, NeedsReview, Refused, Usage
from console.loading.facts import Facts, Judged
from console.records import FileIdentity, Inspection, Judgement, Verdict
from console.store.sealed import digest_of
from console.worker.hints import hint_for
from console.worker.launcher import Launcher
from console.worker.model import Loaded, Worker

MAP_FROM = 64 << 20
"""Uncompressed files of this size in bytes or more are mapped, not read."""


Consents = Callable[[str, Judgement, str, str], Awaitable[None]]
"""Records the operator's yes to a content that needs one: path, judgement, digest, why. Raises Refused."""

Records = Callable[[str, str, str | None, str], Awaitable[None]]
"""Writes one line of the audit log: action, path, digest, result."""

OnPhase = Callable[[str, dict[str, float], Worker | None], None]
"""Hears as each phase of a start begins: its name, the milliseconds of those that have ended, the worker."""


@dataclass(frozen=True, slots=True)
class Started:
    """A worker with its model, and the content it holds."""

    worker: Worker
    loaded: Loaded
    digest: str
    identity: FileIdentity
    judgement: Judgement


def silent(phase: str, finished: dict[str, float], worker: Worker | None) -> None:
    """An OnPhase for callers that do not watch."""


class Starter:
    """Starts workers. `python` names the interpreter a path's recipe asks for, None for the console's own, or raises
    Refused."""

    def __init__(
        self,
        facts: Facts,
        launcher: Launcher,
        consent: Consents,
        record: Records,
        python: Callable[[str], str | None],
        deadline_s: float,
    ) -> None:
        self._facts = facts
        self._launcher = launcher
        self._consent = consent
        self._record = record
        self._python = python
        self._deadline_s = deadline_s

    async def start(self, path: str, at: str, accept: str | None, on_phase: OnPhase = silent) -> Started:
        """Start a worker for what the file holds now. Raises NeedsReview, Refused, BadInput, Failed."""
        began = time.perf_counter()
        on_phase("judge", {}, None)
        judged = await self._facts.seal(path)
        with judged.bytes:
            try:
                await self._admit(path, judged, accept)
                await self._record("load", path, judged.bytes.digest, "intent")
                phases = {"judge": (time.perf_counter() - began) * 1e3}
                started = await self.start_judged(path, judged, at, phases, on_phase)
            except NeedsReview:
                raise
            except ConsoleError as error:
                await self._record("load", path, judged.bytes.digest, f"{error.code}: {judged.judgement.verdict}")
                raise
        await self._record("load", path, started.digest, "loaded")
        return started

    async def start_judged(
        self, path: str, judged: Judged, at: str, phases: dict[str, float], on_phase: OnPhase = silent
    ) -> Started:
        """Start a worker for bytes that were judged and admitted already; they stay the caller's to close."""
        inspection = judged.inspection
        assert inspection is not None
        at = at or place_in(path, inspection)
        fresh = judged.judgement.verdict is not Verdict.SAFE
        python = self._python(path)
        began = time.perf_counter()
        on_phase("start", phases, None)
        mapped = judged.bytes.size >= MAP_FROM and not inspection.compression
        worker = await Worker.start(
            self._launcher,
            path,
            fresh=fresh,
            python=python,
            files=(judged.bytes.fd,) if mapped else (),
        )
        phases = {**phases, "start": (time.perf_counter() - began) * 1e3}
        try:
            loaded = await worker.load(
                judged.bytes.fd,
                inspection.format,
                at,
                mmap_mode="r" if mapped else None,
                deadline=self._deadline_s,
                on_phase=lambda phase, finished: on_phase(phase, {**phases, **finished}, worker),
            )
            digest = judged.bytes.digest
            if digest is None:
                digest = await asyncio.to_thread(digest_of, judged.bytes)
        except ConsoleError as error:
            await worker.end()
            raise _with_facts(error, judged, python) from None
        except BaseException:
            worker.child.kill()
            raise
        loaded = replace(loaded, phases={**phases, **loaded.phases})
        return Started(worker, loaded, digest, judged.bytes.identity, judged.judgement)

    async def _admit(self, path: str, judged: Judged, accept: str | None) -> None:
        """Let through what may be loaded. Raises NeedsReview, Refused, BadInput."""
        judgement, inspection = judged.judgement, judged.inspection
        why = "; ".join(reason.detail for reason in judgement.reasons[:3]) or str(judgement.verdict)
        if judgement.verdict in (Verdict.DAMAGED, Verdict.UNSUPPORTED) or inspection is None:
            raise BadInput(f"{path} is {judgement.verdict}: {why}")
        if judgement.verdict is Verdict.BLOCKED:
            raise Refused(f"{path} is blocked: {why}", hint="nothing in it was run")
        if not inspection.loadable:
            raise BadInput(f"{path} can be inspected but not run: loading {inspection.format} files comes later")
        if judgement.verdict is Verdict.REVIEW and judgement.pinned is None:
            if accept is None:
                raise NeedsReview(f"{path} needs your review before it is loaded: {why}", hint="accept it and say why")
            await self._consent(path, judgement, judged.bytes.digest or "", accept)


def place_in(path: str, inspection: Inspection) -> str:
    """The place of the model to run: the root, or the only model in a file that is a dict or tuple around one.

    Raises Usage that lists the places when the file holds several.
    """
    tops = [one for one in inspection.models if not any(_inside(one.at, other.at) for other in inspection.models)]
    known = [one for one in tops if one.version is not None] or tops
    if len(known) > 1:
        places = ", ".join(one.at for one in known[:8])
        raise Usage(f"{path} holds {len(known)} models: {places}", hint="choose one of them (--at PLACE)")
    return known[0].at if known else ""


def _inside(place: str, other: str) -> bool:
    return place != other and place.startswith(other) and (not other or place[len(other)] in ".[")


def _with_facts(error: ConsoleError, judged: Judged, python: str | None) -> ConsoleError:
    """The error with a hint that knows what the file says of itself."""
    if error.failure is not None and judged.inspection is not None:
        versions = dict(judged.inspection.library_versions)
        if python is None:
            versions["running scikit-learn"] = metadata.version("scikit-learn")
        hint = hint_for(error.failure, versions) or error.failure.hint
        error.failure = replace(error.failure, hint=hint, digest=judged.bytes.digest)
        error.hint = hint
    return error
