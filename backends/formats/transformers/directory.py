"""Transformers directories as a format: models with their tokenizer, adapters of PEFT, pipelines of diffusers.

Layout: `save_pretrained` of transformers 4 and 5, sentence-transformers 2 to 6, PEFT and diffusers. No class that a
file names is looked up but those on the list of `architectures`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Optional

from backends.core.counted import counted
from backends.core.errors import NotLoadable
from backends.core.findings import KINDS, finding
from backends.core.format import LoadedModel
from backends.core.inspection import Finding, Inspection, Json, Signature
from backends.core.packed import beside, is_packed, model_inside, unpacked
from backends.core.source import Source
from backends.core.strict_json import OverBudgetError
from backends.formats.transformers import ADAPTER, CONFIG, PIPELINE, members
from backends.formats.transformers.described import Described, code_named_in, described
from backends.formats.transformers.running import load_model
from backends.formats.transformers.settings import class_name, settings_in, whole, word
from backends.formats.transformers.weights import Weights

_NAME = "transformers"


def sniff(head: bytes, source: Source) -> bool:
    """Whether it is an archive of such a directory."""
    return is_packed(source, head, members)


def inspect(source: Source) -> Inspection:
    """The facts of a directory in an archive. Raises Damaged, OSError."""
    with unpacked(source) as (found, findings):
        return _inspection(found, findings)


def inspect_directory(members: Mapping[str, Source]) -> Inspection:
    """The facts of a directory. Raises Damaged, OSError."""
    return _inspection(members, ())


def load(source: Source, at: str = "") -> LoadedModel:
    """The model, ready for texts. Raises NotLoadable, Damaged, and what transformers raises."""
    if at:
        raise NotLoadable("a transformers directory is one model: leave out the place")
    with unpacked(source) as (found, _findings):
        try:
            told = described(_own(found))
        except OverBudgetError as error:
            raise NotLoadable(f"it is not run: {error}") from None
        if told.why_not:
            raise NotLoadable(f"it is not run: {told.why_not}")
        return load_model(found, told)


def _inspection(found: Mapping[str, Source], findings: Collection[Finding]) -> Inspection:
    own = _own(found)
    names, more = beside(found, {name for name in own if not name.endswith(".txt")})
    try:
        inspection = _pipeline(own) if PIPELINE in own else _model(own) if _is_model(own) else _adapter(own)
    except OverBudgetError as error:
        return Inspection(_NAME, loadable=False, findings=(*findings, *more, finding("limit", str(error), 0)))
    told = (*findings, *inspection.findings, *more)
    broken = any(KINDS[each.code] in ("damaged", "limit") for each in told)
    return replace(
        inspection,
        names=(*inspection.names, *names),
        findings=told,
        complete=inspection.complete and not broken,
        loadable=inspection.loadable and not broken,
    )


def _own(found: Mapping[str, Source]) -> Mapping[str, Source]:
    """The members that the layout knows, of all the files in an archive."""
    return {name: found[name] for name in members(found)}


def _is_model(own: Mapping[str, Source]) -> bool:
    return CONFIG in own and not any(name.startswith("adapter_model.") for name in own)


def _model(own: Mapping[str, Source]) -> Inspection:
    told = described(own)
    runs = not told.why_not
    version = word(told.config, "transformers_version")
    return _around(
        told.weights,
        summary=told.summary,
        details=told.details(),
        findings=told.findings(),
        model_class=f"transformers.{told.architecture or told.running.model}" if told.running else None,
        told=told if runs else None,
        version=version,
    )


def _adapter(own: Mapping[str, Source]) -> Inspection:
    """An adapter of PEFT: weights that change those of another model."""
    settings = settings_in(own, ADAPTER)
    weights = Weights()
    for name in sorted(one for one in own if one.startswith("adapter_model.")):
        weights.add(model_inside(own, name))
    kind, rank = word(settings, "peft_type")[:40], whole(settings, "r")
    details: dict[str, Json] = {
        "adapter": kind,
        "of": word(settings, "base_model_name_or_path"),
        "task": word(settings, "task_type"),
        "rank": rank,
        "not run": "an adapter changes another model, and is not run by itself",
    }
    summary = f"{kind or 'PEFT'} adapter · {counted(weights.count)}"
    return _around(weights, summary=summary, details=details, findings=[*code_named_in(own), *weights.findings])


def _pipeline(own: Mapping[str, Source]) -> Inspection:
    """A pipeline of diffusers: several models, each in its own directory."""
    settings = settings_in(own, PIPELINE)
    weights, code = Weights(), list(code_named_in(own))
    for name in own:
        if name.endswith((".safetensors", ".bin")):
            weights.add(model_inside(own, name))
    parts: dict[str, Json] = {}
    for name, value in list(settings.items())[:50]:
        if type(value) is list and len(value) == 2 and all(type(one) is str for one in value):
            parts[name[:60]] = f"{value[0][:60]}.{value[1][:60]}"
            if value[0] not in ("diffusers", "transformers", "stable_diffusion", "flax"):
                code.append(finding("transformers-code", f"{PIPELINE} takes {name[:60]} from {value[0][:100]}", 0))
    kind = class_name(settings.get("_class_name"))
    if not kind:
        code.append(finding("transformers-code", f"{PIPELINE} names no class of diffusers as its pipeline", 0))
    details: dict[str, Json] = {"pipeline": kind, "parts": parts, "not run": "pipelines of diffusers are not run here"}
    summary = f"{kind or 'diffusers pipeline'} · {counted(weights.count)}"
    return _around(weights, summary=summary, details=details, findings=[*code, *weights.findings])


def _around(
    weights: Weights,
    *,
    summary: str,
    details: dict[str, Json],
    findings: Collection[Finding],
    model_class: Optional[str] = None,
    told: Optional[Described] = None,
    version: str = "",
) -> Inspection:
    """The inspection of a directory with these weights; `told` is the model that is run."""
    return Inspection(
        _NAME,
        model_class=model_class,
        names=tuple(weights.names),
        library_versions={"transformers": version} if version else {},
        arrays=tuple(weights.tensors),
        n_weights=weights.count,
        complete=weights.complete,
        loadable=told is not None,
        findings=tuple(findings),
        details={key: value for key, value in details.items() if value not in (None, "", [], {})},
        summary=summary,
        signature=told.signature if told is not None else Signature(),
    )
