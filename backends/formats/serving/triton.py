"""Models of Triton's repository: `config.pbtxt`, and a directory for each version.

Fields: triton-inference-server/common, model_config.proto; the default file of a backend: its model_repository.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backends.core.format import LoadedModel
from backends.core.inspection import Inspection, Json, Signature, TensorSpec
from backends.core.packed import is_packed, text_in, unpacked
from backends.core.source import Source
from backends.formats.serving import CONFIG, triton_members
from backends.formats.serving.layout import Layout, inspection_of, load_model, some, text
from backends.formats.serving.pbtxt import Message, parse

_TYPES = {"TYPE_BOOL": "bool", "TYPE_STRING": "str", "TYPE_BF16": "bfloat16"}
_TYPES.update({f"TYPE_INT{bits}": f"int{bits}" for bits in (8, 16, 32, 64)})
_TYPES.update({f"TYPE_UINT{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)})
_TYPES.update({f"TYPE_FP{bits}": f"float{bits}" for bits in (16, 32, 64)})
_FILES = (
    *("model.onnx", "model.savedmodel", "model.graphdef", "model.pt", "model.plan", "model.py", "xgboost.json"),
    *("xgboost.ubj", "xgboost.model", "model.txt", "model.json", "model.xml", "model.bin", "checkpoint.tl"),
)
"""The file of a version unless the configuration names another."""
_MOST = 200


def sniff(head: bytes, source: Source) -> bool:
    """Whether it is an archive of such a model."""
    return is_packed(source, head, triton_members)


def inspect(source: Source) -> Inspection:
    """The facts of a model in an archive. Raises Damaged, OSError."""
    with unpacked(source) as (members, findings):
        return inspection_of("triton", members, _told(members), "Triton", findings)


def inspect_directory(members: Mapping[str, Source]) -> Inspection:
    """The facts of a model in a directory. Raises Damaged, OSError."""
    return inspection_of("triton", members, _told(members), "Triton")


def load(source: Source, at: str = "") -> LoadedModel:
    """Build the newest version that Triton would serve. Raises NotLoadable, Damaged, and what its format raises."""
    with unpacked(source) as (members, _findings):
        return load_model(members, _told(members), at)


def _told(members: Mapping[str, Source]) -> Layout:
    config = parse(text_in(members, CONFIG), CONFIG)
    there = sorted({int(name.partition("/")[0]) for name in members if "/" in name})
    served, policy = _served(config, there)
    backend = text(_one(config, "backend")) or text(_one(config, "platform"))
    model, named = _file(config, members, served)
    batch = _one(config, "max_batch_size")
    rows = isinstance(batch, int) and batch > 0
    signature = Signature(takes=_tensors(config, "input", rows), gives=_tensors(config, "output", rows))
    details: dict[str, Json] = {
        "model": text(_one(config, "name")),
        "platform": text(_one(config, "platform")),
        "backend": text(_one(config, "backend")),
        "versions": some([str(one) for one in there]),
        "version policy": policy,
        "served versions": some([str(one) for one in served]),
        "max batch size": text(batch),
        "inputs": some([_words(one) for one in signature.takes]),
        "outputs": some([_words(one) for one in signature.gives]),
        "instances": some([_instances(one) for one in _messages(config, "instance_group")]),
        "ensemble of": some(_steps(config)),
    }
    own = backend == "python" or model.endswith(".py")
    summary = f"Triton {backend or 'model'}"
    code = f"{model or 'the Python model'} as the model" if own else ""
    return Layout(model, named, texts=(CONFIG,), code=code, summary=summary, signature=signature, details=details)


def _served(config: Message, there: list[int]) -> tuple[list[int], str]:
    """The versions that the policy serves of those there are, and the policy in words."""
    policy = next(iter(_messages(config, "version_policy")), {})
    if "all" in policy:
        return there, "all"
    if "specific" in policy:
        wanted = [one for part in _messages(policy, "specific") for one in part.get("versions", [])]
        return [one for one in there if one in wanted], f"specific: {', '.join(map(text, wanted[:20]))}"
    latest = next(iter(_messages(policy, "latest")), {})
    count = _one(latest, "num_versions")
    count = count if isinstance(count, int) and 0 < count < 1000 else 1
    return there[-count:], f"latest {count}"


def _file(config: Message, members: Mapping[str, Source], served: list[int]) -> tuple[str, str]:
    """The file, or the directory, that is the newest version which is served, and the name it has to have."""
    chosen = text(_one(config, "default_model_filename"))
    for version in reversed(served):
        prefix = next((name.partition("/")[0] for name in members if _number(name) == version), "")
        for name in (chosen,) if chosen else _FILES:
            path = f"{prefix}/{name}"
            if path in members or any(one.startswith(f"{path}/") for one in members):
                return path, ""
    return "", chosen


def _number(name: str) -> int:
    top, slash, _ = name.partition("/")
    return int(top) if slash and top.isdigit() else -1


def _messages(message: Message, field: str) -> list[Message]:
    return [one for one in message.get(field, [])[:_MOST] if isinstance(one, dict)]


def _one(message: Message, field: str) -> Any:
    """The last value of a field, which is the one that counts; None where it has none."""
    return (message.get(field) or [None])[-1]


def _tensors(config: Message, field: str, rows: bool) -> tuple[TensorSpec, ...]:
    found = []
    for one in _messages(config, field):
        dims = [side if isinstance(side, int) and side >= 0 else None for side in one.get("dims", [])[:32]]
        kind = text(_one(one, "data_type"))
        found.append(TensorSpec(text(_one(one, "name")), _TYPES.get(kind, ""), (None, *dims) if rows else tuple(dims)))
    return tuple(found)


def _words(spec: TensorSpec) -> str:
    sides = ", ".join("?" if side is None else str(side) for side in spec.shape or ())
    return f"{spec.name}: {spec.dtype or 'unknown'} ({sides})"


def _instances(group: Message) -> str:
    return f"{text(_one(group, 'count')) or 1} × {text(_one(group, 'kind')) or 'KIND_AUTO'}"


def _steps(config: Message) -> list[str]:
    steps = [step for one in _messages(config, "ensemble_scheduling") for step in _messages(one, "step")]
    return [text(_one(step, "model_name")) for step in steps]
