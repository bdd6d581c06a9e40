"""ONNX models that run: labels, probabilities, raw outputs, texts, inputs by column, batches of a fixed size."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes, load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from backends.core import registry
from backends.core.descriptors import why_not_loadable
from backends.core.errors import NotLoadable
from backends.core.inspection import Inspection
from backends.core.model import Runnable
from backends.core.source import MemorySource
from tests.backends.test_onnx import FOUND
from tests.conftest import ROOT

skl2onnx = pytest.importorskip("skl2onnx")
pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")
types = pytest.importorskip("skl2onnx.common.data_types")
FLOAT = onnx.TensorProto.FLOAT

X, Y = load_wine(return_X_y=True)
COLOURS = np.array(["red", "white", "rosé"])[Y]


def loaded(made: Any) -> Runnable:
    model: Runnable = registry.load(MemorySource(made.SerializeToString()), "onnx").model
    return model


def exported(model: Any, rows: Any = X, **options: Any) -> Runnable:
    return loaded(skl2onnx.to_onnx(model, rows[:1].astype("f4"), **options))


def network(nodes: list[Any], inputs: list[Any], outputs: list[Any], *tensors: Any) -> Runnable:
    """A graph that no exporter made; inputs and outputs are names with shapes."""
    values = [
        [onnx.helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in each] for each in (inputs, outputs)
    ]
    graph = onnx.helper.make_graph(nodes, "g", *values, tensors)
    return loaded(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8))


@pytest.mark.parametrize("zipmap", [True, False])
def test_labels_and_probabilities_are_two_methods(zipmap: bool) -> None:
    forest = RandomForestClassifier(5, random_state=0).fit(X, COLOURS)
    model = exported(forest, options={"zipmap": zipmap})
    assert model.methods == ("predict", "predict_proba")
    assert model.signature.classes == ("red", "rosé", "white")
    assert (model.call("predict", X) == COLOURS).mean() > 0.98
    assert np.allclose(model.call("predict_proba", X), forest.predict_proba(X.astype("f4")), atol=1e-5)
    assert model.row_wise == {"predict", "predict_proba"}


@pytest.mark.parametrize("options", [{}, {"zipmap": False}])
def test_scores_beside_a_label_are_no_probabilities(options: dict[str, bool]) -> None:
    model = exported(SVC().fit(X, Y), options=options)
    assert model.methods[0] == "predict"
    assert "predict_proba" not in model.methods
    assert len(model.methods) == 2


def test_a_regressor_answers_numbers() -> None:
    rows, truth = load_diabetes(return_X_y=True)
    fitted = LinearRegression().fit(rows, truth)
    answer = exported(fitted, rows).call("predict", rows)
    assert answer.shape == (len(rows),)
    assert np.allclose(answer, fitted.predict(rows), rtol=1e-4)


def test_texts_are_taken() -> None:
    texts = np.array([["good fine day"], ["bad grim day"], ["fine"], ["grim bad"]] * 5, dtype=object)
    truth = np.array([1, 0, 1, 0] * 5)
    fitted = make_pipeline(CountVectorizer(lowercase=False), LogisticRegression()).fit(texts[:, 0], truth)
    made = skl2onnx.to_onnx(fitted, initial_types=[("text", types.StringTensorType([None]))])
    model = loaded(made)
    assert (model.call("predict", texts) == truth).all()
    assert (model.call("predict", pandas.DataFrame(texts, columns=["words"])) == truth).all()


def test_an_input_for_each_column_is_fed_by_name() -> None:
    frame = pandas.DataFrame({"age": [20.0, 30, 40, 50] * 5, "town": ["a", "b", "a", "c"] * 5})
    truth = np.array([0, 1, 0, 1] * 5)
    columns = ColumnTransformer([("n", StandardScaler(), ["age"]), ("t", OneHotEncoder(), ["town"])])
    fitted = make_pipeline(columns, LogisticRegression()).fit(frame, truth)
    entries = [("age", types.FloatTensorType([None, 1])), ("town", types.StringTensorType([None, 1]))]
    model = loaded(skl2onnx.to_onnx(fitted, initial_types=entries))
    assert model.signature.feature_names == ("age", "town")
    assert (model.call("predict", frame) == fitted.predict(frame)).all()
    assert (model.call("predict", frame[["town", "age"]]) == fitted.predict(frame)).all()
    assert np.allclose(model.call("predict_proba", frame.to_numpy()), fitted.predict_proba(frame), atol=1e-5)


def test_rows_are_put_into_the_shapes_of_several_inputs() -> None:
    nodes = [
        onnx.helper.make_node("Flatten", ["image"], ["flat"]),
        onnx.helper.make_node("Concat", ["flat", "extra"], ["all"], axis=1),
        onnx.helper.make_node("ReduceSum", ["image"], ["per row"], keepdims=0),
    ]
    inputs = [("image", ["n", 1, 2, 2]), ("extra", ["n", 3])]
    model = network(nodes, inputs, [("all", ["n", 7]), ("per row", [])])
    rows = np.arange(14.0).reshape(2, 7)
    assert (model.signature.n_features, model.methods) == (7, ("predict", "predict_per_row"))
    assert (model.call("predict", rows) == rows).all()
    assert model.row_wise == frozenset()
    with pytest.raises(ValueError, match="a row has 6 values, and the inputs of the graph take 7"):
        model.call("predict", rows[:, :6])


@pytest.mark.parametrize("count", [1, 3, 7])
def test_a_batch_of_a_fixed_size_is_filled_up(count: int) -> None:
    model = network([onnx.helper.make_node("Neg", ["x"], ["y"])], [("x", [3, 2])], [("y", [3, 2])])
    rows = np.arange(2.0 * count).reshape(count, 2)
    assert (model.call("predict", rows) == -rows).all()


def test_rows_are_not_written_to_and_an_empty_table_has_no_answers() -> None:
    model = network([onnx.helper.make_node("Neg", ["x"], ["y"])], [("x", ["n", 2])], [("y", ["n", 2])])
    rows = np.ones((4, 2), "f4")
    rows.setflags(write=False)
    model.call("predict", rows)
    assert len(model.call("predict", rows[:0])) == 0


def test_a_session_neither_spins_nor_keeps_an_arena() -> None:
    model: Any = exported(LinearRegression().fit(X, Y))
    options = model._session.get_session_options()
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert (options.intra_op_num_threads, options.enable_cpu_mem_arena) == (1, False)


def test_the_runtime_sends_no_telemetry_and_is_silent_while_it_starts(tmp_path: Path) -> None:
    (tmp_path / "onnxruntime.py").write_text(
        "import os, sys\n"
        "print('telemetry', os.environ['ORT_DISABLE_TELEMETRY'])\n"
        "os.write(2, b'GPU device discovery failed')\n"
        "set_default_logger_severity = lambda least: print('severity', least) or os.write(2, b'heard again')\n"
        "def SessionOptions(): raise SystemExit(7)\n"
    )
    code = "from backends.formats.onnx.model import open_session; open_session(b'')"
    here = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    ended = subprocess.run([sys.executable, "-c", code], env=here, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (7, "telemetry 1\nseverity 3\n", "heard again")


def test_a_missing_runtime_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    made = skl2onnx.to_onnx(LinearRegression().fit(X, Y), X[:1].astype("f4"))
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(NotLoadable, match="needs the Python package onnxruntime: install the onnx extra"):
        loaded(made)


def test_what_is_not_run_says_why() -> None:
    with pytest.raises(NotLoadable, match="its weights lie in other files"):
        registry.load(MemorySource(FOUND["weights beside"][0]), "onnx")
    assert "its weights lie in other files" in why_not_loadable(Inspection("onnx"))
    with pytest.raises(NotLoadable, match="holds one model"):
        registry.load(MemorySource(b""), "onnx", "models[0]")
