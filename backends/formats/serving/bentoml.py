"""Models of BentoML's store: a directory with `model.yaml` and the model as its library saved it.

Layout: bentoml/_internal/models/model.py and frameworks, BentoML 1. `saved_model.pkl` is a joblib file.
"""

from __future__ import annotations

from collections.abc import Mapping

from backends.core.format import LoadedModel
from backends.core.inspection import GlobalRef, Inspection, Json
from backends.core.packed import is_packed, text_in, unpacked
from backends.core.plain_yaml import parse
from backends.core.source import Source
from backends.formats.serving import MODEL_YAML, bento_members
from backends.formats.serving.layout import Layout, inspection_of, load_model, mapping, text

_OWN = ("bentoml.", "bentoml._internal.")


def sniff(head: bytes, source: Source) -> bool:
    """Whether it is an archive of such a model."""
    return is_packed(source, head, bento_members)


def inspect(source: Source) -> Inspection:
    """The facts of a model in an archive. Raises Damaged, OSError."""
    with unpacked(source) as (members, findings):
        return inspection_of("bentoml", members, _told(members), "BentoML", findings)


def inspect_directory(members: Mapping[str, Source]) -> Inspection:
    """The facts of a model in a directory. Raises Damaged, OSError."""
    return inspection_of("bentoml", members, _told(members), "BentoML")


def load(source: Source, at: str = "") -> LoadedModel:
    """Build the model inside. Raises NotLoadable, Damaged, and what its format raises."""
    with unpacked(source) as (members, _findings):
        return load_model(members, _told(members), at)


def _told(members: Mapping[str, Source]) -> Layout:
    whole = parse(text_in(members, MODEL_YAML), MODEL_YAML)
    context = mapping(whole.get("context"))
    module = text(whole.get("module"))
    frameworks = mapping(context.get("framework_versions"))
    versions = {str(name)[:60]: text(version) for name, version in list(frameworks.items())[:20] if text(version)}
    model = next(iter(sorted(name for name in members if name.startswith("saved_model."))), "")
    signatures: list[Json] = [_signature(name, one) for name, one in mapping(whole.get("signatures")).items()]
    foreign = bool(module) and not module.startswith(_OWN)
    return Layout(
        model=model,
        texts=(MODEL_YAML,),
        summary=f"BentoML {text(whole.get('name'))}".strip(),
        versions=versions,
        details={
            "tag": f"{text(whole.get('name'))}:{text(whole.get('version'))}".strip(":"),
            "module": module,
            "framework": text(context.get("framework_name")),
            "bentoml": text(context.get("bentoml_version")),
            "python": text(context.get("python_version")),
            "created": text(whole.get("creation_time")),
            "signatures": signatures[:20],
            "labels": mapping(whole.get("labels")),
            "options": mapping(whole.get("options")),
            "metadata": mapping(whole.get("metadata")),
        },
        names=[GlobalRef(module, "load_model", 0, called=True, place=MODEL_YAML)] if foreign else [],
    )


def _signature(name: str, one: object) -> str:
    batch = mapping(one)
    return f"{name[:60]}, batched by side {text(batch.get('batch_dim')) or 0}" if batch.get("batchable") else name[:60]
