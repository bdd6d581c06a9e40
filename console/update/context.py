"""Context of a training: the admitted current model and the open rows, the same for every process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from console.access.admission import require_inspected
from console.closing import closing_fd
from console.errors import AccessDeniedError, ConflictError, NeedsReviewError
from console.files.opening import OpenedFile, identity_of, require_no_link
from console.files.snapshot import digest_of
from console.inspection.service import Judged
from console.records import FileIdentity, Mode, UpdatePlan, Verdict
from console.serving.inference import open_data_file
from console.serving.loader import place_in
from console.trust.verdict import refit_hazards
from console.update.services import UpdateServices
from console.worker.answers import HoldoutRows
from console.worker.failures import ChildFailed
from console.worker.model import Worker


def admit(path: str, judged: Judged) -> None:
    """Let through what may be loaded and trained again. Raises NeedsReviewError, AccessDeniedError."""
    judgement, inspection = judged.judgement, judged.inspection
    require_inspected(path, judgement)
    why = judgement.reasons[0].detail if judgement.reasons else str(judgement.verdict)
    if judgement.verdict is Verdict.REVIEW and judgement.pinned is None:
        raise NeedsReviewError(
            f"{path} needs your review before it is trained: {why}", hint="load it once and accept it"
        )
    if judgement.verdict not in (Verdict.SAFE, Verdict.REVIEW) or inspection is None or not inspection.loadable:
        raise AccessDeniedError(f"{path} is not trained, since it cannot be loaded: {why}")
    for entry in inspection.models:
        for name, what in refit_hazards(entry.parameters):
            raise AccessDeniedError(f"{path} is not trained: its parameter {name} is set, and {what}")


def check_sealable(plan: UpdatePlan, current: Judged, recipients: Sequence[str]) -> None:
    """Raise AccessDeniedError, before anything is trained, where the candidate of a sealed artifact could not be kept
    sealed."""
    if not current.bytes.encrypted:
        return
    if not recipients:
        raise AccessDeniedError(
            f"{plan.path} is sealed, and nothing says for whom a new content is to be sealed",
            hint='name them in config.toml: [sealing] recipients = ["age1…"]',
        )
    if plan.mode is Mode.COMMAND:
        raise AccessDeniedError(
            f"{plan.path} is sealed, and a training command would write its candidate open to the disk",
            hint="use another mode of [retrain]",
        )


def admit_candidate(path: str, current: Judged, candidate: Judged) -> None:
    """A candidate may be loaded if it is safe, or brings nothing that was not accepted with the current file.

    Raises AccessDeniedError.
    """
    verdict, inspection = candidate.judgement.verdict, candidate.inspection
    if verdict is Verdict.SAFE and inspection is not None:
        return
    require_inspected(f"the candidate for {path}", candidate.judgement)
    why = candidate.judgement.reasons[0].detail if candidate.judgement.reasons else ""
    if verdict is not Verdict.REVIEW or inspection is None or current.inspection is None:
        raise AccessDeniedError(f"the candidate for {path} is {verdict}, so it was not loaded: {why}")
    new = _remarkable(candidate) - _remarkable(current)
    if new:
        raise AccessDeniedError(
            f"the candidate for {path} brings what the current file has not, so it was not loaded: {why}"
        )


def _remarkable(judged: Judged) -> set[tuple[str, str]]:
    """The reasons for which a file needs a review, by code and sentence, wherever in the file they stand."""
    return {(reason.code, reason.detail) for reason in judged.judgement.reasons}


@dataclass(frozen=True, slots=True)
class Data:
    """The open data files of one update: training rows and the rows both models are measured on.

    `own_holdout` = those are another content than the training rows; `flaw` says why not.
    """

    train: int
    measured: int
    name: str
    own_holdout: bool
    opened: tuple[FileIdentity, FileIdentity]
    flaw: str = ""

    def check_unchanged(self) -> None:
        """Raise ConflictError when somebody wrote to a data file since it was opened."""
        if self.opened != (identity_of(os.fstat(self.train)), identity_of(os.fstat(self.measured))):
            raise ConflictError(f"{self.name} or the training rows changed while they were used", hint="update again")

    def checked(self) -> Data:
        """The same, after a look at whether the hold-out is a copy of the training file. Reads both. Raises OSError."""
        sizes = {os.fstat(fd).st_size for fd in (self.train, self.measured)}
        if not self.own_holdout or len(sizes) > 1:
            return self
        digests = {
            digest_of(OpenedFile(fd, identity_of(os.fstat(fd)), self.name)) for fd in (self.train, self.measured)
        }
        if len(digests) > 1:
            return self
        return replace(self, own_holdout=False, flaw="the hold-out is a copy of the training file")


@dataclass(frozen=True, slots=True)
class TrainingContext:
    """One update's plan, the admitted current model with its digest, the place of the model in it, and the data."""

    plan: UpdatePlan
    current: Judged
    digest: str
    at: str
    data: Data

    @property
    def hold_back(self) -> bool:
        """Whether a part of the training rows is kept from the training to measure on."""
        return not self.data.own_holdout and self.plan.mode is not Mode.COMMAND


async def prepared(services: UpdateServices, plan: UpdatePlan, current: Judged, data: Data) -> TrainingContext:
    """The ground of an update whose current model may be trained again. Raises NeedsReviewError, AccessDeniedError."""
    await asyncio.to_thread(require_no_link, services.root, plan.path)
    admit(plan.path, current)
    check_sealable(plan, current, services.unsealing.recipients)
    assert current.inspection is not None
    digest = current.bytes.digest
    if digest is None:
        digest = current.bytes.digest = await asyncio.to_thread(digest_of, current.bytes)
    await services.loader.admission.demanded(plan.path, digest)
    checked = await asyncio.to_thread(data.checked)
    return TrainingContext(plan, current, digest, plan.at or place_in(plan.path, current.inspection), checked)


@contextmanager
def open_data(plan: UpdatePlan) -> Iterator[Data]:
    """Both data files, opened once so that every process reads the same ones. Raises InputError."""
    measured_path = plan.holdout or plan.data
    with closing_fd(open_data_file(plan.data)) as train, closing_fd(open_data_file(measured_path)) as measured:
        opened = (identity_of(os.fstat(train)), identity_of(os.fstat(measured)))
        flaw = "" if plan.holdout is not None else "no hold-out is named"
        if not flaw and os.path.samestat(os.fstat(train), os.fstat(measured)):
            flaw = "the hold-out is the training file"
        yield Data(train, measured, os.path.basename(measured_path), not flaw, opened, flaw)


FEW_ROWS = 30
"""Fewer rows than that are warned of: by chance alone the figures of two models differ much."""


@dataclass(frozen=True, slots=True)
class Holdout:
    """A hold-out as it was when the update began. `flaw` says why nothing measured on it counts.

    `marked` has a bit for each row that counts, those in the training file apart; where all do it is empty.
    """

    flaw: str = ""
    targets: int | None = None
    empty: bool = False
    marked: bytes = b""
    warnings: tuple[str, ...] = ()

    def flaw_for(self, task: str) -> str:
        """The same for a model of this task."""
        if not self.flaw and self.targets == 1 and task in ("classification", "outlier detection"):
            return "the hold-out holds one class only"
        if not self.flaw and self.targets == 1 and task == "regression":
            return "the target is the same in every row of the hold-out"
        return self.flaw


async def examine(
    services: UpdateServices, context: TrainingContext, python: str | None, metric: str | None
) -> Holdout:
    """Compare the hold-out with the training rows, in a sandboxed process that holds no model.

    Raises InputError for a hold-out that cannot be read and for a metric that scikit-learn does not know.
    """
    plan, data, inspection = context.plan, context.data, context.current.inspection
    names = (os.path.basename(plan.data), data.name)
    assert inspection is not None
    worker = await Worker.start(services.launcher, plan.path, fresh=False, python=python)
    try:
        rows = await worker.compare_rows(
            data.train,
            data.measured,
            names,
            target=plan.target,
            options=plan.options,
            features=inspection.signature.feature_names,
            metric=metric,
        )
    except ChildFailed as error:
        rows = HoldoutRows(problem=error.message)
    finally:
        await worker.end()
    if data.flaw:
        return Holdout(data.flaw)
    return _judged(rows)


def _judged(rows: HoldoutRows) -> Holdout:
    """More than half of the rows in the training file, or more than half of them the same row: then it measures
    how well a model remembers."""
    if rows.problem:
        return Holdout(f"the hold-out cannot be compared with the training rows: {rows.problem}")
    if rows.rows == 0:
        return Holdout("the hold-out has no rows", empty=True)
    common = f"{rows.common:,} of the {rows.rows:,} rows of the hold-out stand in the training file"
    if 2 * rows.common > rows.rows:
        return Holdout(common)
    left = rows.rows - rows.common
    if 2 * rows.repeated > left:
        return Holdout(f"{rows.repeated:,} of {left:,} rows of the hold-out are the same row")
    warnings = [f"the column {name} holds the target itself" for name in rows.leaks]
    if left < FEW_ROWS:
        warnings.append(f"the hold-out has only {left} rows that count")
    if rows.common:
        warnings.append(f"{common} as well and were left out")
    return Holdout(targets=rows.targets, marked=rows.apart if rows.common else b"", warnings=tuple(warnings))
