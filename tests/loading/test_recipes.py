from __future__ import annotations

import os
from pathlib import Path

import pytest

from console.access.recipes import Recipes
from console.errors import InputError


def test_a_recipe_is_read_once_and_again_when_its_file_changed(tmp_path: Path) -> None:
    recipes = Recipes(tmp_path)
    assert recipes.of("a.joblib").data.target is None
    file = tmp_path / "a.recipe.toml"
    file.write_text('[data]\ntarget = "y"\n')
    first = recipes.of("a.joblib")
    assert first.data.target == "y"
    assert recipes.of("a.joblib") is first
    file.write_text('[data]\ntarget = "z"\n')
    assert recipes.of("a.joblib").data.target == "z"
    os.unlink(file)
    assert recipes.of("a.joblib").data.target is None


def test_a_broken_recipe_is_told_every_time_and_defaults_stand_in_where_nobody_listens(tmp_path: Path) -> None:
    (tmp_path / "a.recipe.toml").write_text("[data\n")
    recipes = Recipes(tmp_path)
    for _ in range(2):
        with pytest.raises(InputError):
            recipes.of("a.joblib")
    assert recipes.or_default("a.joblib").data.target is None
