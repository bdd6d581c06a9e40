"""The signature of a loaded model as it is told to the console."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backends.core.inputs import TEXT, Inputs
from backends.core.inspection import ONE_TEXT, Json, TensorSpec
from backends.core.model import Model
from console.worker.child.jsonable import jsonable

CLASSES_CAP = 10_000
TENSORS_CAP = 1000


def signature_of(model: Model) -> dict[str, Json]:
    """The signature as the model has it (see `backends.core.inspection.Signature`)."""
    found = model.signature
    return {
        "n_features": found.n_features,
        "feature_names": None if found.feature_names is None else list(found.feature_names),
        "outputs": found.outputs,
        "classes": _classes(found.classes),
        "texts": _texts(model.inputs, found.feature_names or ()),
        "takes": _tensors(found.takes),
        "gives": _tensors(found.gives),
    }


def _tensors(specs: Sequence[TensorSpec]) -> list[Json]:
    return [
        {"name": one.name, "dtype": one.dtype, "shape": None if one.shape is None else list(one.shape)}
        for one in specs[:TENSORS_CAP]
    ]


def _texts(inputs: Inputs, names: Sequence[str]) -> list[Json]:
    if inputs.takes_texts and not names:
        return [ONE_TEXT]
    kinds = inputs.kinds(list(names)) if names else {}
    return [name for name in names if name in kinds and kinds[name].kind == TEXT]


def _classes(classes: Any) -> Json:
    plain = None if classes is None else jsonable(classes)
    return plain[:CLASSES_CAP] if isinstance(plain, list) else None
