"""LightGBM text: facts, answers, and what is never given to LightGBM."""

from __future__ import annotations

import os
import pickle
import random
import re
import time
from typing import Any

import lightgbm
import numpy as np
import pytest

from backends.core import registry
from backends.core.errors import ArtifactError, Damaged, NotLoadable
from backends.core.source import MemorySource
from backends.formats.lightgbm.lines import block
from backends.formats.lightgbm.walk import walk
from tests.backends.lightgbm_files import KINDS, X, booster, text


@pytest.mark.parametrize("kind", KINDS)
def test_it_answers_as_lightgbm_does(kind: str) -> None:
    data = text(kind).encode()
    found = registry.inspect(MemorySource(data, "m.txt"))
    assert (found.format, found.complete, found.findings) == ("lightgbm", True, ())
    loaded = registry.load(MemorySource(data), "lightgbm")
    model = registry.named("lightgbm").model(loaded)
    assert np.array_equal(model.call("predict", X), booster(kind).predict(X))


def test_the_facts() -> None:
    found = registry.inspect(MemorySource(text("multiclass").encode(), "m.txt"))
    assert found.summary == "GBDT 12 trees · multiclass"
    assert found.model_class == "lightgbm.basic.Booster"
    assert (found.signature.n_features, found.signature.outputs) == (5, 3)
    assert found.parameters["num_class"] == "3"
    assert {name: found.details[name] for name in ("trees", "iterations", "classes", "version")} == {
        "trees": 12, "iterations": 4, "classes": 3, "version": "v4",
    }  # fmt: skip
    gains = found.details["feature_gain"]
    assert isinstance(gains, dict)
    expected = lightgbm.Booster(model_str=text("multiclass")).feature_importance("gain")
    assert [gains.get(f"Column_{at}", 0.0) for at in range(5)] == pytest.approx(list(expected), rel=1e-4)


def test_features_that_answers_only_rise_or_fall_with_are_told() -> None:
    found = registry.inspect(MemorySource(text("monotone").encode(), "m.txt"))
    assert found.details["monotone"] == {"Column_0": "rising", "Column_2": "falling"}


def test_an_early_stopped_booster_answers_as_in_its_pickle() -> None:
    data = lightgbm.Dataset(X, X[:, 0], params={"verbosity": -1})
    other = data.create_valid(X[:50], -X[:50, 0])
    stop: list[Any] = [lightgbm.early_stopping(2, verbose=False)]
    settings = {"objective": "regression", "num_leaves": 7, "verbosity": -1, "num_threads": 1}
    made = lightgbm.train(settings, data, 20, valid_sets=[other], callbacks=stop)
    named = registry.named("lightgbm")
    model = named.model(registry.load(MemorySource(made.model_to_string().encode()), "lightgbm"))
    pickled = named.model(registry.load(MemorySource(pickle.dumps(made)), "pickle"))
    assert made.best_iteration < 20
    assert np.array_equal(model.call("predict", X), pickled.call("predict", X))
    assert model.meaning == pickled.meaning


TREE = text("categories")
HOSTILE = {
    "a child outside its tree": TREE.replace("left_child=1", "left_child=9"),
    "a child that leads back": re.sub(r"left_child=\d", "left_child=0", TREE, count=1),
    "a leaf outside its tree": re.sub(r"right_child=(-\d)", "right_child=-9", TREE, count=1),
    "a feature that is not there": re.sub(r"split_feature=\d", "split_feature=9", TREE, count=1),
    "too few leaves": re.sub(r"num_leaves=\d", "num_leaves=4", TREE, count=1),
    "two billion leaves": re.sub(r"num_leaves=\d", "num_leaves=2147483647", TREE, count=1),
    "sets of categories that do not grow": re.sub(r"cat_boundaries=0 \d", "cat_boundaries=0 0", TREE, count=1),
    "fewer classes than the objective": text("multiclass").replace("num_class=3", "num_class=1", 1),
    "trees elsewhere": re.sub(r"tree_sizes=\d", "tree_sizes=1", TREE, count=1),
    "a parameter without its colon": TREE.replace("[num_leaves: ", "[num_leaves "),
    "parameters without an end": TREE.replace("end of parameters", "end of it"),
    "an empty line in a tree": TREE.replace("\nnum_cat=", "\n\nnum_cat=", 1),
    "a tree that begins within a line": TREE.replace("\nTree=0", "\n4Tree=0", 1),
    "a line that only some see": TREE.replace("\nshrinkage=1", "\nshrinkage=1\rnum_leaves=99", 1),
    "a tree that is linear twice": TREE.replace("\nis_linear=0", "\nis_linear=2", 1),
    "cut off": TREE[:900],
    "a zero byte": TREE.replace("objective=b", "objective=\0"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_broken_trees_are_not_given_to_lightgbm(what: str) -> None:
    data = HOSTILE[what].encode()
    assert data != TREE.encode()
    for ask in (registry.inspect, lambda source: registry.load(source, "lightgbm")):
        with pytest.raises(Damaged):
            ask(MemorySource(data, "m.txt"))


def test_a_field_that_is_not_known_is_told() -> None:
    found = registry.inspect(MemorySource(TREE.replace("\nlabel_index", "\nlabel_jndex").encode(), "m.txt"))
    assert [one.code for one in found.findings] == ["unknown-field"]
    assert (found.complete, found.loadable) == (False, False)


def test_what_is_not_known_is_not_given_to_lightgbm() -> None:
    data = TREE.replace("\nlabel_index", "\nlabel_jndex").encode()
    with pytest.raises(NotLoadable, match="label_jndex"):
        registry.load(MemorySource(data), "lightgbm")


def mutated(draw: random.Random) -> bytes:
    """A text with a few characters or numbers changed."""
    data = bytearray(text(draw.choice(["categories", "multiclass", "linear trees", "random forest"])).encode())
    for _ in range(draw.randrange(1, 4)):
        numbers = list(re.finditer(rb"-?\d+", bytes(data)))
        number, at = draw.choice(numbers), draw.randrange(len(data))
        if draw.random() < 0.6:
            size = number.end() - number.start()
            other = draw.choice([b"-1", b"99999999", b"2147483648", b"0", bytes(draw.choices(b"0123456789", k=size))])
            data[number.start() : number.end()] = other
        else:
            data[at : at + draw.randrange(0, 9)] = bytes(draw.choices(b"0123456789-+.eE =:\n", k=draw.randrange(0, 3)))
    return bytes(data)


@pytest.mark.slow
def test_what_is_let_in_does_not_take_lightgbm_down() -> None:
    draw, accepted = random.Random(5), 0
    rows = np.vstack([X, np.full((2, 5), np.nan), np.full((2, 5), 1e308), np.full((2, 5), -7.0)])
    for _ in range(1500):
        data = mutated(draw)
        try:
            if walk(data).unknown:
                continue
        except ArtifactError:
            continue
        accepted += 1
        child = os.fork()
        if child == 0:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            try:
                lightgbm.Booster(model_str=data.decode()).predict(rows, num_threads=1)
            finally:
                os._exit(0)
        _pid, status = os.waitpid(child, 0)
        assert not os.WIFSIGNALED(status), data
    assert accepted > 100


def test_a_number_of_any_length_is_read_at_once() -> None:
    began = time.process_time()
    with pytest.raises(Damaged, match="no number"):
        block(f"threshold={'1' * 60_000}x", 0).reals("threshold", 1)
    assert time.process_time() - began < 5, "it grows with the square of the length"
