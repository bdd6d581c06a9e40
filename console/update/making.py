"""Making a candidate: the current model's bytes, the operator's rows and a trainer in; sealed bytes out."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from console.errors import Failed, NeedsReview, Refused
from console.loading.admission import require_layers
from console.loading.facts import Judged
from console.records import Mode, UpdatePlan, Verdict
from console.store.sealed import OpenedFile, SealedBytes, identity_of, seal
from console.trust.verdict import refit_hazards
from console.worker.launcher import Launcher
from console.worker.trainer import Candidate, Progress, Trained, Trainer, candidate_file

ZYGOTE_S = 20.0
"""How long to wait for a zygote: the trainer and the workers that measure and verify are all forked from it."""

__all__ = ["Made", "admit", "admit_candidate", "make"]


@dataclass(slots=True)
class Made:
    """A candidate that no process can change any more; whoever holds it closes `content`."""

    content: SealedBytes
    trained: Trained | None


def admit(path: str, judged: Judged) -> None:
    """Let through what may be loaded and trained again. Raises NeedsReview, Refused."""
    judgement, inspection = judged.judgement, judged.inspection
    why = judgement.reasons[0].detail if judgement.reasons else str(judgement.verdict)
    if judgement.verdict is Verdict.REVIEW and judgement.pinned is None:
        raise NeedsReview(f"{path} needs your review before it is trained: {why}", hint="load it once and accept it")
    if judgement.verdict not in (Verdict.SAFE, Verdict.REVIEW) or inspection is None or not inspection.loadable:
        raise Refused(f"{path} is not trained, since it cannot be loaded: {why}")
    for entry in inspection.models:
        for name, what in refit_hazards(entry.parameters):
            raise Refused(f"{path} is not trained: its parameter {name} is set, and {what}")


def admit_candidate(path: str, current: Judged, candidate: Judged) -> None:
    """A candidate may be loaded if it is safe, or brings nothing that was not accepted with the current file.

    Raises Refused.
    """
    verdict, inspection = candidate.judgement.verdict, candidate.inspection
    if verdict is Verdict.SAFE and inspection is not None:
        return
    why = candidate.judgement.reasons[0].detail if candidate.judgement.reasons else ""
    if verdict is not Verdict.REVIEW or inspection is None or current.inspection is None:
        raise Refused(f"the candidate for {path} is {verdict}, so it was not loaded: {why}")
    new = _remarkable(candidate) - _remarkable(current)
    if new:
        raise Refused(f"the candidate for {path} brings what the current file has not, so it was not loaded: {why}")


def _remarkable(judged: Judged) -> set[tuple[str, str]]:
    """What made a file need a review: reasons by code and sentence, wherever in the file they stand."""
    return {(reason.code, reason.detail) for reason in judged.judgement.reasons}


async def make(
    launcher: Launcher,
    root: Path,
    plan: UpdatePlan,
    current: Judged,
    at: str,
    table: int,
    *,
    python: str | None,
    mandatory: frozenset[str],
    hold_back: bool,
    on_progress: Progress,
) -> Made:
    """Train a candidate for the model at `at` of the admitted bytes `current` on the open table `table`.

    `python` is an interpreter that was admitted, None for the console's own; `mandatory` are the layers without which
    what is under review is not trained. Cancelling ends the trainer.
    Raises what the trainer raises (ChildFailed, ChildRefused), Refused, Failed.
    """
    assert current.inspection is not None
    command = plan.mode is Mode.COMMAND
    directory = str((root / plan.path).parent)
    readable = (str(root), directory, os.path.dirname(plan.data)) if command else ()
    fresh = command or current.judgement.verdict is not Verdict.SAFE
    if not fresh:
        with suppress(TimeoutError):
            await asyncio.wait_for(launcher.warm(python).warmed(), ZYGOTE_S)
    trainer = await Trainer.start(launcher, plan.path, fresh=fresh, python=python, readable=readable, forks=command)
    file = candidate_file(os.path.basename(plan.path))
    try:
        require_layers(plan.path, current.judgement, trainer.child.layers, mandatory)
        trained: Trained | None = None
        if command:
            suffix = os.path.splitext(plan.path)[1]
            await trainer.command(plan.command, directory, suffix, candidate=file, on_progress=on_progress)
        else:
            inspection = current.inspection
            content = current.bytes
            asked = Candidate(
                content.handed, inspection.format, inspection.compression, at, str(plan.mode), content.plan
            )
            trained = await trainer.train(
                asked,
                table,
                os.path.basename(plan.data),
                target=plan.target,
                hold_back=hold_back,
                candidate=file,
                on_progress=on_progress,
            )
        await trainer.end()
        return Made(await asyncio.to_thread(_sealed, file, plan.path), trained)
    finally:
        await trainer.end()
        os.close(file)


def _sealed(file: int, name: str) -> SealedBytes:
    status = os.fstat(file)
    if status.st_size == 0:
        raise Failed(f"the training of {name} wrote no candidate")
    return seal(OpenedFile(file, identity_of(status), name), limit=status.st_size)
