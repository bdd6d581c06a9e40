"""A model of each format that runs, asked over HTTP by the client of Triton: what it takes, and what it answers."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from backends.core import registry
from tests import mlflow_files, serving_files, tflite_files
from tests.backends import catboost_files, lightgbm_files, xgboost_files
from tests.http.test_real_clients import clients, said_by
from tests.service.serving import Served, own_directories

__all__ = ["clients"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
DATATYPES = {"float64": "FP64", "float32": "FP32", "int64": "INT64"}
ROWS = np.random.default_rng(3).normal(size=(4, 2))
ASK = """
import json, sys
import numpy as np
import tritonclient.http as http
client = http.InferenceServerClient(f"127.0.0.1:{sys.argv[1]}", network_timeout=120.0)
said = {"platforms": {}, "inputs": {}, "answers": {}}
for one in json.load(open(sys.argv[2])):
    name = one["model"]
    told = client.get_model_metadata(name)
    said["platforms"][name] = told["platform"]
    said["inputs"][name] = {each["name"]: [each["datatype"], each["shape"]] for each in told["inputs"]}
    tensors = []
    for given in one["inputs"]:
        data = np.array(given["data"], given["dtype"])
        tensors.append(http.InferInput(given["name"], list(data.shape), given["datatype"]))
        tensors[-1].set_data_from_numpy(data)
    answer = client.infer(name, tensors, outputs=[http.InferRequestedOutput(one["output"])])
    said["answers"][name] = answer.as_numpy(one["output"]).tolist()
json.dump(said, sys.stdout)
"""


def classifier() -> Any:
    inputs = np.random.default_rng(0).normal(size=(60, 2))
    return LogisticRegression().fit(inputs, (inputs[:, 0] > 0).astype(int))


def written(format_name: str, path: Path) -> None:
    with path.open("wb") as file:
        registry.named(format_name).save(classifier(), file.fileno())


class Cases:
    """A store, one model of each format, and what each is asked and should answer."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.asked: list[dict[str, Any]] = []
        self.expected: dict[str, Any] = {}

    def add(self, model: str, inputs: list[tuple[str, Any]], output: str, expected: Any) -> None:
        """A model that takes these tensors, by name."""
        given = [
            {"name": name, "datatype": DATATYPES[str(one.dtype)], "dtype": str(one.dtype), "data": one.tolist()}
            for name, one in inputs
        ]
        self.asked.append({"model": model, "inputs": given, "output": output})
        self.expected[model] = np.asarray(expected)

    def file(self, name: str, data: bytes) -> None:
        (self.store / name).write_bytes(data)

    def estimators(self) -> None:
        """A scikit-learn classifier in each format that keeps one, and in the directories of other tools."""
        model, scores = classifier(), classifier().predict_proba(ROWS)
        joblib.dump(model, self.store / "joblib.joblib")
        for format_name, name in (("pickle", "pickle.pkl"), ("hdf5", "hdf5.h5"), ("skops", "skops.skops")):
            written(format_name, self.store / name)
        mlflow_files.write(self.store / "mlflow", mlflow_files.files(model, mlflow_files.mlmodel(signature="")))
        mlflow_files.write(self.store / "bento", serving_files.bento(model))
        for name in ("joblib", "pickle", "hdf5", "skops", "mlflow", "bento"):
            self.add(name, [("x", ROWS)], "predict_proba", scores)

    def boosters(self) -> None:
        """Boosters in the files of their libraries."""
        self.file("lightgbm.txt", lightgbm_files.text("regression").encode())
        rows = lightgbm_files.X[:4]
        self.add("lightgbm", [("x", rows)], "predict", lightgbm_files.booster("regression").predict(rows))
        for layout in ("json", "ubj"):
            self.file(f"xgboost-{layout}.{layout}", xgboost_files.saved("regression", layout))
            expected = xgboost_files.booster("regression").predict(xgboost_files.rows("regression"))[:4]
            self.add(f"xgboost-{layout}", [("x", xgboost_files.X[:4])], "predict", expected)
        self.file("catboost.cbm", catboost_files.saved("regression"))
        rows = np.asarray(catboost_files.rows("regression")[:4], "f8")
        self.add("catboost", [("x", rows)], "predict", catboost_files.fitted("regression").predict(rows))

    def tensor_programs(self) -> None:
        """Programs that take tensors by name."""
        helper = pytest.importorskip("onnx.helper")
        value = helper.make_tensor_value_info
        image, at = value("image", 1, ["n", 2, 3]), value("at", 7, ["k"])
        nodes = [helper.make_node("Gather", ["image", "at"], ["picked"], axis=0)]
        graph = helper.make_graph(nodes, "g", [image, at], [value("picked", 1, ["k", 2, 3])])
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        self.file("onnx.onnx", made.SerializeToString())
        pictures = np.arange(24, dtype="f4").reshape(4, 2, 3)
        picked = [("image", pictures), ("at", np.array([3, 0]))]
        self.add("onnx", picked, "picked", pictures[[3, 0]])
        self.file("tflite.tflite", tflite_files.packed(tflite_files.dense()))
        tensor = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]], "f4")
        self.add("tflite", [("x", tensor)], "predict", tensor @ tflite_files.KERNEL.T + tflite_files.BIAS)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    """The store."""
    made = Cases(tmp_path_factory.mktemp("formats"))
    made.estimators()
    made.boosters()
    made.tensor_programs()
    return made


@pytest.fixture(scope="module")
def port(cases: Cases) -> Iterator[int]:
    """The port of `serve` on it."""
    with (
        tempfile.TemporaryDirectory(prefix="mc-", dir="/tmp") as home,
        Served(cases.store, "--http", "127.0.0.1:0", **own_directories(home)) as one,
    ):
        one.hear("READY=1")
        yield one.port()
        assert one.end() == 0


def test_each_answers_as_its_own_library_does(cases: Cases, port: int, clients: Path, tmp_path: Path) -> None:
    asked = tmp_path / "asked.json"
    asked.write_text(json.dumps(cases.asked))
    said = said_by(ASK, port, clients, more=(str(asked),))
    assert said["answers"].keys() == cases.expected.keys()
    for name, expected in cases.expected.items():
        np.testing.assert_array_equal(np.reshape(said["answers"][name], expected.shape), expected, name)
    assert said["inputs"]["onnx"] == {"image": ["FP32", [-1, 2, 3]], "at": ["INT64", [-1]]}
    assert said["inputs"]["joblib"] == said["inputs"]["skops"] == {"input": ["FP64", [-1, 2]]}
    assert len(set(said["platforms"].values())) >= 10, said["platforms"]
