"""PyTorch files beside their names: the module tree, TorchScript and exported programs, and how they run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from backends.core import registry
from backends.core.errors import Damaged, NotLoadable
from backends.core.inspection import Inspection, TensorSpec
from backends.core.source import MemorySource
from console.records import Verdict
from console.trust.policy import Policy
from console.trust.verdict import judge
from tests import torch_files as made
from tests.hostile import integer, name, text
from tests.inspecting import inspect_bytes

PYTHON = os.environ.get("MODEL_CONSOLE_TORCH", "")
"""An interpreter that has PyTorch."""


def look(data: bytes, file: str = "m.pt") -> Inspection:
    return inspect_bytes(data, file)


def test_a_state_dict_is_summed_up() -> None:
    found = look(made.archive(made.state_dict(made.pid())))
    assert found.summary == "state dict · 6 params · float32"
    assert found.details["bytes_by_dtype"] == {"float32": 24}


def test_a_checkpoint_tells_its_tree_and_what_stands_beside_it() -> None:
    inner = b"}" + text("layer.weight") + made.tensor(made.pid()) + b"s"
    data = b"\x80\x02}(" + text("epoch") + integer(12) + text("state_dict") + inner
    found = look(made.archive(data + text("optimizer") + b"}" + text("m") + made.tensor(made.pid()) + b"s" + b"u."))
    assert found.summary == "checkpoint · epoch 12 · 6 params · float32"
    assert [one.name for one in found.arrays] == ["state_dict.layer.weight", "optimizer.m"]
    assert (found.details["beside"], found.details["optimiser"]) == ({"epoch": 12}, "1 tensors, 24 bytes")


def test_lightning_is_told() -> None:
    data = b"\x80\x02}(" + text("epoch") + integer(3) + text("pytorch-lightning_version") + text("2.1.3") + b"u."
    assert look(made.archive(data)).summary == "Lightning checkpoint · epoch 3"


def test_a_file_nested_without_end_is_told_soon() -> None:
    assert look(made.archive(b"\x80\x02" + b"](" * 5000 + b"e" * 5000 + b".")).arrays == ()


def test_a_program_of_any_length_is_read_at_once() -> None:
    began = time.process_time()
    found = look(made.script("x: Tensor) -> " + "def forward(self" * 60_000))
    assert "forward" not in found.details
    assert time.process_time() - began < 5, "it grows with the square of the length"


def test_a_script_tells_its_program_and_waits_for_a_person() -> None:
    found = look(made.script("x: Tensor,\n    y: Tensor) -> Tuple[Tensor, Tensor]"))
    assert found.summary == "TorchScript · Net"
    assert found.details["forward"] == "(x: Tensor, y: Tensor) → Tuple[Tensor, Tensor]"
    assert "class Net(Module)" in str(found.details["code"])
    assert found.signature.takes == (TensorSpec("x"), TensorSpec("y"))
    assert [one.name for one in found.signature.gives] == ["output_0", "output_1"]
    assert judge(found, Policy()).verdict is Verdict.REVIEW


def test_a_script_that_takes_more_than_tensors_is_shown_and_not_run() -> None:
    found = look(made.script("x: List[str]) -> Tensor"))
    assert (found.signature.takes, found.loadable) == ((), False)
    (told,) = [one.detail for one in judge(found, Policy()).reasons if one.code == "not-loadable"]
    assert told.startswith("its forward(x: List[str]) → Tensor takes or gives more than tensors and numbers")


def test_a_script_may_take_numbers_beside_tensors() -> None:
    found = look(made.script("x: Tensor,\n    sr: int,\n    gain: float) -> Tensor"))
    assert found.signature.takes == (TensorSpec("x"), TensorSpec("sr", "int64", ()), TensorSpec("gain", "float64", ()))
    assert found.loadable


def test_the_class_is_found_in_the_file_of_its_module() -> None:
    others = {f"code/__torch__/a{number:02}.py": b"class Net(Module):\n  x : int\n" for number in range(30)}
    found = look(made.script("x: Tensor) -> Tensor", package="z.deep", members=others))
    assert (found.details["forward"], found.details["source_files"]) == ("(x: Tensor) → Tensor", 31)


def test_constants_of_a_program_are_part_of_it() -> None:
    listed = b"\x80\x02(" + made.pid(key="0") + b"t."
    assert {one.code for one in look(made.script(constants=listed)).findings} == {"torch-script", "torch-storage"}
    found = look(made.script(constants=listed, members={"constants/0": bytes(24)}))
    assert [one.code for one in found.findings] == ["torch-script"]
    found = look(made.script(members={"constants/0": bytes(24)}))
    assert [one.code for one in found.findings] == ["unread-member", "torch-script"]


def test_a_file_of_one_tensor_says_so() -> None:
    found = look(made.archive(b"\x80\x02" + made.tensor(made.pid()) + b"."))
    assert (found.summary, [one.name for one in found.arrays]) == ("one tensor · 6 params · float32", ["tensor"])


def test_other_names_in_a_script_are_judged_as_ever() -> None:
    found = look(made.script(extra=text("hook") + name("os", "system")))
    assert judge(found, Policy()).verdict is Verdict.BLOCKED


def test_names_of_a_program_without_its_code_are_judged() -> None:
    data = b"\x80\x02" + name("__torch__", "Net") + b")\x81."
    assert "__torch__.Net" in {str(one) for one in look(made.archive(data)).names}


def test_an_exported_program_tells_its_graph_and_waits_for_a_person() -> None:
    found = look(made.exported(), "m.pt2")
    assert (found.format, found.summary) == ("torch-export", "exported program · 12 params")
    assert found.signature.takes == (TensorSpec("x", "float32", (None, 4)),)
    assert found.signature.gives == (TensorSpec("linear", "float32", (None, 3)),)
    assert (found.signature.n_features, found.library_versions) == (4, {"torch": "2.13.0"})
    assert found.details["operators"] == {"aten.linear.default": 1}
    assert judge(found, Policy()).verdict is Verdict.REVIEW


def test_an_operator_of_another_library_is_told() -> None:
    found = look(made.exported(nodes=[{"target": "torch.ops.evil.run.default"}]), "m.pt2")
    assert "torch-operator" in [one.code for one in found.findings]


@pytest.mark.parametrize(
    "changes",
    [{"nodes": 3}, {"tensor_values": {}}, {"tensor_values": {"x": {"dtype": 7, "sizes": [{"as_int": -1}]}}}],
    ids=["nodes", "values", "a side"],
)
def test_a_broken_graph_is_damaged(changes: dict[str, Any]) -> None:
    with pytest.raises(Damaged):
        look(made.exported(**changes), "m.pt2")


@pytest.mark.skipif(bool(PYTHON), reason="PyTorch may be here")
@pytest.mark.parametrize("kind", ["torch", "torch-export"])
def test_the_extra_is_named_where_pytorch_is_missing(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    data = made.script() if kind == "torch" else made.exported()
    with pytest.raises(NotLoadable, match="install the torch extra"):
        registry.load(MemorySource(data), kind)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not PYTHON, reason="MODEL_CONSOLE_TORCH names no interpreter with PyTorch")
def test_programs_answer_as_pytorch_does() -> None:
    """Ten models, traced, scripted and exported, each asked by PyTorch and through the console's Runnable."""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [PYTHON, str(root / "tests/backends/torch_runner.py")], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert len(told) == 31
    assert [name for name, same in told.items() if not same] == []
