"""The signature of a live model: its inputs' names and count, its outputs and classes."""

from __future__ import annotations

from typing import Any, Optional

from backends.core.inspection import Json
from console.worker.child import input_schema
from console.worker.child.introspection import attribute
from console.worker.child.jsonable import jsonable

CLASSES_CAP = 10_000


def signature_of(model: Any) -> dict[str, Json]:
    """The signature as the fitted object has it (see `backends.core.inspection.Signature`)."""
    names = input_schema.names_of(model)
    return {
        "n_features": input_schema.count_of(model),
        "feature_names": None if names is None else list(names),
        "outputs": _count(attribute(model, "n_outputs_")),
        "classes": _classes(attribute(model, "classes_")),
    }


def _count(value: Any) -> Optional[int]:
    try:
        return None if value is None else int(value)
    except (TypeError, ValueError):
        return None


def _classes(classes: Any) -> Json:
    plain = None if classes is None else jsonable(classes)
    return plain[:CLASSES_CAP] if isinstance(plain, list) else None
