"""From recipe and arguments to what an operator confirms before a retraining."""

from __future__ import annotations

import os

from console.errors import UsageError
from console.recipes.recipe import Recipe
from console.records import Mode, Target, UpdatePlan


def plan_update(
    path: str,
    recipe: Recipe,
    *,
    data: str | None = None,
    target: Target | None = None,
    holdout: str | None = None,
    at: str = "",
) -> UpdatePlan:
    """What an update of `path` would do; arguments go before the recipe. Raises UsageError that says what is missing.

    With training data of the operator's own the recipe's hold-out still counts: both models are measured on it.
    """
    train = _absolute(data) or recipe.data.train
    measured = _absolute(holdout) or recipe.data.holdout
    how = recipe.retrain.how
    if how is Mode.COMMAND:
        train = train or measured
    if train is None:
        raise UsageError(
            f"there is nothing to train {path} on: its recipe names no training data",
            hint="name a file with --data, or write [data] train = … into the recipe",
        )
    return UpdatePlan(
        path=path,
        data=train,
        target=target or recipe.data.target,
        holdout=measured,
        mode=how,
        command=recipe.retrain.command,
        at=at,
        options=recipe.data.options,
    )


def _absolute(path: str | None) -> str | None:
    return os.path.abspath(path) if path else None
