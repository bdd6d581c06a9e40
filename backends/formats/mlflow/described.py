"""The words of MLmodel: flavors, versions, where the model lies, what would be imported to load it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from backends.core.errors import Damaged
from backends.core.format import HEAD
from backends.core.inspection import Json
from backends.core.packed import text_in
from backends.core.plain_yaml import parse
from backends.core.registry import is_worth_reading
from backends.core.source import Source
from backends.formats.mlflow import MLMODEL

_FLAVORS = (
    "catboost crate diviner fastai gluon h2o johnsnowlabs keras langchain lightgbm llama_index mleap onnx openai paddle"
    " pmdarima promptflow prophet pytorch sentence_transformers shap sklearn spacy spark statsmodels tensorflow"
    " transformers xgboost"
)
_LOADERS = frozenset(
    (*(f"mlflow.{name}" for name in _FLAVORS.split()), "mlflow.pyfunc.model", "mlflow.pyfunc.loaders.code_model")
)
"""Modules of MLflow itself that load a model."""
_OWN_CODE = ("mlflow.pyfunc.model", "mlflow.pyfunc.loaders.code_model", "mlflow.pyfunc.loaders.chat_model",
             "mlflow.pyfunc.loaders.responses_agent", "mlflow.pyfunc.loaders.chat_agent")  # fmt: skip
_FILES = ("pickled_model", "model_data", "model_binary", "data", "model_path", "model_file", "python_model")
"""Where flavors say the model lies."""
_VERSIONS = {
    "sklearn_version": "scikit-learn", "lgb_version": "lightgbm", "xgb_version": "xgboost", "onnx_version": "onnx",
    "catboost_version": "catboost", "pytorch_version": "torch", "keras_version": "keras",
    "statsmodels_version": "statsmodels", "cloudpickle_version": "cloudpickle",
    "transformers_version": "transformers",
}  # fmt: skip
_TOLD = 50


@dataclass
class Described:
    """Words of one MLmodel. `model_file` is the member that is the model, `named_file` what MLmodel calls it;
    `own_code` says what runs where the model is Python code of its own."""

    flavor: str = ""
    model_file: str = ""
    named_file: str = ""
    loader: str = ""
    own_code: str = ""
    trusts: bool = False
    versions: dict[str, str] = field(default_factory=dict)
    details: dict[str, Json] = field(default_factory=dict)

    @property
    def knows_loader(self) -> bool:
        """Whether the module that loads it is one of MLflow's own."""
        return self.loader in _LOADERS or self.loader in _OWN_CODE


def described(members: Mapping[str, Source]) -> Described:
    """The words of the MLmodel among these members. Raises Damaged, OSError."""
    whole = parse(text_in(members, MLMODEL), MLMODEL)
    flavors = whole.get("flavors")
    if not isinstance(flavors, dict) or not all(isinstance(one, dict) for one in flavors.values()):
        raise Damaged(f"{MLMODEL} names no flavors, so it says nothing of the model")
    python = _mapping(flavors.get("python_function"))
    own = [name for name in flavors if name != "python_function"]
    found = Described(flavor=own[0] if own else "", loader=_text(python.get("loader_module")))
    ordered = [_mapping(flavors[name]) for name in own] + [python]
    found.named_file, found.model_file = _file(ordered, members)
    found.trusts = any(one.get("skops_trusted_types") for one in ordered)
    code = python.get("python_model") or whole.get("model_code_path") or python.get("model_code_path")
    if found.loader in _OWN_CODE or code:
        found.own_code = _text(code) or found.loader
    for one in ordered:
        found.versions.update({name: _text(one[key]) for key, name in _VERSIONS.items() if _text(one.get(key))})
    if _text(whole.get("mlflow_version")):
        found.versions["mlflow"] = _text(whole["mlflow_version"])
    found.details = _details(whole, python, list(flavors), members)
    serialized = next((_text(one["serialization_format"]) for one in ordered if one.get("serialization_format")), "")
    if serialized:
        found.details["serialized as"] = serialized
    return found


def _file(flavors: list[dict[str, Any]], members: Mapping[str, Source]) -> tuple[str, str]:
    """The name that a flavor gives the model's file, and which member it is: it, or a model in a directory of it."""
    named = [_text(one.get(key)) for one in flavors for key in _FILES if _text(one.get(key))]
    for name in named:
        if name in members:
            return name, name
        inner = sorted(one for one in members if one.startswith(f"{name.rstrip('/')}/"))
        for one in inner:
            if is_worth_reading(members[one].read(0, HEAD), members[one].size):
                return name, one
    return (named[0] if named else ""), ""


def _details(
    whole: dict[str, Json], python: dict[str, Any], flavors: list[str], members: Mapping[str, Source]
) -> dict[str, Json]:
    example = _mapping(whole.get("saved_input_example_info"))
    told: dict[str, Json] = {
        "flavors": ", ".join(flavors),
        "saved": _text(whole.get("utc_time_created")),
        "run": _text(whole.get("run_id")),
        "model id": _text(whole.get("model_id")),
        "model uuid": _text(whole.get("model_uuid")),
        "size as saved": whole.get("model_size_bytes"),
        "python": _text(python.get("python_version")),
        "input example": _text(example.get("artifact_path")),
        "requirements": _lines(members, "requirements.txt"),
        "registered as": _registered(members),
        "files": len(members),
    }
    if isinstance(whole.get("metadata"), dict):
        told["metadata"] = whole["metadata"]
    return {key: value for key, value in told.items() if value not in (None, "", [])}


def _registered(members: Mapping[str, Source]) -> str:
    """The name and version in a registry, which MLflow notes in a file beside the model."""
    noted = parse(text_in(members, "registered_model_meta"), "registered_model_meta")
    return f"{noted['model_name']} {noted.get('model_version', '')}".strip() if noted.get("model_name") else ""


def _lines(members: Mapping[str, Source], name: str) -> list[Json]:
    lines = text_in(members, name).decode("utf-8", "replace").splitlines()
    found: list[Json] = [line.strip()[:200] for line in lines if line.strip()]
    return [*found[:_TOLD], f"… {len(found) - _TOLD} more"] if len(found) > _TOLD else found


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return str(value)[:200] if isinstance(value, (str, int, float)) and not isinstance(value, bool) else ""
