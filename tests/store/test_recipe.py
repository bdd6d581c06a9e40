from __future__ import annotations

import os
from pathlib import Path

import pytest

from console.errors import InputError
from console.recipes import recipe
from console.records import Mode

WHOLE = """
[data]
train = "data/churn-train.csv"
holdout = "/abs/churn-holdout.csv"
target = "churned"

[retrain]
mode = "warm_start"

[retrain.search]
strategy = "grid"
scoring = "roc_auc"
cv = 3
engine = "dask"
address = "tcp://localhost:1"
parameters.clf__C = [0.01, 0.1, 1, 10]

[gate]
metric = "roc_auc"
at_least = 0.80
not_worse_by = 0
max_latency_ratio = 1.5

[watch]
p99_ms = 50
rss_mb = 900
error_rate = 0.01

[reload]
on_change = "reload"
policy = "resource"

[keep]
versions = 3

[environment]
python = "../env/bin/python"
"""


def test_every_key_is_read_and_paths_are_the_files_own(store: Path) -> None:
    (store / "churn.recipe.toml").write_text(WHOLE)
    found = recipe.read_recipe(store / "churn.recipe.toml")
    assert found.path == store / "churn.recipe.toml"
    assert found.data == recipe.Data(f"{store}/data/churn-train.csv", "/abs/churn-holdout.csv", "churned")
    assert found.retrain.how is Mode.WARM_START
    search = recipe.Search("grid", "roc_auc", 3, 40, "dask", "tcp://localhost:1", {"clf__C": (0.01, 0.1, 1, 10)})
    assert found.retrain.search == search
    assert found.gate == recipe.Gate("roc_auc", 0.8, 0.0, 1.5)
    assert found.gate.conditions == 3
    assert found.watch == recipe.Watch(50.0, 900.0, 0.01)
    assert found.reload == recipe.Reload("reload", "resource")
    assert found.keep.versions == 3
    assert found.environment.python == f"{store.parent}/env/bin/python"


def test_without_a_recipe_everything_is_a_default() -> None:
    found = recipe.Recipe()
    assert found.retrain.how is Mode.FIT
    assert found.gate.conditions == 0
    assert found.keep.versions == 10


def test_a_command_is_a_mode_of_its_own(store: Path) -> None:
    (store / "m.recipe.toml").write_text('[retrain]\ncommand = ["python", "train.py", "--out", "{candidate}"]\n')
    found = recipe.read_recipe(store / "m.recipe.toml")
    assert found.retrain.how is Mode.COMMAND
    assert found.retrain.command == ("python", "train.py", "--out", "{candidate}")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[data]\ntrian = 'x'\n", 2, "unknown key 'trian' in \\[data\\]; did you mean 'train'"),
        ("\n\n[gate]\n# x\nnot_worst_by = 1\n", 5, "unknown key 'not_worst_by'.*'not_worse_by'"),
        ("[gaet]\nx = 1\n", 1, "unknown key 'gaet' at the top; did you mean 'gate'"),
        ("gate.at_leats = 1\n", 1, "did you mean 'at_least'"),
        ("[retrain.search]\nstrategy = 'rnadom'\n", 2, "retrain.search.strategy must be one of .*'random'"),
        ("[gate]\nat_least = '0.8'\n", 2, "gate.at_least must be a number, not '0.8'"),
        ("[gate]\nat_least = true\n", 2, "gate.at_least must be a number, not true or false"),
        ("[gate]\nat_least = nan\n", 2, "gate.at_least must be a finite number"),
        ("[gate]\nnot_worse_by = -1\n", 2, "must be 0 or more"),
        ("[gate]\nmax_latency_ratio = 0.0\n", 2, "must be more than 0"),
        ("[watch]\nerror_rate = 1.5\n", 2, "must be from 0 to 1, not 1.5"),
        ("[keep]\nversions = 0\n", 2, "must be from 1 to 100000, not 0"),
        ("[keep]\nversions = 2.5\n", 2, "must be a whole number"),
        ("[data]\ntrain = 7\n", 2, "data.train must be a string, not 7"),
        ("[data]\ntrain = ''\n", 2, "must name a file"),
        ("data = 3\n", 1, "data must be a table, not 3"),
        ("[retrain]\ncommand = 'x'\n", 2, "must be a list of strings"),
        ("[retrain]\ncommand = []\n", 2, "must be a list of strings, not an empty list"),
        ("[retrain.search]\n[retrain.search.parameters]\nC = 1\n", 3, "must be a list of values to try"),
        ("[retrain.search.parameters]\n\nC = []\n", 3, "must be a list of values to try"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_line(store: Path, text: str, line: int, words: str) -> None:
    path = store / "m.recipe.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        recipe.read_recipe(path)
    assert caught.value.message.startswith(f"{path}:{line}: ")


def test_broken_toml_is_named_with_its_place(store: Path) -> None:
    path = store / "m.recipe.toml"
    path.write_text("[data\n")
    with pytest.raises(InputError, match="line 1"):
        recipe.read_recipe(path)


def test_a_dask_search_needs_an_address(store: Path) -> None:
    path = store / "m.recipe.toml"
    path.write_text("[retrain.search]\nengine = 'dask'\n")
    with pytest.raises(InputError, match="address is missing"):
        recipe.read_recipe(path)


@pytest.mark.parametrize("make", ["fifo", "link", "binary", "long", "directory"])
def test_a_recipe_that_is_no_text_file_is_refused_and_never_waited_for(store: Path, make: str) -> None:
    path = store / "m.recipe.toml"
    if make == "fifo":
        os.mkfifo(path)
    elif make == "link":
        path.symlink_to("/etc/passwd")
    elif make == "directory":
        path.mkdir()
    else:
        path.write_bytes(b"\xff" if make == "binary" else b"#" * (2**20 + 1))
    with pytest.raises(InputError, match=r"m\.recipe\.toml"):
        recipe.read_recipe(path)
    assert recipe.data_paths(path) == ()


@pytest.mark.parametrize("target", ["/etc/passwd", "other.recipe.toml", "nothing"])
def test_a_link_to_a_recipe_does_not_count_and_is_told(store: Path, target: str) -> None:
    (store / "other.recipe.toml").write_text("")
    (store / "m.recipe.toml").symlink_to(target)
    assert recipe.recipe_path(store / "m.pkl") == store / "m.recipe.toml"
    with pytest.raises(InputError, match="is a symbolic link, and a link to a recipe does not count") as told:
        recipe.read_recipe(store / "m.recipe.toml")
    assert told.value.hint == "copy the recipe here, or remove the link"


def test_which_recipe_belongs_to_which_artifact(store: Path) -> None:
    assert recipe.recipe_names("churn.joblib") == ("churn.recipe.toml",)
    assert recipe.recipe_names("churn.v2.pkl.gz") == ("churn.v2.pkl.recipe.toml", "churn.v2.recipe.toml")
    assert recipe.recipe_names("churn") == ("churn.recipe.toml",)
    (store / "churn.v2.recipe.toml").write_text("")
    assert recipe.recipe_path(store / "churn.v2.pkl.gz") == store / "churn.v2.recipe.toml"
    assert recipe.recipe_path(store / "churn.pkl") is None
