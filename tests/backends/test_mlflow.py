"""MLflow's directories: what MLmodel says is told, what lies beside it is judged, and nothing it names is imported."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from backends.core import directories, registry
from backends.core.errors import Damaged, NotLoadable
from backends.core.inspection import Inspection, TensorSpec
from backends.core.source import MemorySource
from backends.formats.mlflow import members
from console.files.directories import digest_of_directory, open_directory
from console.files.packing import packed
from console.records import Verdict
from console.trust.policy import Policy
from console.trust.verdict import judge
from tests.backends import test_onnx
from tests.mlflow_files import files, mlmodel, write, zipped

X = np.arange(40.0).reshape(20, 2)
Y = np.arange(20) % 2
PEER = Path("/opt/peers/mlflow/bin/python")


def model() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)


def inspected(made: dict[str, bytes]) -> Inspection:
    return directories.inspect({name: MemorySource(data, name) for name, data in made.items()})


def verdict(made: dict[str, bytes]) -> Verdict | None:
    return judge(inspected(made), Policy()).verdict


def test_what_mlmodel_says_stands_beside_what_the_model_is() -> None:
    found = inspected(files(model()))
    assert (found.format, found.model_class) == ("mlflow", "sklearn.pipeline.Pipeline")
    assert (found.complete, found.loadable, found.findings) == (True, True, ())
    assert judge(found, Policy()).verdict is Verdict.SAFE
    assert found.library_versions == {"scikit-learn": "1.9.1", "mlflow": "3.17.2"}
    assert found.signature.feature_names == ("a b", "c")
    assert found.signature.classes == (0, 1)
    told = found.details
    assert told["inputs"] == ["a b: float64", "c: float64"]
    assert told["outputs"] == ["int64 [-1]"]
    assert told["parameters of a request"] == ["alpha: float64 = 1.0"]
    assert told["run"] == "0123456789abcdef"
    assert told["model uuid"] == "30688aa3c7dd456d8d9f1e9d028ff92a"
    assert told["input example"] == "input_example.json"
    assert "mlflow==3.17.2" in str(told["requirements"])
    assert (told["size as saved"], told["serialized as"], told["model file"]) == (1255, "pickle", "model.pkl")


def test_a_model_of_tensors_tells_them() -> None:
    text = mlmodel(
        "model.bin",
        signature="""\
signature:
  inputs: '[{"name": "x", "type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 28, 28]}}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 10]}}]'
""",
    )
    found = inspected({"MLmodel": text.encode(), "model.bin": b"?" * 50})
    assert found.signature.takes == (TensorSpec("x", "float32", (None, 28, 28)),)
    assert found.signature.gives == (TensorSpec("", "float32", (None, 10)),)
    assert (found.complete, found.loadable) == (False, False)
    assert judge(found, Policy()).verdict is Verdict.REVIEW
    assert found.summary == "MLflow sklearn"


def test_a_module_that_is_none_of_mlflows_own_is_judged_as_a_name_that_is_called() -> None:
    assert verdict(files(model(), mlmodel(loader="my_company.loader"))) is Verdict.REVIEW
    found = inspected(files(model(), mlmodel(loader="subprocess")))
    assert "subprocess._load_pyfunc" in map(str, found.names)
    assert judge(found, Policy()).verdict is Verdict.BLOCKED


def test_code_beside_the_model_is_told() -> None:
    found = inspected(files(model(), mlmodel(code="code"), **{"code/helper.py": b"import os\n"}))
    assert [each.code for each in found.findings] == ["mlflow-code"]
    assert judge(found, Policy()).verdict is Verdict.REVIEW
    assert found.loadable


def test_a_python_model_is_code_and_is_not_run() -> None:
    text = mlmodel("python_model.pkl", loader="mlflow.pyfunc.model").replace("model_path", "python_model")
    made = files(model(), text, **{"python_model.pkl": pickle.dumps(model())})
    found = inspected(made)
    assert "mlflow-code" in [each.code for each in found.findings]
    assert not found.loadable
    with pytest.raises(NotLoadable, match="code of its own"):
        registry.load(MemorySource(zipped(made)), "mlflow")


def test_the_types_that_a_model_trusts_by_its_own_word_change_nothing() -> None:
    class Payload:
        def __reduce__(self) -> Any:
            return os.system, ("touch marker",)

    made = files(Payload(), mlmodel(trusted="[posix.system]"))
    found = inspected(made)
    assert "mlflow-trusted-types" in [each.code for each in found.findings]
    assert judge(found, Policy()).verdict is Verdict.BLOCKED


def test_another_pickle_beside_the_model_is_judged_too() -> None:
    class Payload:
        def __reduce__(self) -> Any:
            return os.system, ("touch marker",)

    for name in ("other.pkl", "requirements.txt", "input_example.json"):
        assert verdict(files(model(), None, **{name: pickle.dumps(Payload())})) is Verdict.BLOCKED


@pytest.mark.parametrize("name", ["../outside.pkl", "/etc/passwd"])
def test_a_model_outside_of_the_directory_is_blocked(name: str) -> None:
    assert verdict(files(model(), mlmodel(name))) is Verdict.BLOCKED


def test_a_model_that_is_not_there_is_damage() -> None:
    made = files(model())
    del made["model.pkl"]
    assert verdict(made) is Verdict.DAMAGED


@pytest.mark.parametrize(
    "text",
    ["", "flavors: 1", "flavors:\n  a: &x 1\n", "flavors: !!python/object:os.system {}", "flavors:\n\tb: 1", "\xff{"],
)
def test_an_mlmodel_that_says_nothing_is_damaged_with_a_sentence(text: str) -> None:
    with pytest.raises(Damaged, match="MLmodel"):
        inspected({**files(model()), "MLmodel": text.encode("latin-1")})


def test_what_a_refused_save_left_is_unfinished() -> None:
    assert members(["model.skops"]) == ("model.skops",)
    assert members(["model.skops", "conda.yaml", "python_env.yaml", "requirements.txt"]) == ("model.skops",)
    assert members(["model.skops", "other.pkl"]) == ()
    with pytest.raises(Damaged, match="unfinished"):
        inspected({"model.skops": b"PK"})


def test_the_members_are_files_and_those_in_directories_beneath() -> None:
    names = ["MLmodel", "model.pkl", "code", "code/a.py", "code/b", "code/b/c.py", ".hidden", "code/.git"]
    assert members(names) == ("MLmodel", "code/a.py", "code/b/c.py", "model.pkl")


def test_a_directory_is_loaded_from_an_archive_of_its_members(tmp_path: Path) -> None:
    write(tmp_path / "m", files(model()))
    with open_directory(tmp_path, "m") as opened, packed(opened) as content:
        assert content.sealed
        assert content.digest == digest_of_directory(opened)
        data = os.pread(content.fd, content.size, 0)
    found = registry.inspect(MemorySource(data, "m"))
    assert (found.format, found.complete, found.loadable) == ("mlflow", True, True)
    loaded = registry.load(MemorySource(data), "mlflow")
    assert loaded.format == "pickle"
    assert np.array_equal(loaded.model.predict(X), model().predict(X))


@pytest.mark.slow
def test_a_directory_of_mlflow_itself_answers_as_mlflow_does(tmp_path: Path) -> None:
    """Real MLflow writes and answers; the console, which never imports it, answers the same."""
    if not PEER.exists():
        pytest.skip("needs an environment with MLflow")
    script = """
import sys, numpy as np, pandas as pd, mlflow.sklearn, mlflow.pyfunc
from sklearn.linear_model import LogisticRegression
X = pd.DataFrame(np.arange(40.0).reshape(20, 2), columns=["a", "b"])
for kind in ("skops", "pickle"):
    made = LogisticRegression().fit(X, np.arange(20) % 3)
    mlflow.sklearn.save_model(made, kind, serialization_format=kind, input_example=X.head(2))
print(",".join(map(str, mlflow.pyfunc.load_model("skops").predict(X))))
"""
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "PYTHONPATH": ""}
    done = subprocess.run(
        [PEER, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200, check=True
    )
    rows = tmp_path / "rows.csv"
    rows.write_text("a,b\n" + "".join(f"{row[0]},{row[1]}\n" for row in X))
    for kind in ("skops", "pickle"):
        command = [
            sys.executable,
            "-m",
            "console",
            "predict",
            str(tmp_path / kind),
            "--data",
            str(tmp_path / "rows.csv"),
        ]
        answered = subprocess.run(command, capture_output=True, text=True, timeout=200, check=True)
        answers = answered.stdout.split()[1:]
        assert ",".join(answers) == done.stdout.strip().splitlines()[-1]


def test_a_model_of_another_flavor_runs_as_what_it_is() -> None:
    graph = test_onnx.forest().SerializeToString()
    text = """\
flavors:
  onnx:
    data: model.onnx
    onnx_version: 1.23.2
  python_function:
    data: model.onnx
    loader_module: mlflow.onnx
mlflow_version: 2.9.0
"""
    made = {"MLmodel": text.encode(), "model.onnx": graph}
    found = inspected(made)
    assert (found.details["flavors"], found.details["model format"]) == ("onnx, python_function", "onnx")
    assert found.library_versions["onnx"] == "1.23.2"
    own = registry.load(MemorySource(graph), "onnx").model
    loaded = registry.load(MemorySource(zipped(made)), "mlflow")
    assert loaded.format == "onnx"
    rows = np.ones((3, own.signature.n_features), "f4")
    assert np.array_equal(loaded.model.call("predict", rows), own.call("predict", rows))


def test_a_model_in_a_directory_of_data_is_found() -> None:
    text = mlmodel("data").replace("pickled_model", "data")
    made = files(model(), text, **{"data/model.pkl": pickle.dumps(model()), "data/notes.txt": b"hello"})
    del made["model.pkl"]
    found = inspected(made)
    assert (found.details["model file"], found.loadable) == ("data/model.pkl", True)
