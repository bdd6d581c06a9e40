"""Layouts of model servers: their words and their code are told, and the model inside runs where its format does."""

from __future__ import annotations

import os
import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from backends.core import directories, registry
from backends.core.errors import Damaged
from backends.core.inspection import Inspection
from backends.core.source import MemorySource
from backends.formats.serving import bento_members, tf_folders, tf_members, triton_folders, triton_members
from backends.formats.serving.pbtxt import parse
from console.records import Verdict
from console.trust.policy import Policy
from console.trust.verdict import judge
from tests.backends import test_onnx
from tests.mlflow_files import zipped
from tests.serving_files import CONFIG, MODEL_YAML, bento, mar, tf_versions, triton

X = np.arange(40.0).reshape(20, 2)


def model() -> Any:
    return LogisticRegression().fit(X, np.arange(20) % 2)


def inspected(made: dict[str, bytes]) -> Inspection:
    return directories.inspect({name: MemorySource(data, name) for name, data in made.items()})


def verdict(found: Inspection) -> Verdict | None:
    return judge(found, Policy()).verdict


class Payload:
    def __reduce__(self) -> Any:
        return os.system, ("touch marker",)


def test_a_torchserve_archive_tells_its_manifest_and_its_code_is_never_safe() -> None:
    data = zipped(mar(model()))
    found = registry.inspect(MemorySource(data, "iris.mar"))
    assert (found.format, found.model_class) == ("torchserve", "sklearn.linear_model._logistic.LogisticRegression")
    assert [each.code for each in found.findings] == ["served-code"]
    assert verdict(found) is Verdict.REVIEW
    told = found.details
    assert (told["model"], told["model version"], told["handler"]) == ("iris", "1.0", "handler.py")
    assert (told["archiver"], told["model file"], told["model format"]) == ("0.12.0", "model.pkl", "pickle")
    loaded = registry.load(MemorySource(data), "torchserve")
    assert np.array_equal(loaded.model.predict(X), model().predict(X))


def test_a_handler_of_torchserves_own_is_no_code_of_the_archive() -> None:
    found = registry.inspect(MemorySource(zipped(mar(model(), "image_classifier")), "iris.mar"))
    assert verdict(found) is Verdict.SAFE
    named = registry.inspect(MemorySource(zipped(mar(model(), "image_classifier", modelFile="net.py")), "iris.mar"))
    assert verdict(named) is Verdict.REVIEW


@pytest.mark.parametrize("weights", ["../../etc/passwd", "gone.pt"])
def test_weights_that_are_not_in_the_archive_are_told(weights: str) -> None:
    found = registry.inspect(MemorySource(zipped(mar(model(), serializedFile=weights)), "iris.mar"))
    assert verdict(found) in (Verdict.BLOCKED, Verdict.DAMAGED)
    assert not found.loadable


def test_a_hostile_model_inside_is_blocked_wherever_it_lies() -> None:
    for data in (zipped(mar(Payload())), zipped(bento(Payload()))):
        assert verdict(registry.inspect(MemorySource(data))) is Verdict.BLOCKED
    beside = {**bento(model()), "custom_objects.pkl": pickle.dumps(Payload())}
    assert verdict(inspected(beside)) is Verdict.BLOCKED


def test_a_member_without_a_name_is_no_crash() -> None:
    for made in ({**mar(model()), "q-x": b"x"}, {"a.pkl": pickle.dumps(1.5), "q-x": b"x"}):
        data = zipped(made).replace(b"q-x", b"\0-x")
        assert verdict(registry.inspect(MemorySource(data, "a.zip"))) is not Verdict.SAFE


def test_a_bentoml_model_tells_its_tag_and_runs() -> None:
    found = inspected(bento(model()))
    assert (found.format, verdict(found)) == ("bentoml", Verdict.SAFE)
    assert found.library_versions["scikit-learn"] == "1.9.1"
    told = found.details
    assert (told["tag"], told["module"], told["bentoml"]) == ("iris:abc", "bentoml.sklearn", "1.4.40")
    assert told["signatures"] == ["predict, batched by side 0"]
    loaded = registry.load(MemorySource(zipped(bento(model()))), "bentoml")
    assert np.array_equal(loaded.model.predict(X), model().predict(X))


def test_a_module_that_is_none_of_bentomls_is_judged_as_a_name_that_is_called() -> None:
    found = inspected(bento(model(), MODEL_YAML.replace("bentoml.sklearn", "subprocess")))
    assert verdict(found) is Verdict.BLOCKED


def test_a_triton_model_tells_versions_policy_and_tensors() -> None:
    found = inspected(triton(test_onnx.forest().SerializeToString()))
    assert (found.format, found.loadable) == ("triton", True)
    told = found.details
    assert (told["versions"], told["served versions"]) == (["1", "2"], ["1"])
    assert (told["version policy"], told["model file"]) == ("specific: 1, 3", "1/model.onnx")
    assert told["inputs"] == ["X: float32 (?, 2)"]
    assert told["outputs"] == ["label: int64 (?, 1)", "probabilities: float32 (?, ?)"]
    assert (told["platform"], told["instances"]) == ("onnxruntime_onnx", ["2 × KIND_CPU"])


@pytest.mark.parametrize(
    "policy", ["", "version_policy { all {} }", "version_policy: {latest <num_versions: 2>}"], ids=["", "all", "latest"]
)
def test_the_newest_served_version_is_the_model(policy: str) -> None:
    config = 'name: "x"\n' + policy
    found = inspected(triton(test_onnx.forest().SerializeToString(), config))
    assert found.details["model file"] == "2/model.onnx"


def test_a_python_backend_is_code() -> None:
    made = {"config.pbtxt": b'backend: "python"', "1/model.py": b"import os\n"}
    found = inspected(made)
    assert "served-code" in [each.code for each in found.findings]
    assert (found.loadable, verdict(found)) == (False, Verdict.REVIEW)


def test_versions_of_tensorflow_serving_are_named() -> None:
    found = inspected(tf_versions())
    assert found.format == "tfserving"
    assert found.details["versions"] == ["1", "2", "10"]
    assert str(found.details["served version"]).startswith("10")
    assert verdict(found) is not Verdict.SAFE or found.complete


def test_directories_are_told_by_the_whole_set_of_their_entries() -> None:
    assert tf_members(["1", "2", "1/saved_model.pb", "2/saved_model.pb", "2/assets"]) == (
        "1/saved_model.pb",
        "2/saved_model.pb",
    )
    assert tf_members(["1", "other.pkl", "1/saved_model.pb"]) == ()
    assert tf_folders(["1", "other.pkl"]) == ()
    assert triton_members(["config.pbtxt", "1"]) == ()
    assert triton_folders(["config.pbtxt", "1", "labels.txt"]) == ("1",)
    assert bento_members(["model.yaml", "custom_objects.pkl"]) == ()


def test_the_text_of_a_configuration_is_read() -> None:
    found = parse(CONFIG.encode(), "config")
    assert found["input"] == [{"name": ["X"], "data_type": ["TYPE_FP32"], "dims": [2]}]
    assert found["version_policy"] == [{"specific": [{"versions": [1, 3]}]}]
    assert parse(b"a: 'x' 'y' b < c: -1.5e3 > d: [] # end", "t") == {"a": ["xy"], "b": [{"c": ["-1.5e3"]}], "d": []}


@pytest.mark.parametrize("text", ["a {", "a: }", "a", "{", "a: [1", "a: 'open", "\xff", "a { " * 100, "x:1 " * 100_000])
def test_a_configuration_that_is_none_is_damaged_with_a_sentence(text: str) -> None:
    with pytest.raises(Damaged, match="config"):
        parse(text.encode("latin-1"), "config")
