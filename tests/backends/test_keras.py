"""Keras files of every layout, made by hand as Keras writes them, inspected without Keras."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from backends.core import registry
from backends.core.errors import Damaged, NotLoadable, Unsupported
from backends.core.inspection import Inspection
from backends.core.source import Source
from backends.formats.keras.config import read_config
from tests.inspecting import inspect_file


def dense(name: str, units: int, **settings: Any) -> dict[str, Any]:
    return {"class_name": "Dense", "config": {"name": name, "units": units, "activation": "relu", **settings}}


SEQUENTIAL: dict[str, Any] = {
    "class_name": "Sequential",
    "config": {"name": "net", "layers": [dense("first", 5, batch_input_shape=[None, 4]), dense("second", 2)]},
}
TRAINING = {
    "loss": "mse",
    "metrics": ["mae"],
    "optimizer_config": {"class_name": "Adam", "config": {"learning_rate": 0.001}},
}
SHAPES = {"first": [(4, 5), (5,)], "second": [(5, 2), (2,)]}


def legacy(path: Path, config: Any, chunked: bool = False, **attributes: Any) -> Path:
    """As Keras 2 writes a whole model."""
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = b"2.4.0", b"tensorflow"
        file.attrs["model_config"] = config if isinstance(config, (str, bytes)) else json.dumps(config)
        file.attrs["training_config"] = json.dumps(TRAINING).encode()
        file.attrs.update(attributes)
        weights = file.create_group("model_weights")
        names = [name.encode() for name in SHAPES]
        if chunked:
            weights.attrs["layer_names0"], weights.attrs["layer_names1"] = names[:1], names[1:]
        else:
            weights.attrs["layer_names"] = names
        for layer, shapes in SHAPES.items():
            for kind, shape in zip(("kernel:0", "bias:0"), shapes, strict=True):
                weights[f"{layer}/{layer}/{kind}"] = np.zeros(shape, "f4")
        file["optimizer_weights/Adam/first/kernel/m:0"] = np.zeros((4, 5), "f4")
    return path


def keras3_weights(file: Any) -> None:
    with h5py.File(file, "w") as out:
        for layer, (name, shapes) in zip(("dense", "dense_1"), SHAPES.items(), strict=True):
            assert name
            for position, shape in enumerate(shapes):
                out[f"layers/{layer}/vars/{position}"] = np.zeros(shape, "f4")
        out["optimizer/vars/0"] = np.zeros((100,), "f4")
        out.create_group("vars")


def archive(path: Path, config: Any, compression: int = zipfile.ZIP_STORED, **members: bytes) -> Path:
    """As Keras 3 writes a whole model."""
    weights = io.BytesIO()
    keras3_weights(weights)
    with zipfile.ZipFile(path, "w", compression) as out:
        out.writestr("metadata.json", json.dumps({"keras_version": "3.9.2", "date_saved": "2025-04-06@19:29:10"}))
        out.writestr("config.json", json.dumps(config))
        out.writestr("model.weights.h5", weights.getvalue())
        for name, data in members.items():
            out.writestr(name, data)
    return path


def rows(facts: Inspection) -> list[dict[str, Any]]:
    found = facts.details["layers"]
    assert isinstance(found, list)
    return [row for row in found if isinstance(row, dict)]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_legacy_model_tells_layers_shapes_and_training(tmp_path: Path, chunked: bool) -> None:
    facts = inspect_file(legacy(tmp_path / "m.h5", SEQUENTIAL, chunked))
    assert (facts.format, facts.model_class) == ("keras-h5", "keras.Sequential")
    assert [(row["name"], row["class"], row["units"], row["parameters"]) for row in rows(facts)] == [
        ("first", "Dense", 5, 25), ("second", "Dense", 2, 12),
    ]  # fmt: skip
    assert facts.n_weights == 37
    assert facts.library_versions == {"keras": "2.4.0"}
    assert facts.details["input_shapes"] == [[None, 4]]
    assert facts.signature.n_features == 4
    assert facts.details["training"] == {"loss": "mse", "optimizer": "Adam", "learning_rate": 0.001, "metrics": ["mae"]}
    assert len(facts.arrays) == 5
    assert facts.complete
    assert not facts.findings
    assert facts.loadable
    assert facts.summary == "Sequential · 2 layers · 37"
    assert [row["output_shape"] for row in rows(facts)] == [[None, 5], [None, 2]]


def test_layer_names_split_over_attributes_are_joined(tmp_path: Path) -> None:
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        for number in range(3):
            file.attrs[f"layer_names{number}"] = [f"layer_{number}_{index}".encode() for index in range(2)]
        file["layer_1_0/layer_1_0/kernel:0"] = np.zeros((2, 2))
    facts = inspect_file(path)
    assert facts.format == "keras-weights"
    assert [row["name"] for row in rows(facts)] == [f"layer_{n}_{i}" for n in range(3) for i in range(2)]
    assert facts.n_weights == 4


def test_keras_3_weights_leave_the_optimizer_out_of_the_count(tmp_path: Path) -> None:
    path = tmp_path / "model.weights.h5"
    keras3_weights(path)
    facts = inspect_file(path)
    assert facts.format == "keras-weights"
    assert facts.n_weights == 37
    assert len(facts.arrays) == 5


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_archive_tells_the_same(tmp_path: Path, compression: int) -> None:
    config = {**SEQUENTIAL, "module": "keras", "compile_config": {"loss": "mse", "optimizer": "adam"}}
    facts = inspect_file(archive(tmp_path / "m.keras", config, compression))
    assert (facts.format, facts.model_class, facts.n_weights) == ("keras", "keras.Sequential", 37)
    assert [row["parameters"] for row in rows(facts)] == [25, 12]
    assert facts.library_versions == {"keras": "3.9.2"}
    assert facts.details["training"] == {"loss": "mse", "optimizer": "adam"}
    assert facts.complete
    assert not facts.findings


def test_an_archive_cut_short_or_without_weights_is_told(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.keras", SEQUENTIAL)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises((Damaged, Unsupported)):
        inspect_file(path)
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("metadata.json", "{}")
        out.writestr("config.json", json.dumps(SEQUENTIAL))
    facts = inspect_file(path)
    assert {found.code for found in facts.findings} == {"malformed"}
    assert not facts.complete


def lambda_layer() -> dict[str, Any]:
    return {
        "class_name": "Lambda",
        "config": {"name": "odd", "function": ["4wEAAAA=\n", None, None], "function_type": "lambda"},
    }


def with_layers(*layers: Any) -> dict[str, Any]:
    return {"class_name": "Sequential", "config": {"name": "net", "layers": [*SEQUENTIAL["config"]["layers"], *layers]}}


@pytest.mark.parametrize(
    ("layer", "code", "names"),
    [
        (lambda_layer(), "keras-lambda", []),
        ({"class_name": "TimeDistributed", "config": {"name": "td", "layer": lambda_layer()}}, "keras-lambda", []),
        ({"class_name": "Functional", "config": {"name": "inner", "layers": [lambda_layer()]}}, "keras-lambda", []),
        (
            {
                "class_name": "Activation",
                "config": {"name": "a", "activation": {"class_name": "__lambda__", "config": {}}},
            },
            "keras-lambda",
            [],
        ),
        ({"class_name": "ChainCRF", "config": {"name": "crf"}}, "keras-foreign", ["__main__.ChainCRF"]),
        (
            {"module": "os", "class_name": "system", "config": {"command": "true"}, "registered_name": None},
            "keras-foreign",
            ["os.system"],
        ),
        (
            {"module": "keras.utils", "class_name": "get_file", "config": {"origin": "http://127.0.0.1/"}},
            "keras-foreign",
            ["keras.utils.get_file"],
        ),
        (
            {
                "module": "keras.src.saving.serialization_lib",
                "class_name": "enable_unsafe_deserialization",
                "config": {},
            },
            "keras-foreign",
            ["keras.src.saving.serialization_lib.enable_unsafe_deserialization"],
        ),
        (
            dense("d", 1, activation={"class_name": "function", "module": "builtins.evil", "config": "run"}),
            "keras-foreign",
            ["builtins.evil.run"],
        ),
        (
            {"class_name": "Dense", "module": "keras.layers", "registered_name": "mine>Dense", "config": {"name": "x"}},
            "keras-foreign",
            ["keras.layers.Dense"],
        ),
    ],
)
@pytest.mark.parametrize("layout", [legacy, archive])
def test_code_that_a_configuration_brings_in_is_told(
    tmp_path: Path, layer: Any, code: str, names: list[str], layout: Any
) -> None:
    facts = inspect_file(layout(tmp_path / ("m.h5" if layout is legacy else "m.keras"), with_layers(layer)))
    assert {found.code for found in facts.findings} == {code}
    assert [str(use) for use in facts.names] == names


def test_functional_models_list_nested_models_and_every_input() -> None:
    inner = {"class_name": "Sequential", "config": {"name": "inner", "layers": [dense("deep", 3)]}}
    config: dict[str, Any] = {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": {
            "name": "outer",
            "layers": [
                {"class_name": "InputLayer", "config": {"name": "a", "batch_shape": [None, 8]}},
                {"class_name": "InputLayer", "config": {"name": "b", "batch_input_shape": [None, 4, 4]}},
                inner,
                {
                    "class_name": "Bidirectional",
                    "config": {"name": "bi", "layer": {"class_name": "LSTM", "config": {}}},
                },
            ],
        },
    }
    model = read_config(config)
    assert [layer.name for layer in model.layers] == ["a", "b", "inner", "inner/deep", "bi"]
    assert model.input_shapes == [[None, 8], [None, 4, 4]]
    assert model.layers[-1].inner == "LSTM"
    assert not model.findings


@pytest.mark.parametrize("config", [None, 3, [], {}, {"class_name": 5}, {"class_name": "Sequential", "config": 7}])
def test_an_odd_configuration_is_a_finding(config: Any) -> None:
    assert {found.code for found in read_config(config).findings} == {"keras-config"}


def test_keras_1_lists_its_layers_without_a_name() -> None:
    model = read_config({"class_name": "Sequential", "config": [dense("one", 3, batch_input_shape=[None, 2])]})
    assert [layer.class_name for layer in model.layers] == ["Dense"]
    assert model.input_shapes == [[None, 2]]


def test_a_deep_configuration_does_not_exhaust_the_stack() -> None:
    deep: Any = dense("bottom", 1)
    for _ in range(5000):
        deep = {"class_name": "TimeDistributed", "config": {"layer": deep}}
    assert not {found.code for found in read_config(with_layers(deep)).findings} - {"limit"}


@pytest.mark.parametrize("text", ["{", "nul", "[" * 100_000])
def test_a_configuration_that_is_no_json_is_damaged(tmp_path: Path, text: str) -> None:
    path = legacy(tmp_path / "m.h5", "{}")
    with h5py.File(path, "r+") as file:
        del file.attrs["model_config"]
    with h5py.File(path, "r+", libver="latest") as file:
        file.attrs["model_config"] = text[:60_000]
    with pytest.raises(Damaged, match="model_config"):
        inspect_file(path)


def test_weights_alone_are_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "model.weights.h5"
    keras3_weights(path)
    with path.open("rb") as file, pytest.raises(NotLoadable, match="without the model that they belong to"):
        registry.load(Source(file.fileno(), path.name), "keras-weights")


def test_links_to_other_files_are_told_and_not_followed(tmp_path: Path) -> None:
    path = legacy(tmp_path / "m.h5", SEQUENTIAL)
    with h5py.File(path, "r+") as file:
        del file["model_weights"]
        file["model_weights"] = h5py.ExternalLink("/etc/hostname", "/x")
    facts = inspect_file(path)
    assert {found.code for found in facts.findings} == {"hdf5-external-link"}
    assert facts.n_weights == 0


def test_hdf5_without_a_model_lists_its_arrays(tmp_path: Path) -> None:
    path = tmp_path / "data.h5"
    with h5py.File(path, "w") as file:
        file["X"], file["group/y"] = np.zeros((10, 3)), np.zeros(10, "i4")
    facts = inspect_file(path)
    assert (facts.format, facts.model_class, facts.loadable) == ("hdf5-data", None, False)
    assert [(info.name, info.shape, info.dtype, info.bytes) for info in facts.arrays] == [
        ("/X", (10, 3), "float64", 240), ("/group/y", (10,), "int32", 40),
    ]  # fmt: skip
