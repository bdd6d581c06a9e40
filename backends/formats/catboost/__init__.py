"""CatBoost's own binary files: walked without CatBoost, run by it in a worker."""

from __future__ import annotations

from backends.core.footprint import MB, linear
from backends.core.format import Format

_CLASSES = ("CatBoost", "CatBoostClassifier", "CatBoostRegressor", "CatBoostRanker")

FORMATS = (
    Format(
        name="catboost",
        suffix=".cbm",
        implementation="backends.formats.catboost.model",
        title="a CatBoost model",
        suffixes=(".cbm", ".model", ".bin"),
        promises=(".cbm",),
        magic=(b"CBM1",),
        bytewise=True,
        adapter="backends.estimators.estimator:Estimator",
        not_loadable="only a CatBoost model whose structure was checked to its end is run",
        not_writable="a CatBoost model is written by CatBoost: model.save_model(...)",
        portability="CatBoost: C, Python, R, Java, Rust",
        compiles=True,
        pickled={f"catboost.core.{name}": ("__model",) for name in _CLASSES},
        extra="catboost",
        footprint=linear(125 * MB, 31 * MB, arrays=0, rest=1.25, shared=40 * MB),
    ),
)
