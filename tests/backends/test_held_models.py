"""Boosters in pickles: known where the model in each was read to its end, by the format that it is in."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable
from typing import Any

import catboost
import lightgbm
import numpy as np
import pytest
import xgboost

from backends.formats.pickle import held_models
from console.records import Verdict
from console.trust.policy import Policy
from console.trust.verdict import judge
from tests.hostile import integer, name, text
from tests.inspecting import inspect_bytes

X = np.random.default_rng(0).normal(size=(60, 4))
Y = (X[:, 0] > 0).astype(int)


def lightgbm_model() -> Any:
    return lightgbm.LGBMClassifier(n_estimators=3, verbosity=-1, n_jobs=1).fit(X, Y)


def xgboost_model() -> Any:
    return xgboost.XGBClassifier(n_estimators=3, n_jobs=1).fit(X, Y)


def catboost_model() -> Any:
    return catboost.CatBoostRegressor(iterations=3, verbose=0, thread_count=1, allow_writing_files=False).fit(X, Y)


HONEST: dict[str, Callable[[], Any]] = {
    "lightgbm": lightgbm_model,
    "lightgbm's booster": lambda: lightgbm_model().booster_,
    "xgboost": xgboost_model,
    "xgboost's booster": lambda: xgboost_model().get_booster(),
    "catboost": catboost_model,
    "two in a list": lambda: [lightgbm_model(), xgboost_model()],
}


def verdict(data: bytes) -> Verdict | None:
    return judge(inspect_bytes(data, "m.pkl"), Policy()).verdict


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("which", HONEST)
def test_what_was_read_to_its_end_is_safe(which: str, protocol: int) -> None:
    data = pickle.dumps(HONEST[which](), protocol)
    found = verdict(data)
    spelled = protocol == 2 and which not in ("lightgbm", "lightgbm's booster")
    assert found is (Verdict.REVIEW if spelled else Verdict.SAFE), "bytes of protocol 2 are spelled as text"


def test_a_tree_that_leads_out_of_its_model_is_not() -> None:
    data = pickle.dumps(lightgbm_model(), 4)
    begin = data.index(b"left_child=") + len(b"left_child=")
    assert verdict(data[:begin] + b"9" + data[begin + 1 :]) is Verdict.REVIEW
    data = pickle.dumps(xgboost_model(), 4)
    at = data.index(b"left_children") + len(b"left_children")
    at = data.index(b"L", at + 3) + 9
    assert verdict(data[:at] + struct.pack(">i", 99_999) + data[at + 4 :]) is Verdict.REVIEW
    data = pickle.dumps(catboost_model(), 4)
    at = data.index(b"CBM1")
    assert verdict(data[: at + 4] + struct.pack("<I", 1 << 30) + data[at + 8 :]) is Verdict.REVIEW


MODEL = lightgbm_model().booster_.model_to_string()
BOOSTER = name("lightgbm.basic", "Booster")
NEW = BOOSTER + b")\x81"


def _state(model: str, key: str = "_handle") -> bytes:
    return b"}" + text(key) + text(model) + b"s"


HELD = {
    "two, and one of them broken": (
        b"\x80\x04](" + NEW + _state(MODEL) + b"b" + NEW + _state("tree") + b"be.", Verdict.REVIEW,
    ),
    "as written": (b"\x80\x04" + NEW + _state(MODEL) + b"b.", Verdict.SAFE),
    "under the older key": (b"\x80\x04" + NEW + _state(MODEL, "handle") + b"b.", Verdict.SAFE),
    "another one under the key of older releases": (
        b"\x80\x04" + NEW + b"}(" + text("_handle") + text(MODEL) + text("handle") + text("tree") + b"ub.",
        Verdict.REVIEW,
    ),
    "nothing": (b"\x80\x04" + NEW + b"}" + text("_handle") + b"Nsb.", Verdict.SAFE),
    "never given a state": (b"\x80\x04" + NEW + b".", Verdict.REVIEW),
    "another text": (b"\x80\x04" + NEW + _state("tree\nversion=v4\n") + b"b.", Verdict.REVIEW),
    "more behind it": (b"\x80\x04" + NEW + _state(MODEL + "\nTree=9\n") + b"b.", Verdict.REVIEW),
    "a constructor that is called": (
        b"\x80\x04" + BOOSTER + text("/tmp/other.txt") + b"\x85R" + _state(MODEL) + b"b.", Verdict.REVIEW,
    ),
    "a constructor that is called as new": (
        b"\x80\x04" + BOOSTER + text("/tmp/other.txt") + b"\x85\x81" + _state(MODEL) + b"b.", Verdict.REVIEW,
    ),
    "made good afterwards": (
        b"\x80\x04}\x94" + text("_handle") + text("tree") + b"s0" + NEW + b"h\x00" + b"b" + b"h\x00"
        + text("_handle") + text(MODEL) + b"s0.", Verdict.REVIEW,
    ),
    "spoilt afterwards": (
        b"\x80\x04}\x94" + text("_handle") + text(MODEL) + b"s0" + NEW + b"h\x00" + b"b" + b"h\x00"
        + text("_handle") + text("tree") + b"s0.", Verdict.SAFE,
    ),
    "another one behind very many keys": (
        b"\x80\x04" + NEW + b"}(" + text("_handle") + text(MODEL)
        + b"".join(text(f"k{number}") + b"N" for number in range(100_001)) + text("_handle") + text("tree") + b"ub.",
        Verdict.REVIEW,
    ),
    "a key that is computed": (
        b"\x80\x04" + NEW + b"}(" + text("_handle") + text(MODEL) + name("_codecs", "encode") + text("_handle")
        + b"\x85R" + text("tree") + b"ub.", Verdict.REVIEW,
    ),
    "a second time": (b"\x80\x04" + NEW + _state(MODEL) + b"b" + _state("tree") + b"b.", Verdict.BLOCKED),
    "a number": (b"\x80\x04" + NEW + b"}" + text("_handle") + integer(1) + b"sb.", Verdict.REVIEW),
    "state that is no dict": (b"\x80\x04" + NEW + b"N" + _state(MODEL) + b"\x86b.", Verdict.REVIEW),
}  # fmt: skip


@pytest.mark.parametrize("which", HELD)
def test_a_state_counts_as_it_is_when_it_is_set(which: str) -> None:
    data, expected = HELD[which]
    assert verdict(data) is expected


def test_nothing_is_added_to_a_bytearray_of_the_stream_either() -> None:
    handle = bytes(xgboost_model().get_booster().__getstate__()["handle"])
    whole = b"\x96" + struct.pack("<Q", len(handle)) + handle
    new = name("xgboost.core", "Booster") + b")\x81}" + text("handle")
    assert verdict(b"\x80\x05" + new + whole + b"sb.") is Verdict.SAFE
    assert verdict(b"\x80\x05" + new + whole + integer(65) + b"asb.") is not Verdict.SAFE
    later = b"\x80\x05" + whole + b"\x940" + new + b"h\x00s" + b"h\x00" + integer(65) + b"a0b."
    assert verdict(later) is not Verdict.SAFE


def test_bytes_that_something_was_added_to_are_not_read() -> None:
    handle = bytes(xgboost_model().get_booster().__getstate__()["handle"])
    new = b"\x80\x05" + name("xgboost.core", "Booster") + b")\x81}" + text("handle")
    whole = name("builtins", "bytearray") + b"B" + struct.pack("<I", len(handle)) + handle + b"\x85R"
    assert verdict(new + whole + b"sb.") is Verdict.SAFE
    assert verdict(new + whole + integer(65) + b"a" + b"sb.") is not Verdict.SAFE


def test_models_beyond_a_budget_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pickle.dumps([lightgbm_model(), lightgbm_model()], 4)
    assert verdict(data) is Verdict.SAFE
    monkeypatch.setattr(held_models, "_MOST_BYTES", len(data) * 2 // 3)
    assert verdict(data) is Verdict.REVIEW
