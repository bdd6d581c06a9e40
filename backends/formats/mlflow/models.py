"""MLflow models as a format: what MLmodel says, and the model that it names, inspected and run as what that is.

Layout: mlflow/models/model.py and the `save_model` of each flavor, MLflow 1 to 3. Nothing that MLmodel names is ever
imported, and its own list of trusted types is not followed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from backends.core.errors import Damaged, NotLoadable
from backends.core.findings import finding
from backends.core.format import LoadedModel
from backends.core.inspection import Finding, GlobalRef, Inspection
from backends.core.packed import around, beside, code_in, is_packed, load_inside, model_inside, text_in, unpacked
from backends.core.source import Source
from backends.formats.mlflow import MLMODEL, members
from backends.formats.mlflow.described import Described, described
from backends.formats.mlflow.schema import with_signature

_UNFINISHED = (
    "an unfinished save of MLflow: the model's file is there and no MLmodel, as MLflow leaves it when it refuses to"
    " save a model; save it again (skops_trusted_types, or another serialization_format), or name the file otherwise"
    " where it is none of MLflow's"
)


def sniff(head: bytes, source: Source) -> bool:
    """Whether it is an archive of an MLflow model."""
    return is_packed(source, head, _whole)


def _whole(names: Collection[str]) -> tuple[str, ...]:
    return members(names) if MLMODEL in names else ()


def inspect(source: Source) -> Inspection:
    """The facts of an MLflow model in an archive. Raises Damaged, OSError."""
    with unpacked(source) as (found, findings):
        return _inspection(found, findings)


def inspect_directory(members: Mapping[str, Source]) -> Inspection:
    """The facts of an MLflow model in a directory. Raises Damaged, OSError."""
    return _inspection(members, [])


def _inspection(members: Mapping[str, Source], findings: list[Finding]) -> Inspection:
    if MLMODEL not in members:
        raise Damaged(_UNFINISHED)
    told = described(members)
    inner = _model(members, told, findings)
    names, found = beside(members, {MLMODEL, told.model_file})
    names += _loader(told)
    findings = [*findings, *found, *_code(members, told)]
    outer = around(inner, "mlflow", names, findings)
    versions = {**told.versions, **inner.library_versions}
    details = {**told.details, **{key: value for key, value in inner.details.items() if key not in told.details}}
    summary = inner.summary or ("" if inner.model_class else f"MLflow {told.flavor or 'model'}")
    outer = replace(outer, library_versions=versions, details=details, summary=summary)
    runs = outer.loadable and not told.own_code
    return with_signature(replace(outer, loadable=runs), text_in(members, MLMODEL))


def _model(members: Mapping[str, Source], told: Described, findings: list[Finding]) -> Inspection:
    if told.model_file:
        return model_inside(members, told.model_file)
    if told.named_file:
        code = "unsafe-path" if ".." in told.named_file or told.named_file.startswith("/") else "malformed"
        detail = f"{MLMODEL} names {told.named_file[:200]!r}, which is not in the directory"
        findings.append(finding(code, detail, 0))
    return Inspection("", loadable=False)


def _loader(told: Described) -> list[GlobalRef]:
    """The function that MLflow would import and call to load the model, where it is none of its own."""
    if not told.loader or told.knows_loader:
        return []
    return [GlobalRef(told.loader[:200], "_load_pyfunc", 0, called=True, place=MLMODEL)]


def _code(members: Mapping[str, Source], told: Described) -> list[Finding]:
    found = code_in(members, "mlflow-code", "MLflow would import Python code that lies beside the model")
    if told.own_code:
        found.append(finding("mlflow-code", f"the model is Python code of its own: {told.own_code[:200]}", 0))
    if told.trusts:
        detail = "MLmodel lists types to be trusted, which is the file's word about itself and is not followed"
        found.append(finding("mlflow-trusted-types", detail, 0))
    return found


def load(source: Source, at: str = "") -> LoadedModel:
    """Build the model inside as what it is. Raises NotLoadable, Damaged, and what its format raises."""
    with unpacked(source) as (found, _findings):
        told = described(found)
        if told.own_code or not told.model_file:
            raise NotLoadable("this MLflow model is Python code of its own, which is not run here")
        return load_inside(found, told.model_file, at)
