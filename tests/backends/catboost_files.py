"""Files of CatBoost, written by it."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pandas as pd

_DRAW = np.random.default_rng(0)
X = pd.DataFrame(_DRAW.normal(size=(200, 4)), columns=[f"n{at}" for at in range(4)])
X["town"] = _DRAW.choice(list("abcdefgh"), 200)
X["size"] = _DRAW.choice(["1", "2", "3"], 200)
X.loc[::9, "n1"] = np.nan
NUMBERS = X[["n0", "n1", "n2", "n3"]]
_TWO = ((X["n0"] > 0.2) ^ X["town"].isin(list("abc"))).astype(int).to_numpy()
_THREE = _DRAW.integers(0, 3, 200)
_C, _R = catboost.CatBoostClassifier, catboost.CatBoostRegressor
_CATEGORIES = ["town", "size"]
KINDS: dict[str, tuple[Any, dict[str, Any], Any, Any, dict[str, Any]]] = {
    "binary": (_C, {}, NUMBERS, np.where(_TWO, "yes", "no"), {}),
    "multiclass": (_C, {"loss_function": "MultiClass"}, NUMBERS, _THREE, {}),
    "regression": (_R, {}, NUMBERS, X["n0"], {}),
    "several targets": (_R, {"loss_function": "MultiRMSE"}, NUMBERS, X[["n0", "n2"]], {}),
    "ranking": (catboost.CatBoostRanker, {}, NUMBERS, _TWO, {"group_id": np.repeat([0, 1], 100)}),
    "categories": (_C, {"cat_features": _CATEGORIES, "one_hot_max_size": 3}, X, _TWO, {}),
    "combinations": (
        _C, {"cat_features": _CATEGORIES, "one_hot_max_size": 1, "simple_ctr": ["Buckets", "Counter"],
             "max_ctr_complexity": 3, "loss_function": "MultiClass"}, X, _THREE, {},
    ),
    "by leaves": (_C, {"grow_policy": "Lossguide", "loss_function": "MultiClass"}, NUMBERS, _THREE, {}),
    "by levels": (_R, {"grow_policy": "Depthwise", "cat_features": _CATEGORIES}, X, X["n0"], {}),
    "early stopped": (
        _C, {"iterations": 30, "early_stopping_rounds": 2}, NUMBERS, _TWO, {"eval_set": (NUMBERS, 1 - _TWO)},
    ),
    "a single tree": (_R, {"iterations": 1}, NUMBERS, X["n0"], {}),
}  # fmt: skip
_PLAIN = {"iterations": 4, "depth": 3, "verbose": 0, "thread_count": 1, "allow_writing_files": False}


def rows(kind: str) -> pd.DataFrame:
    """The rows that a model of this kind takes."""
    found: pd.DataFrame = KINDS[kind][2]
    return found


@lru_cache
def fitted(kind: str) -> Any:
    """A fitted model of this kind."""
    made, parameters, inputs, truth, more = KINDS[kind]
    return made(**{**_PLAIN, **parameters}).fit(inputs, truth, **more)


@lru_cache
def saved(kind: str) -> bytes:
    """Its file."""
    return bytes_of(fitted(kind))


def bytes_of(model: Any) -> bytes:
    """The file of a fitted model."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "m.cbm"
        model.save_model(str(path))
        return path.read_bytes()
