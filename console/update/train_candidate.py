"""Training of a candidate: the current model's bytes, the operator's rows and a trainer in; sealed bytes out."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass, replace

from console.access.admission import require_layers
from console.errors import ConsoleError, OperationError
from console.files.opening import OpenedFile, identity_of
from console.files.snapshot import Snapshot, seal
from console.inspection.libraries import may_compile, versions_of
from console.records import Mode, Verdict
from console.update.context import TrainingContext
from console.update.services import UpdateServices
from console.worker.failures import ChildFailed
from console.worker.trainer import Candidate, Progress, Trained, Trainer, candidate_file

ZYGOTE_S = 20.0
"""How long to wait for a zygote: the trainer and the workers that measure and verify are all forked from it."""

TRAINING_FAILED = "training-failed"


@dataclass(slots=True)
class Made:
    """A candidate that no process can change any more; whoever holds it closes `content`."""

    content: Snapshot
    trained: Trained | None

    async def kept(self, services: UpdateServices, *, sealed: bool) -> Snapshot:
        """The candidate as it is put in place, for whoever closes it: sealed for the disk, or the very `content`.

        `content` stays open unless this raises.
        """
        if not sealed:
            return self.content
        try:
            return await services.unsealing.sealed(self.content, services.unsealing.recipients)
        except BaseException:
            self.content.close()
            raise


async def make(services: UpdateServices, context: TrainingContext, python: str | None, on_progress: Progress) -> Made:
    """Train a candidate in this context; `python` is an interpreter that was admitted, None for the console's own.

    Cancelling ends the trainer. Raises what the trainer raises (ChildFailed, ChildRefused), AccessDeniedError (layers
    that the policy demands for what is under review are missing), OperationError.
    """
    plan, judgement = context.plan, context.current.judgement
    command = plan.mode is Mode.COMMAND
    directory = str((services.root / plan.path).parent)
    readable = (str(services.root), directory, os.path.dirname(plan.data)) if command else ()
    fresh = command or judgement.verdict is not Verdict.SAFE
    if not fresh:
        with suppress(TimeoutError):
            async with asyncio.timeout(ZYGOTE_S):
                await services.launcher.warm(python).warmed()
    trainer = await Trainer.start(
        services.launcher,
        plan.path,
        fresh=fresh,
        python=python,
        readable=readable,
        forks=command,
        compiles=may_compile(context.current.inspection),
    )
    file = candidate_file(os.path.basename(plan.path))
    try:
        require_layers(plan.path, judgement, trainer.child.layers, services.access.policy.mandatory)
        trained: Trained | None = None
        if command:
            suffix = os.path.splitext(plan.path)[1]
            await trainer.command(plan.command, directory, suffix, candidate=file, on_progress=on_progress)
        else:
            trainer.child.versions = versions_of(context.current.inspection, python)
            trained = await _trained(trainer, context, file, on_progress)
        await trainer.end()
        return Made(await asyncio.to_thread(_sealed, file, plan.path), trained)
    except ChildFailed as error:
        raise _failed(error) from None
    finally:
        await trainer.end()
        os.close(file)


async def _trained(trainer: Trainer, context: TrainingContext, file: int, on_progress: Progress) -> Trained:
    plan, content, inspection = context.plan, context.current.bytes, context.current.inspection
    assert inspection is not None
    asked = Candidate(
        content.load_fds, inspection.format, inspection.compression, context.at, str(plan.mode), content.plan
    )
    return await trainer.train(
        asked,
        context.data.train,
        os.path.basename(plan.data),
        target=plan.target,
        options=plan.options,
        hold_back=context.hold_back,
        candidate=file,
        on_progress=on_progress,
    )


def _failed(error: ConsoleError) -> OperationError:
    """The same error as one of training, whatever ended it; how is in its failure."""
    failure = replace(error.failure, code=TRAINING_FAILED) if error.failure is not None else None
    failed = OperationError(error.message, hint=error.hint, failure=failure)
    failed.code = TRAINING_FAILED
    return failed


def _sealed(file: int, name: str) -> Snapshot:
    status = os.fstat(file)
    if status.st_size == 0:
        raise _failed(OperationError(f"the training of {name} wrote no candidate"))
    return seal(OpenedFile(file, identity_of(status), name), limit=status.st_size)
