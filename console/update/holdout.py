"""Examination of a hold-out: rows that the candidate was not trained on, and that tell models apart."""

from __future__ import annotations

import os
from dataclasses import dataclass

from console.update.context import TrainingContext
from console.update.services import UpdateServices
from console.worker.answers import HoldoutRows
from console.worker.failures import ChildFailed
from console.worker.model import Worker

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
