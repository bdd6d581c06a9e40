"""Drafts of recipes: what is written is what was shown, and nothing that was there is changed or lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from console.errors import ConflictError
from console.recipes.draft import drafted, write
from console.recipes.recipe import read_recipe


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "churn.joblib").write_bytes(b"model")
    return tmp_path


def test_a_new_recipe_names_the_file_relative_to_itself(store: Path) -> None:
    draft = drafted(store, "m/churn.joblib", f"{store}/data/rows.csv", "churned")
    assert draft.path == "m/churn.recipe.toml"
    assert draft.lines == ("[data]", 'holdout = "../data/rows.csv"', 'target = "churned"')
    write(store, draft)
    read = read_recipe(store / draft.path).data
    assert (read.holdout, read.train, read.target) == (f"{store}/data/rows.csv", None, "churned")
    assert sorted(os.listdir(store / "m")) == ["churn.joblib", "churn.recipe.toml"]


def test_a_file_of_training_rows_is_named_as_such_and_one_outside_by_its_whole_path(store: Path) -> None:
    draft = drafted(store, "m/churn.joblib", "/srv/rows/Train.csv", ("a", "b"))
    assert draft.lines == ("[data]", 'train = "/srv/rows/Train.csv"', 'target = ["a", "b"]')


@pytest.mark.parametrize(
    "name", ['quo"te\\.csv', "new\nline\t.csv", "esc\x1b[31m\x7f.csv", "bidi\u202e\U000e0001.csv", "日本.csv"]
)
def test_any_name_that_is_text_comes_back_as_it_was(store: Path, name: str) -> None:
    draft = drafted(store, "m/churn.joblib", f"{store}/m/{name}", name)
    assert all(line.isprintable() for line in draft.lines)
    write(store, draft)
    read = read_recipe(store / draft.path).data
    assert (read.holdout, read.target) == (f"{store}/m/{name}", name)


def test_a_name_that_is_no_text_is_not_written(store: Path) -> None:
    assert "UTF-8" in drafted(store, "m/churn.joblib", f"{store}/m/bad\udcff.csv", None).refusal


@pytest.mark.parametrize(
    "before",
    [
        '# mine\n[gate]\nmetric = "roc_auc" # kept\n',
        "[gate]\nat_least = 0.5",
        "[data] # how it is read\nread.sep = ';'\nignore = ['id']\n\n[keep]\nversions = 3\n",
        "[data.read]\nsep = ';'\r\n",
        "",
        '[data]\ntarget = "churned"\n',
    ],
)
def test_lines_go_into_a_recipe_that_names_no_data(store: Path, before: str) -> None:
    file = store / "m" / "churn.recipe.toml"
    file.write_bytes(before.encode())
    file.chmod(0o640)
    draft = drafted(store, "m/churn.joblib", f"{store}/rows.csv", "churned")
    if draft.refusal:
        assert "by hand" in draft.refusal
        assert "read]" in before
        return
    old = read_recipe(file)
    write(store, draft)
    new = read_recipe(file)
    assert (new.data.holdout, new.data.target) == (f"{store}/rows.csv", "churned")
    assert (new.gate, new.keep, new.data.options) == (old.gate, old.keep, old.data.options)
    assert set(before.splitlines()) <= set(file.read_text().splitlines())
    assert file.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("before", "why"),
    [
        ('[data]\ntrain = "x.csv"\n', "names data already"),
        ('[data]\ntarget = "other"\n', "another target"),
        ('data = { target = "churned" }\n', "by hand"),
        ('data.read.sep = ";"\n', "by hand"),
        ('[gate]\nmetric = """\n[data]\n"""\n[data.read]\nsep = ";"\n', "without changing it otherwise"),
        ("[gate]\nmetrik = 1\n", "unknown key"),
        ("[data\n", "churn.recipe.toml"),
    ],
)
def test_a_recipe_that_would_be_harmed_is_left_alone(store: Path, before: str, why: str) -> None:
    (store / "m" / "churn.recipe.toml").write_text(before)
    assert why in drafted(store, "m/churn.joblib", f"{store}/rows.csv", "churned").refusal


def test_nothing_is_written_over_what_came_meanwhile(store: Path) -> None:
    file = store / "m" / "churn.recipe.toml"
    draft = drafted(store, "m/churn.joblib", f"{store}/rows.csv", None)
    file.write_text("[keep]\nversions = 3\n")
    with pytest.raises(ConflictError, match="left as it is"):
        write(store, draft)
    draft = drafted(store, "m/churn.joblib", f"{store}/rows.csv", None)
    file.write_text("[keep]\nversions = 4\n")
    with pytest.raises(ConflictError, match="left as it is"):
        write(store, draft)
    assert file.read_text() == "[keep]\nversions = 4\n"
    assert sorted(os.listdir(store / "m")) == ["churn.joblib", "churn.recipe.toml"]


def test_a_link_where_the_recipe_would_stand_is_no_place_for_one(store: Path) -> None:
    (store / "m" / "churn.recipe.toml").symlink_to("/nowhere")
    assert "is a symbolic link" in drafted(store, "m/churn.joblib", f"{store}/rows.csv", None).refusal


def test_other_models_of_the_same_recipe_are_told(store: Path) -> None:
    (store / "m" / "churn.pkl").write_bytes(b"model")
    assert drafted(store, "m/churn.joblib", f"{store}/rows.csv", None).shared == ("churn.pkl",)
