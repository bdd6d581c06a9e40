"""XGBoost's JSON and UBJSON as formats: inspected statically, run by XGBoost."""

from __future__ import annotations

import importlib
import json
import time
from collections import Counter
from typing import Any, Callable, NoReturn

from backends.core.errors import Damaged, NotLoadable
from backends.core.findings import finding
from backends.core.format import LoadedModel
from backends.core.inspection import Finding, Inspection, Json, ModelEntry, Signature
from backends.core.source import Source
from backends.formats.xgboost.ubjson import OverBudgetError, Reader
from backends.formats.xgboost.walk import Walked, walk

_MARKS = {b",": 3_000_000, b"[": 500_000, b"{": 200_000}
"""Characters that values of JSON are counted by, and how many are read in a moment."""
_VALUES = 1_000_000
_BYTES = 32 << 20
_WHEN_LOADED = 16
"""Times as much is checked before a model is run."""
_CLASS = "xgboost.core.Booster"
_LISTED = 200
_DEEPEST = 12
_KINDS = {"gbtree": "GBDT", "dart": "DART", "gblinear": "linear"}


class _Files:
    """One of the two spellings: `decode` gives the object that a file's bytes are, where it is not larger than so many
    times the usual."""

    def __init__(self, name: str, decode: Callable[[bytes, int], Any]) -> None:
        self._name = name
        self._decode = decode

    def inspect(self, source: Source) -> Inspection:
        """The facts of one file, walked to its last byte. Raises Damaged, OSError."""
        try:
            _data, found = self._walked(source, 1)
        except OverBudgetError as error:
            problem = finding("limit", f"{error}: it is checked when it is loaded")
            return Inspection(self._name, model_class=_CLASS, findings=(problem,))
        return Inspection(
            self._name,
            model_class=_CLASS,
            library_versions={"xgboost": found.version} if found.version else {},
            signature=_signature(found),
            models=(ModelEntry("", _CLASS, version=found.version or None),),
            n_weights=found.weights or sum(tree.leaves for tree in found.trees),
            complete=not found.unknown,
            findings=_unknown(found),
            details=_details(found),
            summary=_summary(found),
        )

    def inspect_pickled(self, source: Source) -> Inspection:
        """The facts of what a pickled Booster holds: a model, and the configuration that it was trained with. Raises
        Damaged, OSError."""
        if source.size > _BYTES:
            raise Damaged(f"{source.size:,} bytes are more than is checked in a moment")
        try:
            root = self._decode(source.read(0, source.size), 1)
        except OverBudgetError as error:
            raise Damaged(str(error)) from None
        if not isinstance(root, dict) or root.keys() != {"Config", "Model"} or not _is_plain(root["Config"], 0):
            raise Damaged("it holds more than a model and its configuration")
        found = walk(root["Model"])
        return Inspection(self._name, model_class=_CLASS, complete=not found.unknown, findings=_unknown(found))

    def load(self, source: Source, at: str = "") -> LoadedModel:
        """XGBoost's Booster of a file that was walked. Raises Damaged, NotLoadable, what XGBoost raises."""
        if at:
            raise NotLoadable("an XGBoost file holds one model: leave out the place")
        try:
            data, _found = self._walked(source, _WHEN_LOADED)
        except OverBudgetError as error:
            raise NotLoadable(f"only what was checked to its end is run: {error}") from None
        begun = time.perf_counter()
        try:
            xgboost: Any = importlib.import_module("xgboost")
        except ImportError:
            raise NotLoadable("running it needs the Python package xgboost: install the xgboost extra") from None
        booster = xgboost.Booster({"nthread": 1})
        booster.load_model(bytearray(data))
        return LoadedModel(booster, self._name, phases={"booster": time.perf_counter() - begun})

    def _walked(self, source: Source, times: int) -> tuple[bytes, Walked]:
        if source.size > times * _BYTES:
            raise OverBudgetError(f"a file of {source.size:,} bytes")
        data = source.read(0, source.size)
        return data, walk(self._decode(data, times))


def _is_plain(value: Any, depth: int) -> bool:
    """Whether a configuration is made of texts and numbers alone, and is no deeper than XGBoost writes one."""
    if isinstance(value, dict):
        return depth < _DEEPEST and all(_is_plain(one, depth + 1) for one in value.values())
    if isinstance(value, list):
        return depth < _DEEPEST and all(_is_plain(one, depth + 1) for one in value)
    return isinstance(value, (str, int, float))


def _from_json(data: bytes, times: int) -> Any:
    if any(data.count(mark) > times * most for mark, most in _MARKS.items()):
        raise OverBudgetError("more values than are checked in a moment")
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        at = error.pos if isinstance(error, json.JSONDecodeError) else None
        raise Damaged(f"it is not valid JSON: {type(error).__name__}", offset=at) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise Damaged(f"the field '{twice[:60]}' stands there twice")
    return found


def _no_number(name: str) -> NoReturn:
    raise Damaged(f"it holds {name}, which is no number in JSON")


def _unknown(found: Walked) -> tuple[Finding, ...]:
    if not found.unknown:
        return ()
    more = f" and {len(found.unknown) - 1} more" if len(found.unknown) > 1 else ""
    return (finding("unknown-field", f"'{found.unknown[0][:100]}'{more} is nothing that this reader knows"),)


def _signature(found: Walked) -> Signature:
    outputs = found.groups if found.objective != "multi:softmax" else 1
    return Signature(found.features or None, found.names or None, outputs=outputs)


def _summary(found: Walked) -> str:
    count, kind = len(found.trees), _KINDS.get(found.kind, found.kind)
    if found.kind == "gblinear":
        return f"linear · {found.objective}"
    if found.parallel > 1 and found.parallel * found.groups == count:
        kind = "random forest"
    return f"{kind} {count:,} {'tree' if count == 1 else 'trees'} · {found.objective}"


def _details(found: Walked) -> dict[str, Json]:
    counts, gains = found.used()
    names = found.names or tuple(f"f{at}" for at in range(found.features))
    most = sorted(gains, key=lambda at: -gains[at])[:_LISTED]
    details: dict[str, Json] = {
        "objective": found.objective,
        "booster": found.kind,
        "trees": len(found.trees),
        "iterations": len(found.trees) // (found.parallel * found.groups) if found.trees else None,
        "trees_at_once": found.parallel if found.parallel > 1 else None,
        "best_iteration": found.attributes.get("best_iteration"),
        "classes": found.classes or None,
        "targets": found.targets if found.targets > 1 else None,
        "base_score": found.base_score,
        "leaves": sum(tree.leaves for tree in found.trees) or None,
        "deepest": max((tree.depth for tree in found.trees), default=0),
        "features_used": len(counts) or None,
        "feature_types": dict(zip(names[:_LISTED], found.types)),
        "feature_gain": {names[at]: round(gains[at], 6) for at in most},
        "feature_splits": {names[at]: number for at, number in counts.most_common(_LISTED)},
        "attributes": {name[:100]: text[:200] for name, text in list(found.attributes.items())[:_LISTED]},
    }
    return {name: value for name, value in details.items() if value not in (None, {}, 0)}


UBJ = _Files("xgboost", lambda data, times: Reader(data, times * _VALUES).document())
JSON = _Files("xgboost-json", _from_json)
