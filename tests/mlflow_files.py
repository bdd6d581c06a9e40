"""MLflow's directories as it writes them (3.17), made by hand."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

SIGNATURE = """\
signature:
  inputs: '[{"type": "double", "name": "a b", "required": true}, {"type": "double",
    "name": "c", "required": true}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}]'
  params: '[{"name": "alpha", "default": 1.0, "shape": null, "type": "double"}]'
"""
LOADER = "mlflow.sklearn"


def mlmodel(
    file: str = "model.pkl",
    loader: str = LOADER,
    signature: str = SIGNATURE,
    trusted: str = "null",
    serialized: str = "pickle",
    code: str = "null",
) -> str:
    return f"""\
flavors:
  python_function:
    env:
      conda: conda.yaml
      virtualenv: python_env.yaml
    loader_module: {loader}
    model_path: {file}
    predict_fn: predict
    python_version: 3.11.7
  sklearn:
    code: {code}
    pickled_model: {file}
    serialization_format: {serialized}
    sklearn_version: 1.9.1
    skops_trusted_types: {trusted}
is_signature_from_type_hint: false
mlflow_version: 3.17.2
model_id: null
model_size_bytes: 1255
model_uuid: 30688aa3c7dd456d8d9f1e9d028ff92a
prompts: null
run_id: 0123456789abcdef
saved_input_example_info:
  artifact_path: input_example.json
  type: dataframe
{signature}utc_time_created: '2026-12-01 09:18:35.801424'
"""


def files(model: Any, text: str | None = None, **others: bytes) -> dict[str, bytes]:
    """The files of a model in pickle, with the environment as MLflow writes it."""
    return {
        "MLmodel": (text or mlmodel()).encode(),
        "model.pkl": pickle.dumps(model, 4),
        "conda.yaml": b"channels:\n- conda-forge\ndependencies:\n- python=3.11.7\nname: mlflow-env\n",
        "python_env.yaml": b"python: 3.11.7\ndependencies:\n- -r requirements.txt\n",
        "requirements.txt": b"mlflow==3.17.2\nnumpy==2.4.6\nscikit-learn==1.9.1\ncloudpickle==3.1.3",
        "input_example.json": json.dumps({"columns": ["a b", "c"], "data": [[0.0, 1.0]]}).encode(),
        **others,
    }


def write(at: Path, made: dict[str, bytes]) -> Path:
    for name, data in made.items():
        (at / name).parent.mkdir(parents=True, exist_ok=True)
        (at / name).write_bytes(data)
    return at


def zipped(made: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in made.items():
            archive.writestr(name, data)
    return file.getvalue()
