"""`diff`: two artifacts by what they are and take, and by the norms of their arrays."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from tests import torch_files as made
from tests.cli.running import Run
from tests.hostile import text


def tensors(path: Path, **arrays: Any) -> Path:
    """A safetensors file of these arrays in float32."""
    header, data = {}, b""
    for name, array in arrays.items():
        values = np.asarray(array, "<f4")
        place = [len(data), len(data) + values.nbytes]
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": place}
        data += values.tobytes()
    head = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + data)
    return path


def found(run: Run, *paths: Path) -> Any:
    ended = run("diff", *map(str, paths), "--json")
    assert ended.code == 0, ended.err
    return ended.json


def test_arrays_are_compared_by_their_numbers(run: Run, tmp_path: Path) -> None:
    first = tensors(tmp_path / "a.safetensors", same=[1, 2], grown=[3, 4], gone=[1], wider=[[1, 1]])
    second = tensors(tmp_path / "b.safetensors", same=[1, 2], grown=[6, 8], fresh=[2], wider=[[1, 1, 1]])
    told = found(run, first, second)
    assert (told["measured"], told["alike"]) == (True, 1)
    assert {one["name"]: (one["before"], one["after"]) for one in told["arrays"]} == {
        "gone": ("F32 1", None), "fresh": (None, "F32 1"), "wider": ("F32 1x2", "F32 1x3"), "grown": ("F32 2", "F32 2"),
    }  # fmt: skip
    (grown,) = [one for one in told["arrays"] if one["name"] == "grown"]
    assert (grown["norm_before"], grown["norm_after"]) == (5.0, 10.0)
    shown = run("diff", str(first), str(second)).out
    assert "5 → 10 (+100.00%)" in shown
    assert "1 arrays are the same, by their numbers" in shown


def test_views_of_one_storage_are_laid_out_before_they_are_compared(run: Run, tmp_path: Path) -> None:
    numbers = np.arange(6, dtype="<f4")
    turned = made.tensor(made.pid(), b"K\x00", b"K\x03K\x02\x86", b"K\x01K\x03\x86")
    data = made.state_dict(made.pid(), text("turned") + turned)
    (tmp_path / "m.pt").write_bytes(made.archive(data, numbers.tobytes()))
    other = tensors(tmp_path / "m.safetensors", weight=numbers.reshape(2, 3), turned=numbers.reshape(2, 3).T)
    told = found(run, tmp_path / "m.pt", other)
    assert (told["measured"], told["alike"], told["arrays"]) == (True, 2, [])
    assert {"what": "format", "name": "", "before": "torch", "after": "safetensors"} in told["changes"]


def test_estimators_are_compared_by_parameters_and_signature(run: Run, tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(30, 3))
    for name, width, strength in (("a", 3, 1.0), ("b", 2, 0.5)):
        model = LogisticRegression(C=strength).fit(rows[:, :width], rows[:, 0] > 0)
        (tmp_path / name).mkdir()
        joblib.dump(model, tmp_path / name / "lr.joblib")
    told = found(run, tmp_path / "a/lr.joblib", tmp_path / "b/lr.joblib")
    changes = {(one["what"], one["name"]): (one["before"], one["after"]) for one in told["changes"]}
    assert changes[("parameter", "C")] == ("1.0", "0.5")
    assert changes[("signature", "inputs")] == ("3", "2")
    assert told["measured"] is False
    assert [one["name"] for one in told["arrays"]] == ["coef_"]
    assert (told["first"], told["second"]) == ("a/lr.joblib", "b/lr.joblib")


def test_the_same_file_twice_differs_in_nothing(run: Run, tmp_path: Path) -> None:
    path = tensors(tmp_path / "a.safetensors", x=[1.0])
    ended = run("diff", str(path), str(path))
    assert (ended.code, "they are, declare, take and give the same" in ended.out) == (0, True)


@pytest.mark.parametrize(("name", "why"), [("none.pt", "is not there"), ("cut.pt", "cut.pt cannot be compared")])
def test_what_is_no_artifact_ends_in_one_sentence(name: str, why: str, run: Run, tmp_path: Path) -> None:
    path = tensors(tmp_path / "a.safetensors", x=[1.0])
    (tmp_path / "cut.pt").write_bytes(b"PK\x03\x04")
    ended = run("diff", str(path), str(tmp_path / name))
    assert (ended.code, why in ended.err) == (4, True)
