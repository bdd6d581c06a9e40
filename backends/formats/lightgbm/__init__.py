"""LightGBM's own text files: walked without LightGBM, run by it in a worker."""

from __future__ import annotations

import re

from backends.core.footprint import MB, linear
from backends.core.format import Format

_START = re.compile(rb"tree\r?\nversion=v\d")


def _starts(head: bytes) -> bool:
    return _START.match(head) is not None


FORMATS = (
    Format(
        name="lightgbm",
        suffix=".lgb",
        implementation="backends.formats.lightgbm.model",
        title="a LightGBM model",
        suffixes=(".lgb", ".lgbm", ".txt", ".model", ".lightgbm", ".dat"),
        promises=(".lgb", ".lgbm"),
        starts=_starts,
        bytewise=True,
        adapter="backends.estimators.estimator:Estimator",
        not_loadable="only a LightGBM model in which every line is known is run",
        not_writable="a LightGBM model is written by LightGBM: booster.save_model(...)",
        portability="LightGBM: C, Python, R, Java",
        compiles=True,
        pickled={"lightgbm.basic.Booster": ("_handle", "handle")},
        extra="lightgbm",
        footprint=linear(179 * MB, 18 * MB, arrays=0, rest=3.4, shared=57 * MB),
    ),
)
