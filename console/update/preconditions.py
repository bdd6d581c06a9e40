"""What may be trained again, and what of a training may be loaded."""

from __future__ import annotations

from collections.abc import Sequence

from console.access.admission import require_inspected
from console.errors import AccessDeniedError, NeedsReviewError
from console.inspection.service import Judged
from console.records import Mode, UpdatePlan, Verdict
from console.trust.verdict import refit_hazards

__all__ = ["admit", "admit_candidate", "check_sealable"]


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
    """What made a file need a review: reasons by code and sentence, wherever in the file they stand."""
    return {(reason.code, reason.detail) for reason in judged.judgement.reasons}
