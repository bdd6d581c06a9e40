"""Text files of LightGBM, written by it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import lightgbm
import numpy as np

_DRAW = np.random.default_rng(0)
X = _DRAW.normal(size=(300, 5))
X[:, 4] = _DRAW.integers(0, 6, 300)
_TWO = (X[:, 0] + (X[:, 4] % 2) > 0.5).astype(int)
_BAGGED = {"bagging_freq": 1, "bagging_fraction": 0.5}
KINDS: dict[str, tuple[dict[str, Any], Any, dict[str, Any]]] = {
    "binary": ({"objective": "binary"}, _TWO, {}),
    "multiclass": ({"objective": "multiclass", "num_class": 3}, _DRAW.integers(0, 3, 300), {}),
    "regression": ({"objective": "regression"}, X[:, 0] * 2, {}),
    "ranking": ({"objective": "lambdarank"}, _TWO, {"group": [100] * 3}),
    "random forest": ({"objective": "binary", "boosting": "rf", **_BAGGED}, _TWO, {}),
    "dart": ({"objective": "binary", "boosting": "dart"}, _TWO, {}),
    "linear trees": ({"objective": "regression", "linear_tree": True}, X[:, 0] * 2, {}),
    "categories": (
        {"objective": "binary", "min_data_per_group": 1, "cat_smooth": 1}, _TWO, {"categorical_feature": [4]},
    ),
    "stumps": ({"objective": "binary", "num_leaves": 2}, _TWO, {}),
    "monotone": ({"objective": "regression", "monotone_constraints": [1, 0, -1, 0, 0]}, X[:, 0] * 2, {}),
    "a constant": ({"objective": "regression"}, np.ones(300), {}),
}  # fmt: skip


def booster(kind: str) -> Any:
    """A booster of this kind."""
    parameters, truth, more = KINDS[kind]
    data = lightgbm.Dataset(X, truth, params={"verbosity": -1}, **more)
    return lightgbm.train({"num_leaves": 7, **parameters, "verbosity": -1, "num_threads": 1}, data, 4)


def as_by_c(kind: str) -> bytes:
    """Its text as LightGBM writes it itself: its Python package adds a line."""
    return text(kind).partition("\n\npandas_categorical")[0].rstrip().encode()


@lru_cache
def text(kind: str) -> str:
    """Its text."""
    return str(booster(kind).model_to_string())
