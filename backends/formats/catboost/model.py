"""CatBoost models as a format: inspected statically, run by CatBoost."""

from __future__ import annotations

import importlib
import time
from collections import Counter
from typing import Any, Optional

from backends.core.errors import NotLoadable
from backends.core.format import LoadedModel
from backends.core.inspection import Inspection, Json, ModelEntry, Signature
from backends.core.source import Source
from backends.formats.catboost.walk import Walked, walk

_LISTED = 200
_CLASSIFIER = frozenset(
    "Logloss CrossEntropy MultiClass MultiClassOneVsAll MultiLogloss MultiCrossEntropy Focal".split()  # noqa: SIM905
)
_RANKER = frozenset(
    """
    YetiRank YetiRankPairwise PairLogit PairLogitPairwise QueryRMSE QuerySoftMax QueryCrossEntropy StochasticRank
    LambdaMart GroupQuantile StochasticFilter
    """.split()  # noqa: SIM905
)
_GROUPS = ("boosting_options", "tree_learner_options", "data_processing_options")


def inspect(source: Source) -> Inspection:
    """The facts of one file, walked to its last byte. Raises Damaged, OSError."""
    found = walk(source)
    kind = f"catboost.core.{_class_of(found)}"
    parameters = _parameters(found)
    return Inspection(
        "catboost",
        model_class=kind,
        library_versions={"catboost": found.version} if found.version else {},
        parameters=parameters,
        signature=_signature(found),
        models=(ModelEntry("", kind, parameters, found.version),),
        n_weights=None if found.trees is None else found.trees.leaves * found.width,
        complete=found.unchecked is None,
        loadable=found.unchecked is None,
        findings=() if found.unchecked is None else (found.unchecked,),
        details=_details(found),
        summary=_summary(found),
    )


def load(source: Source, at: str = "") -> LoadedModel:
    """CatBoost's model of a file that was walked. Raises Damaged, NotLoadable, what CatBoost raises."""
    if at:
        raise NotLoadable("a CatBoost file holds one model: leave out the place")
    found = walk(source)
    if found.unchecked is not None:
        raise NotLoadable(f"only what was checked to its end is run: {found.unchecked.detail}")
    begun = time.perf_counter()
    try:
        catboost: Any = importlib.import_module("catboost")
    except ImportError:
        raise NotLoadable("running it needs the Python package catboost: install the catboost extra") from None
    model = getattr(catboost, _class_of(found))()
    model.load_model(blob=source.read(0, source.size))
    return LoadedModel(model, "catboost", phases={"model": time.perf_counter() - begun})


def _loss(found: Walked) -> str:
    told = found.told("params").get("loss_function")
    return str(told.get("type", ""))[:100] if isinstance(told, dict) else ""


def _class_of(found: Walked) -> str:
    """The class that its objective is trained by; the plain one where it tells none."""
    loss = _loss(found)
    if loss in _CLASSIFIER:
        return "CatBoostClassifier"
    return "CatBoostRanker" if loss in _RANKER else "CatBoostRegressor" if loss else "CatBoost"


def _parameters(found: Walked) -> dict[str, Json]:
    """Numbers and words of its training, each under its own name."""
    told = found.told("params")
    values: dict[str, Json] = {}
    for group in _GROUPS:
        options = told.get(group)
        for name, value in options.items() if isinstance(options, dict) else ():
            if isinstance(value, (bool, int, float, str)) and len(str(value)) <= 100 and not name.startswith("dev_"):
                values[name[:100]] = value
    return {"loss_function": _loss(found), **dict(list(values.items())[:_LISTED])} if values else {}


def _signature(found: Walked) -> Signature:
    columns = found.columns
    named = [column.name or str(at) for at, column in enumerate(columns)]
    known = any(column.name != str(at) for at, column in enumerate(columns) if column.name)
    texts = tuple(name for name, column in zip(named, columns) if column.kind in ("category", "text"))
    return Signature(
        len(columns) or None,
        tuple(named) if known else None,
        outputs=found.width,
        classes=_classes(found),
        texts=texts if known else (),
    )


def _classes(found: Walked) -> Optional[tuple[Json, ...]]:
    told = found.told("class_params").get("class_names")
    if not isinstance(told, list) or not told or _class_of(found) != "CatBoostClassifier":
        return None
    return tuple(told) if all(isinstance(one, (bool, int, float, str)) for one in told) else None


def _summary(found: Walked) -> str:
    if found.trees is None:
        return " · ".join(filter(None, ("GBDT", _loss(found))))
    count = found.trees.size
    return " · ".join(filter(None, (f"GBDT {count:,} {'tree' if count == 1 else 'trees'}", _loss(found))))


def _details(found: Walked) -> dict[str, Json]:
    kinds: Counter[str] = Counter(column.kind for column in found.columns)
    names = [column.name[:200] or str(at) for at, column in enumerate(found.columns)]
    classes, trees = _classes(found), found.trees
    details: dict[str, Json] = {
        "version": found.version,
        "objective": _loss(found),
        "trees": None if trees is None else trees.size,
        "best_iteration": _best(found),
        "classes": len(classes) if classes else None,
        "leaves": None if trees is None else trees.leaves,
        "deepest": None if trees is None else trees.depth,
        "symmetric": None if trees is None else trees.symmetric,
        "columns": dict(kinds),
        "feature_types": {name: column.kind for name, column in zip(names[:_LISTED], found.columns)},
        "feature_splits": _uses(found, names),
        "trained": found.info.get("train_finish_time", "")[:40],
    }
    return {name: value for name, value in details.items() if value not in (None, {}, "")}


def _best(found: Walked) -> Optional[int]:
    """The last iteration that was kept, where the best one was asked for."""
    asked = found.told("output_options").get("use_best_model") is True
    return found.trees.size - 1 if asked and found.trees is not None and found.trees.size else None


def _uses(found: Walked, names: list[str]) -> dict[str, Json]:
    """Splits of all trees by column; one at a combination of categories counts for each of them."""
    if found.trees is None or found.bins is None:
        return {}
    counts: Counter[int] = Counter()
    for split, number in Counter(found.trees.splits).items():
        for column in set(found.bins.sources[split]):
            counts[column] += number
    return {names[column]: number for column, number in counts.most_common(_LISTED)}
