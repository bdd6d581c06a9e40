"""XGBoost's own files, JSON and UBJSON: walked without XGBoost, run by it in a worker; its old binary is told apart."""

from __future__ import annotations

import re
from functools import partial

from backends.core.footprint import MB, Footprint, linear
from backends.core.format import Format
from backends.core.inspection import Inspection

_JSON = re.compile(rb'\s*\{\s*"learner"\s*:\s*\{')
_UBJ = re.compile(rb"\{L\0{7}\x07learner\{")
_OBJECTIVE = re.compile(rb"(?:binary|reg|multi|rank|count|survival):\w{2,30}")
_PARAMETERS = 136
"""Bytes of the parameters of a learner, with which the old binary layout begins."""
_TREE = 6500
"""Bytes of a tree in memory, beside its nodes."""


def _starts_old(head: bytes) -> bool:
    """The parameters of a learner, then the name of its objective with its length before it."""
    at = _PARAMETERS + (4 if head.startswith(b"binf") else 0)
    length = int.from_bytes(head[at : at + 8], "little")
    return 4 < length < 40 and _OBJECTIVE.fullmatch(head[at + 8 : at + 8 + length]) is not None


def _of_trees(found: Inspection, size: int) -> Footprint:
    """The memory of trees that were read from UBJSON: what each takes besides its nodes."""
    trees = found.details.get("trees")
    model = int(3.5 * size) + (_TREE * trees if isinstance(trees, int) else 0)
    return Footprint(182 * MB, 21 * MB, model, shared=57 * MB, spread=0.4)


_format = partial(
    Format,
    suffixes=(".ubj", ".json", ".xgb", ".model", ".bst", ".bin", ".xgboost"),
    bytewise=True,
    compiles=True,
    extra="xgboost",
)

FORMATS = (
    _format(
        name="xgboost",
        suffix=".ubj",
        implementation="backends.formats.xgboost.model:UBJ",
        title="an XGBoost model",
        promises=(".ubj", ".xgb", ".bst"),
        starts=lambda head: _UBJ.match(head) is not None,
        footprint=_of_trees,
        adapter="backends.estimators.estimator:Estimator",
        not_writable="an XGBoost model is written by XGBoost: booster.save_model(...)",
        portability="XGBoost: C, Python, R, Java, Julia",
        pickled={"xgboost.core.Booster": ("handle",)},
    ),
    _format(
        name="xgboost-json",
        suffix=".json",
        implementation="backends.formats.xgboost.model:JSON",
        title="an XGBoost model in JSON",
        starts=lambda head: _JSON.match(head) is not None,
        footprint=linear(182 * MB, 21 * MB, arrays=0, rest=14.0, shared=57 * MB),
        adapter="backends.estimators.estimator:Estimator",
        not_writable="an XGBoost model is written by XGBoost: booster.save_model(...)",
        portability="XGBoost: C, Python, R, Java, Julia",
    ),
    _format(
        name="xgboost-binary",
        suffix=".bst",
        implementation="backends.formats.xgboost.old_binary",
        title="an XGBoost model in the binary layout that XGBoost 3.1 gave up",
        starts=_starts_old,
        not_loadable="XGBoost reads this layout no more: load it with XGBoost 3.0 or older and save it as .ubj",
    ),
)
