"""Core ML models are told by their head, and SQLite databases by what is in them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from backends.core import directories, registry
from backends.core.errors import Damaged, Unsupported
from backends.core.inspection import Inspection, TensorSpec
from backends.core.source import MemorySource
from backends.formats.coreml import folders, members
from console.records import Verdict
from console.trust.policy import Policy
from console.trust.verdict import judge
from tests.backends import test_onnx
from tests.backends.protobuf import field, number


def feature(name: str, kind: bytes) -> bytes:
    return field(1, name.encode()) + field(3, kind)


def mlmodel(kind: int = 402, version: int = 8) -> bytes:
    array = field(5, field(1, b"\x01\x1c\x1c") + number(2, 65568))
    metadata = field(1, b"digits") + field(2, b"1.0") + field(3, b"somebody")
    described = field(1, feature("image", array)) + field(1, feature("age", field(2, b"")))
    described += field(10, feature("label", field(1, b""))) + field(11, b"label") + field(100, metadata)
    return number(1, version) + field(2, described) + field(kind, b"\x0a\x02\x08\x01" * 30)


def inspected(data: bytes) -> Inspection:
    return registry.inspect(MemorySource(data, "m.mlmodel"))


def test_a_model_tells_version_kind_and_features() -> None:
    found = inspected(mlmodel())
    assert (found.format, found.model_class, found.complete) == ("coreml", "coreml.TreeEnsembleClassifier", True)
    assert found.signature.takes == (TensorSpec("image", "float32", (1, 28, 28)), TensorSpec("age", "float64", ()))
    assert found.signature.gives == (TensorSpec("label", "int64", ()),)
    told = found.details
    assert (told["specification"], told["predicts"], told["author"]) == (8, "label", "somebody")
    assert (told["description"], told["model version"]) == ("digits", "1.0")
    assert judge(found, Policy()).verdict is Verdict.SAFE


def test_a_model_that_an_application_answers_for_is_code() -> None:
    assert judge(inspected(mlmodel(555)), Policy()).verdict is Verdict.REVIEW


def test_a_package_is_one_artifact_with_its_weights() -> None:
    names = ["Manifest.json", "Data", "Data/com.apple.CoreML", "Data/com.apple.CoreML/model.mlmodel"]
    assert folders(names[:2]) == ("Data",)
    assert members(names) == ("Data/com.apple.CoreML/model.mlmodel", "Manifest.json")
    made = {"Manifest.json": b"{}", "Data/com.apple.CoreML/model.mlmodel": mlmodel(502)}
    found = directories.inspect({name: MemorySource(data, name) for name, data in made.items()})
    assert (found.format, found.model_class) == ("coreml", "coreml.MLProgram")


@pytest.mark.parametrize("data", [mlmodel()[:-3], mlmodel(77), mlmodel() + b"\xff", mlmodel() + b"\x0f\x01"])
def test_a_broken_model_is_damaged_with_a_sentence(data: bytes) -> None:
    with pytest.raises(Damaged):
        inspected(data)


def test_a_model_of_onnx_is_none_whatever_its_producer_is_called() -> None:
    for producer in ("backend-test", "Rust", "Zoo", "\nodd"):
        data = test_onnx.forest().SerializeToString().replace(b"skl2onnx", producer.encode().ljust(8)[:8])
        assert inspected(data).format == "onnx"


def test_a_registry_of_mlflow_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    with sqlite3.connect(path) as made:
        for name in ("alembic_version", "registered_models", "model_versions"):
            made.execute(f'CREATE TABLE "{name}" (a TEXT)')
    with pytest.raises(Unsupported, match="MLflow"):
        registry.inspect(MemorySource(path.read_bytes(), "mlflow.db"))
    with sqlite3.connect(tmp_path / "other.db") as made:
        made.execute("CREATE TABLE t (a TEXT)")
    with pytest.raises(Unsupported, match="an SQLite database"):
        registry.inspect(MemorySource((tmp_path / "other.db").read_bytes(), "other.db"))
