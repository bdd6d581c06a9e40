"""The plan of an update, from recipe and arguments."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from console.errors import UsageError
from console.recipes.recipe import Data, Recipe, Retrain
from console.records import Mode
from console.update.service import plan_update


def test_everything_from_the_recipe() -> None:
    recipe = Recipe(data=Data("/s/train.csv", "/s/hold.csv", "y"), retrain=Retrain(mode="warm_start"))
    plan = plan_update("m.pkl", recipe)
    assert (plan.data, plan.holdout, plan.target, plan.mode) == ("/s/train.csv", "/s/hold.csv", "y", Mode.WARM_START)


def test_arguments_go_before_the_recipe_and_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = Recipe(data=Data("/s/train.csv", "/s/hold.csv", "y"))
    plan = plan_update("m.pkl", recipe, data="new.csv", target="z")
    assert (plan.data, plan.holdout, plan.target) == (os.path.join(tmp_path, "new.csv"), "/s/hold.csv", "z")


def test_nothing_to_train_on_is_said() -> None:
    with pytest.raises(UsageError, match=r"nothing to train m\.pkl on") as caught:
        plan_update("m.pkl", Recipe())
    assert "--data" in str(caught.value.hint)


def test_a_command_needs_only_rows_to_measure_on() -> None:
    recipe = Recipe(data=Data(holdout="/s/hold.csv"), retrain=Retrain(command=("python", "t.py", "{candidate}")))
    plan = plan_update("m.pkl", recipe)
    assert (plan.mode, plan.data, plan.command) == (Mode.COMMAND, "/s/hold.csv", ("python", "t.py", "{candidate}"))
