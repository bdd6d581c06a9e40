"""One update from start to end: judge, train, judge again, measure both on the same rows, hold against the gate."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from console.errors import ConflictError
from console.files.snapshot import Snapshot
from console.inspection.service import Judged
from console.recipes.recipe import Gate
from console.records import (
    Candidate,
    Comparison,
    DataFile,
    GateResult,
    Unchanged,
    UpdatePlan,
    UpdateProgress,
    target_words,
    why_nothing,
)
from console.update.compare import Side, changes, describe
from console.update.context import Holdout, TrainingContext, admit_candidate, examine, open_data, prepared
from console.update.gate import Doubts, judge_gate, main_metric
from console.update.measuring import Measurement, Rows, measure
from console.update.services import UpdateServices
from console.update.train_candidate import Made, make
from console.worker.trainer import Trained

Telling = Callable[[UpdateProgress], None]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A candidate that waits for promote or discard; `replaces` is the digest it was compared with."""

    comparison: Comparison
    content: Snapshot
    at: str
    replaces: str


class UpdateRun:
    """One update, from the plan to a candidate that waits; `tell` hears where it stands."""

    def __init__(self, services: UpdateServices, plan: UpdatePlan, tell: Telling) -> None:
        self._services = services
        self._plan = plan
        self._tell = tell
        self._began = time.time()

    async def run(self) -> Waiting:
        """Make a candidate and compare it, for whoever closes its content.

        Raises NeedsReviewError, AccessDeniedError, InputError, ConflictError, OperationError.
        """
        services, path = self._services, self._plan.path
        await services.access.refresh()
        recipe, python = services.recipes.of(path), services.recipes.python(path)
        self._show("judging the current model")
        current = await services.inspections.snapshot(path)
        with current.bytes, open_data(self._plan) as data:
            context = await prepared(services, self._plan, current, data)
            await services.access.record(
                "update", path, context.digest, "intent", mode=str(self._plan.mode), data=self._plan.data
            )
            self._show("looking at the hold-out")
            holdout = await examine(services, context, python, recipe.gate.metric)
            self._show("starting the trainer")
            made = await make(services, context, python, self._trained)
            content = await made.kept(services, sealed=current.bytes.encrypted)
            try:
                comparison = await self._compared(context, recipe.gate, holdout, made, content.digest or "")
                data.check_unchanged()
                if services.recipes.of(path) != recipe:
                    raise ConflictError(f"the recipe of {path} changed while it was updated", hint="update again")
            except BaseException:
                content.close()
                raise
            finally:
                if content is not made.content:
                    made.content.close()
        return Waiting(comparison, content, context.at, context.digest)

    async def _compared(
        self, context: TrainingContext, gate: Gate, holdout: Holdout, made: Made, digest: str
    ) -> Comparison:
        """Both models beside each other; `digest` is of the candidate as it would be put in place."""
        path = self._plan.path
        self._show("judging the candidate")
        candidate = await self._services.inspections.judge_bytes(made.content)
        admit_candidate(path, context.current, candidate)
        self._show("measuring both models")
        rows = Rows(
            context.data.measured,
            context.data.name,
            self._plan.target,
            context.hold_back,
            holdout.marked,
            self._plan.options,
        )
        before = after = Measurement()
        if not holdout.empty:
            before, after = await measure(
                self._services.loader, path, context.current, candidate, context.at, rows, gate.metric
            )
        old = describe(_side(context.current, context.digest, before), context.at)
        new = describe(_side(candidate, digest, after), context.at)
        flaw = holdout.flaw_for(after.task)
        if not flaw and not after.metrics:
            flaw = why_nothing(after.task, after.rows, after.notes, after.causes)
        doubts = Doubts(flaw, before.problem, before.causes, after.causes, before.versions)
        results, passed = judge_gate(gate, old, new, doubts)
        unchanged = _unchanged(old, new, before, after)
        if unchanged is Unchanged.CONTENT:
            same = GateResult("another content", False, "training gave exactly the bytes that are in place already")
            results, passed = (*results, same), False
        return Comparison(
            path=path,
            when=time.time(),
            task=after.task,
            rows=after.rows,
            current=old,
            candidate=new,
            gate=results,
            passed=passed,
            held_out=context.data.own_holdout,
            changed=changes(old, new),
            metric=main_metric(gate, new, old),
            seconds=made.trained.seconds if made.trained else time.time() - self._began,
            conditions=gate.conditions,
            unmeasured=flaw,
            problem=before.problem,
            unchanged=unchanged,
            warnings=_warnings(holdout, before, made, after),
            trained_on=_read_for_training(self._plan, made.trained),
            measured_on=after.data and replace(after.data, path=self._plan.holdout or self._plan.data),
        )

    def _trained(self, phase: str, done: int | None, total: int | None, text: str) -> None:
        self._show(_PHASES.get(phase, phase), done, total, text)

    def _show(self, phase: str, done: int | None = None, total: int | None = None, note: str = "") -> None:
        self._tell(UpdateProgress(self._plan.path, phase, self._began, done, total, note))


_PHASES = {
    "load": "loading the current model",
    "read": "reading the training rows",
    "check": "checking the training rows",
    "fit": "training",
    "save": "writing the candidate",
    "command": "running the training command",
}
"""What the trainer's phases are called on the screen."""


def _read_for_training(plan: UpdatePlan, trained: Trained | None) -> DataFile | None:
    """The training file as the trainer read it; None where the operator's own program did."""
    if trained is None:
        return None
    rows = trained.rows + trained.held_back
    return DataFile(plan.data, rows, target=target_words(plan.target) or None, decided=trained.decided)


def _unchanged(old: Candidate, new: Candidate, before: Measurement, after: Measurement) -> Unchanged | None:
    """Whether the candidate is what is in place: the same bytes, or the same answer to every row that was measured."""
    if old.digest == new.digest:
        return Unchanged.CONTENT
    return Unchanged.ANSWERS if after.answers and after.answers == before.answers else None


def _warnings(holdout: Holdout, before: Measurement, made: Made, after: Measurement) -> tuple[str, ...]:
    """Of the hold-out, of the current model, of training and of the candidate: each once, and of whom it is."""
    of_current = [f"the current model: {text}" for text in before.warnings]
    if before.versions and not before.warnings:
        of_current.append(f"the current model was {before.versions}: what it was compared by may be wrong")
    told = set(before.warnings)
    of_training = [text for text in (made.trained.warnings if made.trained else ()) if text not in told]
    of_candidate = [f"the candidate: {text}" for text in after.warnings if text not in of_training]
    return tuple(dict.fromkeys((*holdout.warnings, *after.notes, *of_current, *of_training, *of_candidate)))


def _side(judged: Judged, digest: str, measured: Measurement) -> Side:
    assert judged.inspection is not None
    return Side(
        digest,
        judged.bytes.size,
        judged.inspection,
        judged.judgement,
        measured.metrics,
        tuple(measured.latencies),
    )
