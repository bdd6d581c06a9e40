"""Common ground of the layouts: the model that a layout names, inside the facts that the layout tells."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from backends.core import directories
from backends.core.errors import Damaged, NotLoadable, Unsupported
from backends.core.findings import finding
from backends.core.format import LoadedModel
from backends.core.inspection import Finding, GlobalRef, Inspection, Json, Signature
from backends.core.packed import around, beside, code_in, load_inside, model_inside
from backends.core.source import Source

_TOLD = 50


@dataclass
class Layout:
    """Words of one layout.

    `model` is the member that is the model, or the directory of members that together are; `named` what the layout
    calls it; `others` are directories of other versions, `texts` members that are no models; `code` says what of it is
    code.
    """

    model: str = ""
    named: str = ""
    others: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    code: str = ""
    summary: str = ""
    signature: Signature = field(default_factory=Signature)
    versions: dict[str, str] = field(default_factory=dict)
    details: dict[str, Json] = field(default_factory=dict)
    names: list[GlobalRef] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def inspection_of(
    name: str, members: Mapping[str, Source], told: Layout, server: str, findings: Collection[Finding] = ()
) -> Inspection:
    """The facts of the model inside, under those of the layout. Raises Damaged, OSError."""
    inner = _inner(members, told)
    for other in told.others:
        older = _directory(members, other)
        told.names.extend(older.names)
        told.findings.extend(older.findings)
    inside = [one for one in members if one.partition("/")[0] in (told.model, *told.others)]
    names, found = beside(members, {told.model, *told.texts, *inside})
    code = code_in(members, "served-code", f"{server} imports Python code that lies in it")
    if told.code:
        code = [finding("served-code", f"{server} runs {told.code[:200]}", 0)]
    outer = around(inner, name, [*names, *told.names], [*findings, *told.findings, *found, *code])
    details = {key: value for key, value in told.details.items() if value not in (None, "", [], {})}
    signature = outer.signature
    if not (signature.takes or signature.n_features is not None or outer.model_class):
        signature = replace(signature, takes=told.signature.takes, gives=told.signature.gives)
    return replace(
        outer,
        signature=signature,
        library_versions={**told.versions, **inner.library_versions},
        summary=inner.summary or ("" if inner.model_class else told.summary),
        details={**details, **{key: value for key, value in inner.details.items() if key not in details}},
    )


def _inner(members: Mapping[str, Source], told: Layout) -> Inspection:
    if told.model in members:
        return model_inside(members, told.model)
    if told.model and any(one.startswith(f"{told.model}/") for one in members):
        return _directory(members, told.model)
    if told.named:
        code = "unsafe-path" if ".." in told.named or told.named.startswith("/") else "malformed"
        told.findings.append(finding(code, f"it names {told.named[:200]!r}, which is not there", 0))
    return Inspection("", loadable=False)


def _directory(members: Mapping[str, Source], place: str) -> Inspection:
    """The facts of a directory among the members; what nothing reads is not complete. Raises Damaged, OSError."""
    inside = {one[len(place) + 1 :]: members[one] for one in members if one.startswith(f"{place}/")}
    try:
        found = directories.inspect(inside)
    except Unsupported:
        return Inspection("", loadable=False, details={"model file": place})
    except Damaged as error:
        raise Damaged(f"{place}: {error}", offset=error.offset) from None
    details: dict[str, Json] = {**found.details, "model file": place, "model format": found.format}
    names = tuple(replace(use, place=f"{place}, {use.place}" if use.place else place) for use in found.names)
    findings = tuple(replace(each, detail=f"{place}: {each.detail}") for each in found.findings)
    return replace(found, loadable=False, details=details, names=names, findings=findings)


def load_model(members: Mapping[str, Source], told: Layout, at: str) -> LoadedModel:
    """Build the model inside. Raises NotLoadable, and what its format raises."""
    if told.model not in members:
        raise NotLoadable("there is no single model file in it that could be run")
    return load_inside(members, told.model, at)


def mapping(value: Any) -> dict[str, Any]:
    """A mapping, an empty one in the place of anything else."""
    return value if isinstance(value, dict) else {}


def text(value: Any) -> str:
    """A short text, of a number too; empty in the place of anything else."""
    return str(value)[:200] if isinstance(value, (str, int, float)) and not isinstance(value, bool) else ""


def some(items: Collection[str]) -> list[Json]:
    """The first of many words, and how many more there are."""
    words: list[Json] = [item[:200] for item in list(items)[:_TOLD]]
    return [*words, f"… {len(items) - _TOLD} more"] if len(items) > _TOLD else words
