"""LightGBM text models as a format: inspected statically, run by LightGBM."""

from __future__ import annotations

import importlib
import time
from typing import Any, Optional

from backends.core.errors import NotLoadable
from backends.core.findings import finding
from backends.core.format import LoadedModel
from backends.core.inspection import Finding, Inspection, Json, ModelEntry, Signature
from backends.core.source import Source
from backends.formats.lightgbm.walk import Walked, walk

MOST_BYTES = 24 << 20
"""Text that an inspection goes through, in under a second."""
_MOST_RUN = 512 << 20
"""Text that is gone through before it is run."""
_CLASS = "lightgbm.basic.Booster"
_LISTED = 200
_TREES = {"gbdt": "GBDT", "rf": "random forest", "dart": "DART", "goss": "GOSS"}


def inspect(source: Source) -> Inspection:
    """The facts of one file, walked to its last byte. Raises Damaged, OSError."""
    if source.size > MOST_BYTES:
        problem = f"text of {source.size:,} bytes, which is checked when it is loaded"
        return Inspection("lightgbm", model_class=_CLASS, findings=(finding("limit", problem),))
    found = walk(source.read(0, source.size))
    return Inspection(
        "lightgbm",
        model_class=_CLASS,
        parameters=dict(list(found.parameters.items())[:_LISTED]),
        signature=_signature(found),
        models=(ModelEntry("", _CLASS),),
        n_weights=sum(tree.leaves for tree in found.trees),
        complete=not found.unknown,
        loadable=not found.unknown,
        findings=_unknown(found),
        details=_details(found),
        summary=_summary(found),
    )


def load(source: Source, at: str = "") -> LoadedModel:
    """LightGBM's Booster of a file that was walked. Raises Damaged, NotLoadable, what LightGBM raises."""
    if at:
        raise NotLoadable("a LightGBM file holds one model: leave out the place")
    if source.size > _MOST_RUN:
        raise NotLoadable(f"text of {source.size:,} bytes is not checked, so it is not run")
    data = source.read(0, source.size)
    unknown = walk(data).unknown
    if unknown:
        raise NotLoadable(f"'{unknown[0][:100]}' in it is nothing that this reader knows, so it is not run")
    begun = time.perf_counter()
    try:
        lightgbm: Any = importlib.import_module("lightgbm")
    except ImportError:
        raise NotLoadable("running it needs the Python package lightgbm: install the lightgbm extra") from None
    booster = lightgbm.Booster(model_str=data.decode())
    return LoadedModel(booster, "lightgbm", phases={"booster": time.perf_counter() - begun})


def _unknown(found: Walked) -> tuple[Finding, ...]:
    if not found.unknown:
        return ()
    more = f" and {len(found.unknown) - 1} more" if len(found.unknown) > 1 else ""
    return (finding("unknown-field", f"'{found.unknown[0][:100]}'{more} is nothing that this reader knows"),)


def _signature(found: Walked) -> Signature:
    names = None if list(found.names) == [f"Column_{at}" for at in range(len(found.names))] else found.names
    return Signature(len(found.names), names, outputs=found.classes)


def _summary(found: Walked) -> str:
    kind = _TREES.get(found.parameters.get("boosting", "gbdt"), "trees")
    task = found.objective.partition(" ")[0]
    count = len(found.trees)
    return " · ".join(filter(None, (f"{kind} {count:,} {'tree' if count == 1 else 'trees'}", task)))


def _details(found: Walked) -> dict[str, Json]:
    counts, gains = found.used()
    names = found.names
    most = sorted(gains, key=lambda at: -gains[at])[:_LISTED]
    types: dict[str, Json] = {names[at]: _type(info) for at, info in enumerate(found.infos[:_LISTED])}
    best: Optional[str] = found.parameters.get("best_iteration")
    details: dict[str, Json] = {
        "version": found.version,
        "objective": found.objective or None,
        "trees": len(found.trees),
        "iterations": len(found.trees) // found.per_iteration,
        "best_iteration": best,
        "classes": found.classes if found.classes > 1 else None,
        "leaves": sum(tree.leaves for tree in found.trees),
        "deepest": max((tree.depth for tree in found.trees), default=0),
        "linear": any(tree.linear for tree in found.trees),
        "averaged": found.averaged,
        "features_used": len(counts),
        "feature_types": types,
        "monotone": _monotone(found),
        "feature_gain": {names[at]: round(gains[at], 6) for at in most},
        "feature_splits": {names[at]: number for at, number in counts.most_common(_LISTED)},
        "categories": len(found.categories) if found.categories else None,
    }
    return {name: value for name, value in details.items() if value not in (None, {}, False)}


def _monotone(found: Walked) -> dict[str, Json]:
    """The features that answers may only rise or only fall with."""
    words = {1: "rising", -1: "falling"}
    told = [(name, words[sign]) for name, sign in zip(found.names, found.monotone) if sign]
    return dict(told[:_LISTED])


def _type(info: str) -> str:
    return "unused" if info == "none" else "number" if info.startswith("[") else "category"
