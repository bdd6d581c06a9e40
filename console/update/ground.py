"""What an update stands on: the admitted current model and the open rows, the same for every process it starts."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from console.errors import Conflict
from console.loading.facts import Judged
from console.loading.questions import open_data_file
from console.loading.starting import place_in
from console.records import FileIdentity, Mode, UpdatePlan
from console.store.opening import identity_of
from console.store.sealed import digest_of
from console.update.admitting import admit, check_sealable
from console.update.workshop import Workshop

__all__ = ["Data", "Ground", "open_data", "prepared"]


@dataclass(frozen=True, slots=True)
class Data:
    """The open data files of one update: training rows and the rows both models are measured on."""

    train: int
    measured: int
    name: str
    own_holdout: bool
    opened: tuple[FileIdentity, FileIdentity]

    def check_unchanged(self) -> None:
        """Raise Conflict when somebody wrote to a data file since it was opened."""
        if self.opened != (identity_of(os.fstat(self.train)), identity_of(os.fstat(self.measured))):
            raise Conflict(f"{self.name} or the training rows changed while they were used", hint="update again")


@dataclass(frozen=True, slots=True)
class Ground:
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


async def prepared(shop: Workshop, plan: UpdatePlan, current: Judged, data: Data) -> Ground:
    """The ground of an update whose current model may be trained again. Raises NeedsReview, Refused."""
    admit(plan.path, current)
    check_sealable(plan, current, shop.unsealing.recipients)
    assert current.inspection is not None
    digest = current.bytes.digest
    if digest is None:
        digest = await asyncio.to_thread(digest_of, current.bytes)
    await shop.starter.admission.demanded(plan.path, digest)
    return Ground(plan, current, digest, plan.at or place_in(plan.path, current.inspection), data)


@contextmanager
def open_data(plan: UpdatePlan) -> Iterator[Data]:
    """Both data files, opened once so that every process reads the same ones. Raises BadInput."""
    own = plan.holdout is not None and os.path.realpath(plan.holdout) != os.path.realpath(plan.data)
    measured_path = plan.holdout if own and plan.holdout is not None else plan.data
    train = open_data_file(plan.data)
    try:
        measured = open_data_file(measured_path)
        try:
            opened = (identity_of(os.fstat(train)), identity_of(os.fstat(measured)))
            yield Data(train, measured, os.path.basename(measured_path), own, opened)
        finally:
            os.close(measured)
    finally:
        os.close(train)
