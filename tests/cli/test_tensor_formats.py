"""Models of tensors in a terminal: one that runs, and a directory of one that does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import Run
from tests.tensorflow_files import write_saved_model
from tests.tflite_files import dense, packed


@pytest.fixture
def store(tmp_path: Path) -> Path:
    place = tmp_path / "models"
    place.mkdir()
    return place


def test_a_tensorflow_lite_model_answers_rows(run: Run, store: Path, tmp_path: Path) -> None:
    (store / "m.tflite").write_bytes(packed(dense()))
    (tmp_path / "rows.csv").write_text("a,b,c\n1,2,3\n0,0,0\n")
    done = run("predict", str(store / "m.tflite"), "--data", str(tmp_path / "rows.csv"), "--json")
    assert done.code == 0
    assert done.json["outputs"]["predict"] == [[8.5, 25.0], [0.5, -1.0]]


def test_a_saved_model_is_one_artifact_that_says_how_to_run_it(run: Run, store: Path, tmp_path: Path) -> None:
    place = write_saved_model(store / "m" / "1")
    (tmp_path / "rows.csv").write_text("a,b,c,d\n1,2,3,4\n")
    told = run("inspect", str(place), "--json").json
    assert (told["format"], told["trust"]["verdict"]) == ("saved-model", "safe")
    done = run("predict", str(place), "--data", str(tmp_path / "rows.csv"))
    assert done.code != 0
    assert "tf2onnx" in done.err
