"""TorchServe archives: a zip with a manifest, the weights, and the handler, which is Python code.

Layout: model-archiver's manifest_components, versions 0.1 to 0.12.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from backends.core.errors import Damaged
from backends.core.format import LoadedModel
from backends.core.inspection import Inspection
from backends.core.packed import is_packed, text_in, unpacked
from backends.core.source import Source
from backends.formats.serving import MANIFEST, mar_members
from backends.formats.serving.layout import Layout, inspection_of, load_model, mapping, some, text

_BUILT_IN = ("base_handler", "image_classifier", "image_segmenter", "object_detector", "text_classifier")
"""Handlers that TorchServe brings."""


def sniff(head: bytes, source: Source) -> bool:
    """Whether it is a zip with TorchServe's manifest."""
    return is_packed(source, head, mar_members)


def inspect(source: Source) -> Inspection:
    """The manifest, and the model inside. Raises Damaged, OSError."""
    with unpacked(source) as (members, findings):
        return inspection_of("torchserve", members, _told(members), "TorchServe", findings)


def load(source: Source, at: str = "") -> LoadedModel:
    """Build the model inside, never its handler. Raises NotLoadable, Damaged, and what its format raises."""
    with unpacked(source) as (members, _findings):
        return load_model(members, _told(members), at)


def _told(members: Mapping[str, Source]) -> Layout:
    whole = _manifest(text_in(members, MANIFEST))
    model = mapping(whole.get("model"))
    weights, handler = text(model.get("serializedFile")), text(model.get("handler"))
    script = handler.partition(":")[0]
    code = [name for name in (script, text(model.get("modelFile"))) if name and name not in _BUILT_IN]
    requirements = text(model.get("requirementsFile"))
    lines = text_in(members, requirements).decode("utf-8", "replace").split("\n") if requirements in members else []
    return Layout(
        model=weights if weights in members else "",
        named=weights,
        texts=(MANIFEST,),
        code=f"its handler for each request: {', '.join(code)}" if code else "",
        summary=f"TorchServe {text(model.get('modelName'))}".strip(),
        details={
            "model": text(model.get("modelName")),
            "model version": text(model.get("modelVersion")),
            "handler": handler,
            "model code": text(model.get("modelFile")),
            "runtime": text(whole.get("runtime")),
            "created": text(whole.get("createdOn")),
            "archiver": text(whole.get("archiverVersion")),
            "requirements": some([line.strip() for line in lines if line.strip()]),
            "files": len(members),
        },
    )


def _manifest(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Damaged(f"{MANIFEST} is not valid JSON") from None
    if not isinstance(found, dict) or not isinstance(found.get("model"), dict):
        raise Damaged(f"{MANIFEST} says nothing of a model")
    return found
