"""Layouts of model servers, made by hand as their tools write them."""

from __future__ import annotations

import io
import json
import pickle
from typing import Any

import joblib

MANIFEST = {
    "createdOn": "30/11/2026 08:09:46",
    "runtime": "python",
    "model": {"modelName": "iris", "serializedFile": "model.pkl", "handler": "handler.py", "modelVersion": "1.0"},
    "archiverVersion": "0.12.0",
}
MODEL_YAML = """\
name: iris
version: abc
module: bentoml.sklearn
labels: {}
options: {}
metadata: {}
context:
  framework_name: sklearn
  framework_versions:
    scikit-learn: 1.9.1
  bentoml_version: 1.4.40
  python_version: 3.11.7
signatures:
  predict:
    batchable: true
    batch_dim: 0
api_version: v1
creation_time: '2026-11-30T08:00:00.000000+00:00'
"""
CONFIG = """\
name: "iris"   # a comment
platform: "onnxruntime_onnx"
max_batch_size: 8
input [ { name: "X" data_type: TYPE_FP32 dims: [ 2 ] } ]
output [
  { name: "label" data_type: TYPE_INT64 dims: [ 1 ] },
  { name: "probabilities", data_type: TYPE_FP32, dims: [ -1 ] }
]
version_policy: { specific: { versions: [1, 3] } }
instance_group [ { count: 2 kind: KIND_CPU } ]
# the end"""


def mar(model: Any, handler: str = "handler.py", **fields: Any) -> dict[str, bytes]:
    manifest = {**MANIFEST, "model": {**MANIFEST["model"], "handler": handler, **fields}}  # type: ignore[dict-item]
    made = {"MAR-INF/MANIFEST.json": json.dumps(manifest).encode(), "model.pkl": pickle.dumps(model)}
    return {**made, handler: b"def handle(data, context): return data\n"} if handler.endswith(".py") else made


def bento(model: Any, text: str = MODEL_YAML) -> dict[str, bytes]:
    file = io.BytesIO()
    joblib.dump(model, file)
    return {"model.yaml": text.encode(), "saved_model.pkl": file.getvalue()}


def triton(model: bytes, config: str = CONFIG) -> dict[str, bytes]:
    return {"config.pbtxt": config.encode(), "1/model.onnx": model, "2/model.onnx": model}


def tf_versions() -> dict[str, bytes]:
    info = b"\x22\x05serve\x2a\x062.21.0"
    graph = b"\x0a" + bytes((len(info),)) + info + b"\x12\x00"
    model = b"\x08\x01\x12" + bytes((len(graph),)) + graph
    return {f"{version}/saved_model.pb": model for version in (1, 2, 10)}
