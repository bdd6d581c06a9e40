"""Files of XGBoost, written by it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import xgboost

_DRAW = np.random.default_rng(0)
X = _DRAW.normal(size=(300, 5)).astype(np.float32)
X[:, 4] = _DRAW.integers(0, 6, 300)
_TWO = (X[:, 0] + (X[:, 4] % 2) > 0.5).astype(int)
_HOLES = X.copy()
_HOLES[::7, 1] = np.nan
KINDS: dict[str, tuple[dict[str, Any], Any, dict[str, Any]]] = {
    "binary": ({"objective": "binary:logistic"}, _TWO, {}),
    "multiclass": ({"objective": "multi:softprob", "num_class": 3}, _DRAW.integers(0, 3, 300), {}),
    "regression": ({"objective": "reg:squarederror"}, X[:, 0] * 2, {}),
    "ranking": ({"objective": "rank:ndcg"}, _TWO, {"group": [100] * 3}),
    "dart": ({"objective": "binary:logistic", "booster": "dart", "rate_drop": 0.5}, _TWO, {}),
    "linear": ({"objective": "reg:squarederror", "booster": "gblinear", "updater": "coord_descent"}, X[:, 0], {}),
    "random forest": ({"objective": "binary:logistic", "num_parallel_tree": 4, "subsample": 0.5}, _TWO, {}),
    "categories": (
        {"objective": "binary:logistic"}, _TWO, {"feature_types": ["q"] * 4 + ["c"], "enable_categorical": True},
    ),
    "several targets": (
        {"objective": "reg:squarederror", "multi_strategy": "multi_output_tree"}, X[:, :2] * [1.0, 2.0], {},
    ),
    "stumps": ({"objective": "binary:hinge", "max_depth": 1}, _TWO, {"feature_names": list("abcde")}),
}  # fmt: skip


def rows(kind: str) -> Any:
    """A matrix as the booster takes it."""
    more = {name: value for name, value in KINDS[kind][2].items() if name != "group"}
    return xgboost.DMatrix(X, nthread=1, **more)


@lru_cache
def booster(kind: str) -> Any:
    """A booster of this kind."""
    parameters, truth, more = KINDS[kind]
    data = xgboost.DMatrix(_HOLES if kind == "regression" else X, truth, nthread=1, **more)
    depth = {} if "booster" in parameters else {"max_depth": 3}
    return xgboost.train({**depth, **parameters, "nthread": 1, "seed": 0}, data, 4)


def saved(kind: str, layout: str) -> bytes:
    """Its bytes in "ubj" or "json"."""
    return bytes(booster(kind).save_raw(layout))
