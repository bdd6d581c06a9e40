"""Keras models are built from an exact list of classes, and answer as Keras itself does."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import pytest

from backends.core import registry
from backends.core.errors import NotLoadable
from backends.core.source import Source
from backends.formats.keras import running
from backends.formats.keras.building import buildable
from backends.formats.keras.graph import read_graph
from backends.formats.keras.shapes import output_shape
from console.ui.widgets.layers import layer_lines
from console.worker.child.inspect import as_json
from tests.backends.test_keras import SEQUENTIAL, archive, dense, legacy
from tests.http.client_environments import environment
from tests.inspecting import inspect_file

HERE = Path(__file__).parent
REAL = "MODEL_CONSOLE_REAL_ARTIFACTS"


def load(path: Path) -> Any:
    with path.open("rb") as file:
        source = Source(file.fileno(), path.name)
        return registry.load(source, registry.identify(source).name).model


def sequential(*layers: dict[str, Any]) -> dict[str, Any]:
    return {"module": "keras", "class_name": "Sequential", "config": {"name": "s", "layers": list(layers)}}


LAMBDA = {"class_name": "Lambda", "config": {"name": "l", "function": {"class_name": "__lambda__", "config": {}}}}
FOREIGN = {"module": "os", "class_name": "system", "config": {"name": "x"}, "registered_name": "system"}
REGISTERED = {**dense("a", 1), "module": "keras.layers", "registered_name": "evil>Dense"}
HELD = {"config": {"name": "t", "module": {"class_name": "x"}}}
OUTSIDE = {"module": "keras.layers", "class_name": "TorchModuleWrapper", **HELD}
WORDS = {"class_name": "StringLookup", "config": {"name": "w", "vocabulary": "/etc/passwd"}}


@pytest.mark.parametrize("layer", [LAMBDA, FOREIGN, REGISTERED, OUTSIDE, WORDS], ids=lambda layer: layer["class_name"])
def test_what_is_not_on_the_list_is_refused_before_keras_is_imported(layer: dict[str, Any], tmp_path: Path) -> None:
    config = sequential(dense("first", 5, batch_input_shape=[None, 4]), layer)
    for path in (legacy(tmp_path / "m.h5", config), archive(tmp_path / "m.keras", config)):
        with pytest.raises(NotLoadable, match="a worker builds models of Keras's own layers alone, and here"):
            load(path)
    assert "keras" not in sys.modules


@pytest.mark.parametrize("name", ["Lambda", "TextVectorization", "Layer", "CuDNNLSTM", "system", "layers.Dense"])
def test_a_class_that_is_not_on_the_list_is_never_handed_to_keras(name: str) -> None:
    """Whatever the inspection thinks of it."""
    with pytest.raises(NotLoadable, match=f"{name} is no class that a worker builds"):
        buildable(sequential({"module": "keras.layers", "class_name": name, "config": {}}))


def test_keras_looks_nothing_up_by_a_word_of_the_file() -> None:
    weights = {"module": "os", "class_name": "Zeros", "config": {}, "registered_name": "evil>Zeros"}
    function = {"module": "os", "class_name": "function", "config": "relu", "registered_name": "evil>relu"}
    layer = {**dense("a", 1, bias_initializer=weights, activation=function), "module": "evil.layers"}
    twin = {"module": "evil.initializers", "class_name": "Identity", "config": {}}
    config = {**sequential(layer, twin), "compile_config": {"optimizer": FOREIGN}, "safe_mode": False}
    built = buildable(copy.deepcopy(config))
    first, second = built["config"]["layers"]
    assert (built["module"], first["module"], first["registered_name"]) == ("keras", "keras.layers", None)
    assert second["module"] == "keras.initializers"
    held = first["config"]["bias_initializer"]
    assert (held["module"], held["registered_name"]) == ("keras.initializers", None)
    assert first["config"]["activation"] == {**function, "module": "builtins", "registered_name": None}
    assert {"compile_config", "safe_mode"}.isdisjoint(built)


def test_settings_of_keras_2_are_said_as_keras_3_takes_them() -> None:
    config = {"units": 3, "time_major": False, "batch_input_shape": [None, 7, 2]}
    built = buildable({"class_name": "LSTM", "config": dict(config)})
    assert built["config"] == {"units": 3, "input_shape": [7, 2]}
    kept = {**config, "time_major": True, "batch_input_shape": [8, 7, 2]}
    assert buildable({"class_name": "LSTM", "config": dict(kept)})["config"] == kept


def test_without_keras_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    for there in ((), ("keras",), ("jax",)):
        monkeypatch.setattr(running, "_is_there", there.__contains__)
        with pytest.raises(NotLoadable, match="install the keras extra"):
            load(legacy(tmp_path / "m.h5", SEQUENTIAL))


def test_a_file_that_leads_elsewhere_is_not_loaded(tmp_path: Path) -> None:
    path = legacy(tmp_path / "m.h5", SEQUENTIAL)
    with h5py.File(path, "r+") as file:
        file["model_weights/other"] = h5py.ExternalLink("/etc/hostname", "/x")
    with pytest.raises(NotLoadable, match="leads to another file"):
        load(path)


def test_the_tensors_of_a_signature_reach_the_console(tmp_path: Path) -> None:
    told = as_json(inspect_file(legacy(tmp_path / "m.h5", SEQUENTIAL)))["signature"]
    assert told["takes"] == [{"name": "first_input", "dtype": "float32", "shape": [None, 4]}]
    assert told["gives"] == [{"name": "second", "dtype": "float32", "shape": [None, 2]}]


def call(*names: str) -> list[Any]:
    return [[[name, 0, 0, {}] for name in names]]


FUNCTIONAL = {
    "class_name": "Model",
    "config": {
        "name": "net",
        "input_layers": [["a", 0, 0], ["b", 0, 0]],
        "output_layers": [["out", 0, 0]],
        "layers": [
            {"class_name": "InputLayer", "name": "a", "config": {"name": "a", "batch_input_shape": [None, 8, 8, 3]}},
            {"class_name": "InputLayer", "name": "b", "config": {"name": "b", "batch_input_shape": [None, 2],
                                                                 "dtype": "int32"}},
            {"class_name": "Convolution2D", "name": "c", "inbound_nodes": call("a"),
             "config": {"name": "c", "filters": 4, "kernel_size": [3, 3], "padding": "valid"}},
            {"class_name": "Flatten", "name": "f", "inbound_nodes": call("c"), "config": {"name": "f"}},
            {"class_name": "Concatenate", "name": "j", "inbound_nodes": call("f", "b"), "config": {"name": "j"}},
            {"class_name": "Dense", "name": "out", "inbound_nodes": call("j"), "config": {"name": "out", "units": 1}},
        ],
    },
}  # fmt: skip


def test_a_graph_tells_what_goes_in_and_what_comes_out() -> None:
    graph = read_graph(FUNCTIONAL)
    assert [(one.name, one.dtype, one.shape) for one in graph.takes] == [
        ("a", "float32", (None, 8, 8, 3)), ("b", "int32", (None, 2)),
    ]  # fmt: skip
    assert [(one.name, one.shape) for one in graph.gives] == [("out", (None, 1))]
    assert (graph.shapes["c"], graph.shapes["f"], graph.shapes["j"]) == ((None, 6, 6, 4), (None, 144), (None, 146))


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("Dense", {"units": "many"}),
        ("Dense", {}),
        ("Dense", {"units": 10**400}),
        ("UpSampling2D", {"size": 1 << 60}),
        ("Conv2D", {"filters": 2, "kernel_size": [3, 3], "strides": [0, 0]}),
        ("Conv2D", {"filters": 2, "kernel_size": "x"}),
        ("Reshape", {"target_shape": [0, -1]}),
        ("Permute", {"dims": [9]}),
        ("Bidirectional", {"layer": {"class_name": "Bidirectional", "config": {}}}),
        ("Concatenate", {"axis": 40}),
        ("Unheard", {}),
    ],
)
def test_a_shape_that_cannot_be_told_is_not_invented(name: str, settings: dict[str, Any]) -> None:
    assert output_shape(name, settings, [(None, 8, 8, 3)]) is None


def test_a_graph_of_anything_is_a_graph() -> None:
    """Whatever stands where, nothing is raised and nothing goes on for ever."""
    deep: Any = SEQUENTIAL
    for _ in range(50):
        deep = sequential(deep)
    odd = {"name": 3, "layers": [{"class_name": "Dense", "config": []}], "input_layers": [[]], "output_layers": [7]}
    configs: tuple[Any, ...] = (
        deep,
        [],
        None,
        {"config": odd, "build_config": 3},
        {"config": {"layers": [None, 3, {}]}},
    )
    for config in configs:
        assert len(read_graph(config).gives) <= 1


@pytest.fixture(scope="module")
def keras_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that has Keras and its backend."""
    kept = os.environ.get("MODEL_CONSOLE_CLIENTS")
    return environment("keras", Path(kept) if kept else tmp_path_factory.mktemp("runtimes"), HERE)


def told_by(python: Path, *words: str) -> Any:
    """The JSON that the runner prints in that environment."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    env = {**dict.fromkeys(names, "1"), "PYTHONPATH": str(HERE.parents[1]), "PATH": os.environ["PATH"]}
    command = [str(python), "-W", "ignore", "-m", "tests.backends.keras_runner", *words]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ten_models_answer_as_keras_itself_does(keras_python: Path, tmp_path: Path) -> None:
    """To the last bit, in both of its formats, with the shapes of all their layers told before."""
    found = told_by(keras_python, str(tmp_path))
    assert len(found) == 20
    assert {name: faults for name, faults in found.items() if faults} == {}


REAL_ONES = {
    "gru_model.keras": "equal",
    "digit_classifier_model.keras": "equal",
    "gender_predictor.keras": "equal",
    "lorentz_lorenz.h5": "equal",
    "emotion_model.hdf5": "equal",
    "fcn.h5": "equal",
    "PFA_max_ANN.h5": "equal",
    "LSTM2s.h5": "Keras refuses",
    "MatModel0.h5": "Keras refuses",
    "seg_keras_model_0922.hdf5": "ChainCRF 'chain_crf_1' is no class of Keras",
    "cnn_without_ne_ab.h5": "without the model",
    "model.h5": "without the model",
}


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_files_of_the_wild_answer_or_say_why(keras_python: Path) -> None:
    """Two are of Keras 2 with settings that Keras 3 refuses although they say what it does anyway."""
    root = os.environ.get(REAL)
    if not root:
        pytest.skip(f"{REAL} names no directory")
    paths = [path for path in Path(root).rglob("*") if path.name in REAL_ONES]
    found = told_by(keras_python, "--real", *map(str, paths))
    assert found
    for name, said in found.items():
        assert REAL_ONES[name] in said, (name, said)


def test_layers_are_shown_as_a_table(tmp_path: Path) -> None:
    lines = [line.plain for line in layer_lines(inspect_file(legacy(tmp_path / "m.h5", SEQUENTIAL)), 80)]
    assert [line.split() for line in lines] == [
        ["first", "Dense", "?", "x", "5", "25"], ["second", "Dense", "?", "x", "2", "12"],
    ]  # fmt: skip
