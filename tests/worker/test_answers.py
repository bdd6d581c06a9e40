"""Answers of children as records: whatever JSON they send, it is the record or it is refused as malformed."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.records import DataColumns, DataFile, Evaluated, Prediction
from console.worker import answers
from console.worker.decode_records import Malformed, decoded, inspection_from
from console.worker.failures import from_frame
from console.worker.trainer import Trained
from tests.worker.test_strict import WHOLE, sent

SIGNATURE = {"n_features": 2, "feature_names": ["x", "y"], "outputs": 1, "classes": [0, "b", None]}
LOADED = {"model_class": "a.B", "methods": ["predict"], "signature": SIGNATURE, "phases": {"read": 1, "warm": 0.5}}
SAVED = {"compared": ["predict"], "differences": [], "rows": 3, "warnings": ["W: x", "W: x"]}
EVALUATED = {"task": "classifier", "rows": 3, "metrics": {"accuracy": 1}, "causes": {"r2": "no"}, "missing": 1}
DATA = {"data": 4, "rows": 9, "columns": [["a", "f8"]], "target": None, "decided": "a\x1b", "piece": 0}
HOLDOUT = {"rows": 9, "common": 1, "repeated": 2, "targets": 3, "leaks": ["a"]}
RAW = {"worker_ns": 2_000_000, "arrays": [["predict", "<f8", [1]], ["n", "<i8", []]]}
OUTCOME = {"id": 7, "rows": 1, "outputs": {"predict": [1]}, "worker_ms": 0.5, "unscored": "no truth", "score": {}}
TRAINED = {"rows": 8, "held_back": 2, "seconds": 1, "task": "classifier", "decided": ""}
COLUMNS = {"names": ["a"], "total": 2, "named": True, "apart": None}
SAMPLE = {"rows": [{"a": 1}], "truths": [None]}

DECODERS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "loaded": (answers.loaded_from, LOADED),
    "saved": (answers.saved_from, SAVED),
    "evaluated": (answers.evaluated_from, EVALUATED),
    "data": (lambda said: answers.data_from(said, "t.csv"), DATA),
    "holdout": (lambda said: answers.holdout_from(said, b"\xff\x80"), HOLDOUT),
    "raw": (lambda said: answers.raw_from(said, bytes(16)), RAW),
    "outcome": (lambda said: answers.outcome_from(said, 1.0), OUTCOME),
    "trained": (lambda said: decoded(said, Trained), TRAINED),
    "columns": (answers.columns_from, COLUMNS),
    "sample": (answers.sample_from, SAMPLE),
    "inspection": (lambda said: inspection_from(said.get("inspection")), {"inspection": sent(WHOLE)}),
    "failure": (lambda said: from_frame(said, "m", "load", "", None, details=said), {"code": "raised", "chain": []}),
    "progress": (answers.numbers, {"share": 0.5}),
}

TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=20)
NUMBERS = st.one_of(st.integers(), st.sampled_from([2**63, -(2**63) - 1, 10**400]), st.floats(allow_nan=False))
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, TEXT)
JSON = st.recursive(
    LEAVES, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)), max_leaves=8
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a value with each of its keys."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from places(value[key])


@pytest.mark.parametrize("name", DECODERS)
@settings(max_examples=60)
@given(data=st.data())
def test_arbitrary_json_is_the_record_or_malformed(name: str, data: st.DataObject) -> None:
    decode, right = DECODERS[name]
    changed = copy.deepcopy(right)
    for _ in range(data.draw(st.integers(1, 2))):
        container, key = data.draw(st.sampled_from([*places(changed)]))
        container[key] = data.draw(JSON)
    said = data.draw(st.sampled_from([changed, {**changed, **data.draw(st.dictionaries(TEXT, JSON, max_size=2))}]))
    with suppress(Malformed):
        decode(said)


@pytest.mark.parametrize("name", DECODERS)
def test_nothing_at_all_is_malformed_or_empty(name: str) -> None:
    with nullcontext() if name in ("failure", "progress") else pytest.raises(Malformed):
        DECODERS[name][0]({})


def test_what_is_right_becomes_its_record() -> None:
    found = {name: decode(json.loads(json.dumps(said))) for name, (decode, said) in DECODERS.items()}
    assert found["loaded"].signature.feature_names == ("x", "y")
    assert found["saved"] == answers.Saved(("predict",), (), 3, ("W: x",))
    assert found["evaluated"] == Evaluated("classifier", 3, {"accuracy": 1.0}, {"r2": "no"}, missing=1)
    assert found["data"] == (4, DataFile("t.csv", 9, (("a", "f8"),), None, "a\\x1b", (), 1))
    assert found["holdout"] == answers.HoldoutRows(9, 1, 2, 3, ("a",), b"\xff\x80")
    arrays = [answers.RawArray("predict", "<f8", (1,), 0, 8), answers.RawArray("n", "<i8", (), 8, 8)]
    assert (found["raw"].arrays, found["raw"].worker_ms) == (arrays, 2.0)
    assert found["outcome"] == Prediction(1, {"predict": [1]}, 0.5, 1.0, (), {}, "no truth")
    assert found["columns"] == DataColumns(("a",), 2)
    assert found["sample"] == ([{"a": 1}], [None])


def test_long_texts_are_cut_and_long_lists_too() -> None:
    said = {**EVALUATED, "notes": ["n" * 20_000] * 99, "causes": {"c" * 500: "x" * 500}, "warnings": ["w" * 9_999]}
    found = answers.evaluated_from(said)
    assert (len(found.notes), len(found.notes[0])) == (50, 10_000)
    assert [(len(name), len(cause)) for name, cause in found.causes.items()] == [(100, 300)]
    assert len(found.warnings[0]) <= 600
    assert len(answers.outcome_from({**OUTCOME, "unscored": "u" * 5000}, 1.0).unscored) == 1000
    for wrong in ({"methods": ["m"] * 51}, {"model_class": "m" * 10_001}):
        with pytest.raises(Malformed):
            answers.loaded_from({**LOADED, **wrong})


def test_of_progress_only_numbers_are_heard() -> None:
    assert answers.numbers({"a": 10**400, "b": 1e999, "c": True, "d": "1", "e" * 200: 2}) == {"c": 1.0, "e" * 100: 2.0}


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("raw", "arrays", [["predict", "<f8", [3]]]),
        ("raw", "arrays", [["predict", "|O", [2]]]),
        ("raw", "arrays", [["predict", "<f8", [-2]]]),
        ("holdout", "rows", 99),
        ("holdout", "rows", -1),
        ("outcome", "rows", 1e999),
        ("outcome", "rows", True),
        ("evaluated", "metrics", {"r2": 1e999}),
        ("loaded", "phases", {"read": 1e999}),
    ],
)
def test_sizes_and_numbers_are_checked(name: str, field: str, value: Any) -> None:
    decode, said = DECODERS[name]
    with pytest.raises(Malformed):
        decode({**said, field: value})
