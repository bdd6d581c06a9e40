"""The signature of an MLflow model: columns with names and types, or tensors, and parameters of a request."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Optional

from backends.core.inspection import ONE_TEXT, Inspection, Json, Signature, TensorSpec
from backends.core.plain_yaml import parse
from backends.formats.mlflow import MLMODEL

_TYPES = {
    "double": "float64", "float": "float32", "long": "int64", "integer": "int32", "boolean": "bool", "string": "str",
    "binary": "bytes", "datetime": "datetime64[ns]",
}  # fmt: skip
_MOST = 10_000
_TOLD = 100


def with_signature(found: Inspection, mlmodel: bytes) -> Inspection:
    """The inspection with what MLmodel says of inputs and outputs, where the model itself says less."""
    told = parse(mlmodel, MLMODEL).get("signature")
    if not isinstance(told, dict):
        return found
    inputs, outputs, params = (_listed(told.get(key)) for key in ("inputs", "outputs", "params"))
    details: dict[str, Json] = dict(found.details)
    for key, value in (("inputs", inputs), ("outputs", outputs), ("parameters of a request", params)):
        if value:
            words: list[Json] = [_words(one) for one in value[:_TOLD]]
            details[key] = [*words, f"… {len(value) - _TOLD} more"] if len(value) > _TOLD else words
    return replace(found, signature=_merged(found, inputs, outputs), details=details)


def _listed(text: Any) -> list[dict[str, Any]]:
    """The columns or tensors that a JSON text lists; none where it is no such text."""
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return []
    kept = found[:_MOST] if isinstance(found, list) else []
    return [one for one in kept if isinstance(one, dict)]


def _words(one: dict[str, Any]) -> str:
    spec = _spec(one)
    shape = f" {[side if side is not None else -1 for side in spec.shape]}" if spec.shape is not None else ""
    optional = ", optional" if one.get("required") is False or one.get("optional") is True else ""
    default = f" = {str(one['default'])[:60]}" if "default" in one else ""
    return f"{spec.name + ': ' if spec.name else ''}{spec.dtype or one.get('type')}{shape}{default}{optional}"[:200]


def _spec(one: dict[str, Any]) -> TensorSpec:
    name = str(one.get("name") or "")[:200]
    tensor = one.get("tensor-spec")
    if not isinstance(tensor, dict):
        return TensorSpec(name, _TYPES.get(str(one.get("type")), str(one.get("type"))[:40]))
    sides = tensor.get("shape")
    known = isinstance(sides, list) and all(type(side) is int and -1 <= side < 1 << 62 for side in sides)
    shape: Optional[tuple[Optional[int], ...]] = None
    if known and isinstance(sides, list):
        shape = tuple(side if side >= 0 else None for side in sides)
    return TensorSpec(name, str(tensor.get("dtype"))[:40], shape)


def _merged(found: Inspection, inputs: list[dict[str, Any]], outputs: list[dict[str, Any]]) -> Signature:
    """The model's own signature, completed by that of MLflow; tensors are told where the model is no table's."""
    own = found.signature
    columns = [_spec(one) for one in inputs if not isinstance(one.get("tensor-spec"), dict)]
    if inputs and len(columns) == len(inputs):
        names = tuple(one.name for one in columns)
        named = names if all(names) and len(set(names)) == len(names) else None
        texts = tuple(one.name or ONE_TEXT for one in columns if one.dtype == "str")
        return replace(
            own,
            feature_names=own.feature_names or named,
            n_features=own.n_features if own.n_features is not None else len(columns),
            texts=own.texts or texts,
        )
    takes = tuple(map(_spec, inputs))
    table = found.model_class is not None or own.takes
    if table and len(takes) == 1 and takes[0].shape is not None and len(takes[0].shape) == 2:
        return replace(own, n_features=own.n_features if own.n_features is not None else takes[0].shape[1])
    return own if table else replace(own, takes=takes, gives=own.gives or tuple(map(_spec, outputs)))
