"""Keras configurations that reach beyond Keras's layers by names that look like Keras's own: none of them is safe."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import h5py
import pytest

from console.records import Verdict
from tests.backends.test_redteam import PICKLE
from tests.inspecting import judged

UNSAFE = (Verdict.REVIEW, Verdict.BLOCKED)


def sequential(*layers: Any, **more: Any) -> dict[str, Any]:
    return {"module": "keras", "class_name": "Sequential", "config": {"name": "s", "layers": list(layers)}, **more}


def dense(activation: Any = "relu") -> dict[str, Any]:
    return {"module": "keras.layers", "class_name": "Dense", "config": {"name": "d", "activation": activation}}


def function(called: str, module: Any) -> dict[str, Any]:
    return {"class_name": "function", "config": called, "module": module, "registered_name": called}


def hdf5(config: Any, **attributes: Any) -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w") as made:
        made.attrs["model_config"] = json.dumps(config)
        for name, value in attributes.items():
            made.attrs[name] = json.dumps(value)
        made.create_group("model_weights")
    return file.getvalue()


def archive(config: str, *members: tuple[str, bytes]) -> bytes:
    weights, file = io.BytesIO(), io.BytesIO()
    with h5py.File(weights, "w") as made:
        made["layers/dense/vars/0"] = [[1.0]]
    with zipfile.ZipFile(file, "w") as out:
        texts = (("metadata.json", b"{}"), ("config.json", config.encode()), ("model.weights.h5", weights.getvalue()))
        for name, content in (*texts, *members):
            out.writestr(name, content)
    return file.getvalue()


FUNCTIONS = [
    ("config.enable_unsafe_deserialization", "keras"),
    ("utils.get_file", "keras"),
    ("saving.load_model", "keras"),
    ("load_model", "keras.models"),
    ("src.utils.file_utils.get_file", "keras"),
    ("layers.Lambda", "keras"),
    ("os.system", "builtins"),
    ("exec", None),
    ("relu", "keras.evil"),
]
CLASSES = [
    ("layers.Lambda", "keras"),
    ("utils.get_file", "keras"),
    ("config.enable_unsafe_deserialization", "keras"),
    ("load_model", "keras.models"),
    ("clone_model", "keras.models"),
    ("layers.TFSMLayer", "keras"),
    ("LambdaCallback", "keras.layers"),
    ("my>Thing", "keras.layers"),
    ("Dense", "keras.evil.layers"),
    ("__typespec__", None),
    ("__anything__", None),
    (["function"], "os"),
]


@pytest.mark.parametrize(("called", "module"), FUNCTIONS)
def test_a_function_that_is_none_of_keras_is_told(called: str, module: Any) -> None:
    layer = dense(function(called, module))
    assert judged(hdf5(sequential(layer)), "m.h5").verdict in UNSAFE
    assert judged(archive(json.dumps(sequential(layer))), "m.keras").verdict in UNSAFE
    assert (
        judged(hdf5(sequential(dense(), compile_config={"loss": function(called, module)})), "m.h5").verdict in UNSAFE
    )
    training = {"loss": function(called, module)}
    assert judged(hdf5(sequential(dense()), training_config=training), "m.h5").verdict in UNSAFE


@pytest.mark.parametrize(("called", "module"), CLASSES)
def test_a_class_that_is_none_of_keras_is_told(called: Any, module: Any) -> None:
    layer = {"class_name": called, "module": module, "config": {"name": "x"}}
    assert judged(hdf5(sequential(layer)), "m.h5").verdict in (*UNSAFE, Verdict.DAMAGED)
    assert judged(archive(json.dumps(sequential(layer))), "m.keras").verdict in (*UNSAFE, Verdict.DAMAGED)


@pytest.mark.parametrize("module", ["keras", "keras.config", "keras.src.saving.serialization_lib", "mine.helpers"])
def test_switching_the_safe_mode_off_is_blocked(module: str) -> None:
    called = "config.enable_unsafe_deserialization" if module == "keras" else "enable_unsafe_deserialization"
    for layer in (dense(function(called, module)), {"class_name": called, "module": module, "config": {"name": "x"}}):
        assert judged(archive(json.dumps(sequential(layer))), "m.keras").verdict is Verdict.BLOCKED
        assert judged(hdf5(sequential(layer)), "m.h5").verdict is Verdict.BLOCKED


def test_a_registered_name_is_shown_as_what_it_is() -> None:
    layer = {"class_name": "Dense", "module": "keras.layers", "registered_name": "mine>Dense", "config": {"name": "x"}}
    found = judged(archive(json.dumps(sequential(layer))), "m.keras")
    assert "keras.layers.Dense 'x' is whatever was registered as 'mine>Dense'" in {one.detail for one in found.reasons}
    assert found.verdict is Verdict.REVIEW


@pytest.mark.parametrize("key", ["vocabulary", "vocabulary_file", "filepath", "origin"])
def test_a_layer_that_reads_a_file_is_told(key: str) -> None:
    layer = {"class_name": "StringLookup", "module": "keras.layers", "config": {"name": "x", key: "/etc/passwd"}}
    assert judged(hdf5(sequential(layer)), "m.h5").verdict is Verdict.REVIEW
    layer["config"] = {"name": "x", key: ["a", "b"]}
    assert judged(hdf5(sequential(layer)), "m.h5").verdict is Verdict.SAFE


def test_a_key_that_stands_twice_is_not_read_one_way() -> None:
    config = json.dumps(sequential(dense()))
    assert judged(archive(config), "m.keras").verdict is Verdict.SAFE
    assert judged(archive('{"module":"os",' + config[1:]), "m.keras").verdict is Verdict.DAMAGED


def test_an_asset_that_is_a_pickle_is_told() -> None:
    config = json.dumps(sequential(dense()))
    assert judged(archive(config, ("assets/words.txt", b"a\nb\n")), "m.keras").verdict is Verdict.SAFE
    assert judged(archive(config, ("assets/words.txt", PICKLE)), "m.keras").verdict is Verdict.BLOCKED


def test_keras_own_functions_and_classes_are_no_alarm() -> None:
    layers = [
        {
            "module": "keras.layers",
            "class_name": "InputLayer",
            "config": {"batch_shape": [None, 3], "dtype": "float32"},
        },
        dense(function("gelu", "builtins")),
        dense(function("relu", "keras.activations")),
        dense({"module": "keras.initializers", "class_name": "GlorotUniform", "config": {"seed": None}}),
    ]
    policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": None}
    layers[1]["config"]["dtype"] = policy
    training = {"loss": "mse", "metrics": [function("categorical_accuracy", "builtins")], "optimizer": "adam"}
    assert judged(hdf5(sequential(*layers), training_config=training), "m.h5").verdict is Verdict.SAFE
    assert judged(archive(json.dumps(sequential(*layers))), "m.keras").verdict is Verdict.SAFE
