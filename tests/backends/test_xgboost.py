"""XGBoost's files: facts, answers, and what is never given to XGBoost."""

from __future__ import annotations

import json
import os
import pickle
import random
import re
from typing import Any

import numpy as np
import pytest
import xgboost

from backends.core import registry
from backends.core.errors import ArtifactError, Damaged, NotLoadable
from backends.core.source import MemorySource
from backends.formats.xgboost.model import JSON, UBJ
from tests.backends.xgboost_files import KINDS, X, booster, rows, saved

FORMATS = {"ubj": "xgboost", "json": "xgboost-json"}


@pytest.mark.parametrize("layout", FORMATS)
@pytest.mark.parametrize("kind", KINDS)
def test_it_answers_as_xgboost_does(kind: str, layout: str) -> None:
    data = saved(kind, layout)
    found = registry.inspect(MemorySource(data, f"m.{layout}"))
    assert (found.format, found.complete, found.findings) == (FORMATS[layout], True, ())
    loaded = registry.load(MemorySource(data), found.format)
    assert np.array_equal(loaded.model.predict(rows(kind)), booster(kind).predict(rows(kind)))


@pytest.mark.parametrize("layout", FORMATS)
def test_the_facts(layout: str) -> None:
    found = registry.inspect(MemorySource(saved("stumps", layout), "m"))
    assert found.summary == "GBDT 4 trees · binary:hinge"
    assert found.library_versions == {"xgboost": xgboost.__version__}
    assert found.signature.feature_names == tuple("abcde")
    gains = found.details["feature_gain"]
    assert gains == pytest.approx(booster("stumps").get_score(importance_type="total_gain"), rel=1e-4)
    several = registry.inspect(MemorySource(saved("multiclass", layout), "m"))
    assert (several.details["trees"], several.details["iterations"], several.signature.outputs) == (12, 4, 3)


def _changed(change: Any, kind: str = "categories") -> bytes:
    root = json.loads(saved(kind, "json"))
    change(root["learner"], root["learner"]["gradient_booster"]["model"]["trees"][0])
    return json.dumps(root).encode()


def _set(name: str, at: int, value: int) -> Any:
    return lambda learner, tree: tree[name].__setitem__(at, value)


HOSTILE = {
    "a child outside its tree": _changed(_set("left_children", 0, 9999)),
    "a child that leads back": _changed(_set("left_children", 0, 0)),
    "a parent that is another": _changed(_set("parents", 1, 2)),
    "a feature that is not there": _changed(_set("split_indices", 0, 99999999)),
    "a set of categories that is not there": _changed(lambda learner, tree: tree.update(categories_segments=[5])),
    "a tree with the number of another": _changed(lambda learner, tree: tree.update(id=1)),
    "too few conditions": _changed(lambda learner, tree: tree["split_conditions"].pop()),
    "a class that is not there": _changed(
        lambda learner, tree: learner["gradient_booster"]["model"]["tree_info"].__setitem__(0, 7)
    ),
    "fewer features than its trees": _changed(
        lambda learner, tree: learner["learner_model_param"].update(num_feature="1")
    ),
    "fewer classes than the objective": _changed(
        lambda learner, tree: learner["learner_model_param"].update(num_class="1"), "multiclass"
    ),
    "not a number": saved("binary", "json").replace(b'"id":0', b'"id":NaN'),
    "a field twice": saved("binary", "json").replace(b'"id":0', b'"id":0,"id":0'),
    "UBJSON that announces more than there is": re.sub(
        rb"\[\$l#L.{8}", b"[$l#L" + b"\x7f" * 8, saved("binary", "ubj"), flags=re.DOTALL
    ),
    "UBJSON nested without end": b"{L" + (7).to_bytes(8, "big") + b"learner" + b"[" * 5000,
    "UBJSON cut off": saved("binary", "ubj")[:900],
}


@pytest.mark.parametrize("what", HOSTILE)
def test_broken_models_are_not_given_to_xgboost(what: str) -> None:
    data = HOSTILE[what]
    files = JSON if data.startswith(b'{"') else UBJ
    for ask in (files.inspect, files.load):
        with pytest.raises(Damaged):
            ask(MemorySource(data, "m"))


def test_a_field_that_is_not_known_is_told() -> None:
    found = JSON.inspect(MemorySource(_changed(lambda learner, tree: learner.update(hook="x")), "m.json"))
    assert [one.code for one in found.findings] == ["unknown-field"]
    assert not found.complete


@pytest.mark.slow
def test_what_is_let_in_does_not_take_xgboost_down() -> None:
    draw, accepted = random.Random(5), 0
    wide = np.vstack([X, np.full((2, 5), np.nan), np.full((2, 5), 1e38), np.full((2, 5), -7.0)]).astype(np.float32)
    for _ in range(1500):
        layout = draw.choice(["ubj", "json"])
        data = bytearray(saved(draw.choice(["categories", "multiclass", "dart", "linear", "several targets"]), layout))
        number, at = draw.choice(list(re.finditer(rb"-?\d+", bytes(data)))), draw.randrange(len(data))
        if layout == "json" and draw.random() < 0.8:
            other = draw.choice([b"-1", b"99999999", b"0", b"2147483647", b"7", b"1", b"3"])
            data[number.start() : number.end()] = other
        else:
            data[at] = draw.choice((0, 1, 0x7F, 0x80, 0xFF, 48))
        try:
            (JSON if layout == "json" else UBJ).inspect(MemorySource(bytes(data), "m"))
        except ArtifactError:
            continue
        accepted += 1
        assert not _dies(bytes(data), wide), data
    assert accepted > 100


def _dies(data: bytes, wide: Any) -> bool:
    """Whether XGBoost takes its process down with these bytes."""
    child = os.fork()
    if child == 0:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        try:
            made = xgboost.Booster({"nthread": 1})
            made.load_model(bytearray(data))
            names, types = made.feature_names, made.feature_types
            made.predict(
                xgboost.DMatrix(wide, nthread=1, feature_names=names, feature_types=types, enable_categorical=True)
            )
        finally:
            os._exit(0)
    _pid, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def old_binary(trees: int = 2, nodes: int = 3, told: int | None = None) -> bytes:
    """A model in the layout that XGBoost gave up, of the head and empty trees."""
    head = (0).to_bytes(4, "little") + (5).to_bytes(4, "little") + bytes(128)
    names = b"".join(len(name).to_bytes(8, "little") + name for name in (b"binary:logistic", b"gbtree"))
    size = (nodes if told is None else told).to_bytes(4, "little")
    tree = (1).to_bytes(4, "little") + size + bytes(140 + 36 * nodes)
    return head + names + trees.to_bytes(4, "little") + bytes(156) + tree * min(trees, 2) + bytes(4 * min(trees, 2))


def test_the_old_binary_is_told_with_what_to_do() -> None:
    found = registry.inspect(MemorySource(old_binary(), "m.bst"))
    assert (found.format, found.summary) == ("xgboost-binary", "GBDT 2 trees · binary:logistic")
    assert (found.signature.n_features, found.details["nodes"], found.loadable) == (5, 6, False)
    with pytest.raises(NotLoadable, match=r"save it as \.ubj"):
        registry.load(MemorySource(old_binary()), "xgboost-binary")
    for broken in (old_binary()[:-1], old_binary(told=1 << 30), old_binary(trees=0x7FFFFFFF)):
        with pytest.raises(Damaged):
            registry.inspect(MemorySource(broken, "m.bst"))


def with_stored_categories() -> Any:
    """The fields of a model that stores the names of its categories."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": X[:, 0], "b": pandas.Categorical([f"c{int(one)}" for one in X[:, 4]])})
    data = xgboost.DMatrix(frame, X[:, 4] > 2, enable_categorical=True, nthread=1)
    trained = xgboost.train({"objective": "binary:logistic", "max_depth": 2, "nthread": 1}, data, 2)
    return json.loads(trained.save_raw("json"))


def test_stored_categories_are_checked() -> None:
    root = with_stored_categories()
    assert JSON.inspect(MemorySource(json.dumps(root).encode(), "m.json")).complete
    cats = root["learner"]["gradient_booster"]["model"]["cats"]
    for name, value in (("sorted_idx", 99999999), ("feature_segments", 99999999)):
        kept, cats[name] = cats[name], [*cats[name][:-1], value]
        with pytest.raises(Damaged):
            JSON.inspect(MemorySource(json.dumps(root).encode(), "m.json"))
        cats[name] = kept


def test_a_large_file_is_checked_when_it_is_loaded() -> None:
    data = saved("binary", "json").replace(b'"tree_info":[', b'"tree_info":[' + b"0," * 3_000_000)
    found = JSON.inspect(MemorySource(data, "m.json"))
    assert ([one.code for one in found.findings], found.complete, found.loadable) == (["limit"], False, True)
    with pytest.raises(Damaged, match="3,000,004 values where 4 belong"):
        JSON.load(MemorySource(data, "m.json"))


@pytest.mark.parametrize("name", ["m.xgb", "m.bst", "m.lgb"])
def test_a_pickle_under_a_name_of_boosters_is_no_disguise(name: str) -> None:
    found = registry.inspect(MemorySource(pickle.dumps({"a": 1}), name))
    assert "disguised-pickle" not in [one.code for one in found.findings]
