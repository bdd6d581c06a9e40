"""Status and metadata of models as TensorFlow Serving's protocol buffers have them in JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from console.records import ServedModel, ServedState, ServedVersion, Tensor

DTYPES = {
    "BOOL": "DT_BOOL",
    "UINT8": "DT_UINT8",
    "UINT16": "DT_UINT16",
    "UINT32": "DT_UINT32",
    "UINT64": "DT_UINT64",
    "INT8": "DT_INT8",
    "INT16": "DT_INT16",
    "INT32": "DT_INT32",
    "INT64": "DT_INT64",
    "FP16": "DT_HALF",
    "FP32": "DT_FLOAT",
    "FP64": "DT_DOUBLE",
    "BYTES": "DT_STRING",
}


class Status(msgspec.Struct):
    """Why a version is where it is: a code of gRPC and a sentence."""

    error_code: str
    error_message: str


class VersionStatus(msgspec.Struct):
    """A version and its state: START, LOADING, AVAILABLE, UNLOADING or END."""

    version: str
    state: str
    status: Status


class StatusAnswer(msgspec.Struct):
    """The states of a model's versions, the newest first."""

    model_version_status: list[VersionStatus]


class ModelSpec(msgspec.Struct):
    """A model by name and version."""

    name: str
    signature_name: str
    version: str


class MetadataAnswer(msgspec.Struct):
    """The signatures of a model."""

    model_spec: ModelSpec
    metadata: dict[str, Any]


def version_status(version: ServedVersion) -> VersionStatus:
    """One version."""
    failed = bool(version.reason) and version.state is ServedState.END
    status = Status("UNAVAILABLE" if failed else "OK", version.reason)
    return VersionStatus(version.version, version.state.name, status)


def metadata_of(model: ServedModel, version: str | None) -> MetadataAnswer:
    """A signature for each method, and the default one."""
    if version is None:
        version = next((item.version for item in model.versions if item.current), "")
    inputs = _tensors(model.inputs)
    signatures = {"serving_default": _signature(inputs, model.outputs[:1])}
    for output in model.outputs:
        signatures[output.name] = _signature(inputs, (output,))
    return MetadataAnswer(ModelSpec(model.name, "", version), {"signature_def": {"signature_def": signatures}})


def _signature(inputs: dict[str, Any], outputs: Iterable[Tensor]) -> dict[str, Any]:
    return {"inputs": inputs, "outputs": _tensors(outputs), "method_name": "tensorflow/serving/predict"}


def _tensors(tensors: Iterable[Tensor]) -> dict[str, Any]:
    return {tensor.name: _tensor(tensor) for tensor in tensors}


def _tensor(tensor: Tensor) -> dict[str, Any]:
    sizes = [{"size": str(size), "name": ""} for size in tensor.shape]
    shape = {"dim": sizes, "unknown_rank": False}
    return {"dtype": DTYPES[tensor.datatype], "tensor_shape": shape, "name": tensor.name}
