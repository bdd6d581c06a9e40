"""How a candidate is kept: sealed for the disk where the artifact it is to take the place of is."""

from __future__ import annotations

from collections.abc import Sequence

from console.errors import Refused
from console.loading.facts import Judged
from console.loading.unsealing import Unsealing
from console.records import Mode, UpdatePlan
from console.store.sealed import SealedBytes
from console.update.making import Made

__all__ = ["as_kept", "check_sealable"]


def check_sealable(plan: UpdatePlan, current: Judged, recipients: Sequence[str]) -> None:
    """Raise Refused, before anything is trained, where the candidate of a sealed artifact could not be kept sealed."""
    if not current.bytes.encrypted:
        return
    if not recipients:
        raise Refused(
            f"{plan.path} is sealed, and nothing says for whom a new content is to be sealed",
            hint='name them in config.toml: [sealing] recipients = ["age1…"]',
        )
    if plan.mode is Mode.COMMAND:
        raise Refused(
            f"{plan.path} is sealed, and a training command would write its candidate open to the disk",
            hint="use another mode of [retrain]",
        )


async def as_kept(made: Made, current: Judged, unsealing: Unsealing) -> SealedBytes:
    """The candidate as it is put in place, for whoever closes it; the open one stays as it is unless this raises."""
    if not current.bytes.encrypted:
        return made.content
    try:
        return await unsealing.sealed(made.content, unsealing.recipients)
    except BaseException:
        made.content.close()
        raise
