"""Tensors of a PyTorch archive written as safetensors, without PyTorch and without running anything."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests import torch_files as made
from tests.cli.running import Run
from tests.hostile import old_name, text

NUMBERS = np.arange(6, dtype="<f4")
TURNED = made.tensor(made.pid(), b"K\x00", b"K\x03K\x02\x86", b"K\x01K\x03\x86")


def header(path: Path) -> dict[str, dict[str, object]]:
    data = path.read_bytes()
    found: dict[str, dict[str, object]] = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return found


def test_a_state_dict_is_written_number_by_number(run: Run, tmp_path: Path) -> None:
    (tmp_path / "m.pt").write_bytes(
        made.archive(made.state_dict(made.pid(), text("turned") + TURNED), NUMBERS.tobytes())
    )
    done = run("convert", str(tmp_path / "m.pt"), "--to", "safetensors", "--json")
    assert (done.code, done.json["tensors"], done.json["verdict"], done.json["compared"]) == (0, 2, "safe", ["numbers"])
    out = tmp_path / "m.safetensors"
    assert header(out)["turned"] == {"dtype": "F32", "shape": [3, 2], "data_offsets": [24, 48]}
    expected = NUMBERS.tobytes() + NUMBERS.reshape(2, 3).T.tobytes()
    assert out.read_bytes().endswith(expected)
    told = run("diff", str(tmp_path / "m.pt"), str(out), "--json").json
    assert (told["alike"], told["arrays"]) == (2, [])
    again = run("convert", str(tmp_path / "m.pt"), "--to", "safetensors")
    assert (again.code, "is there already" in again.err) == (4, True)


def test_a_file_of_old_is_written_too(run: Run, tmp_path: Path) -> None:
    old = made.pid(view=True)
    data = made.state_dict(old, text("turned") + TURNED.replace(made.pid(), old))
    data = made.legacy(data, numbers=NUMBERS.tobytes())
    (tmp_path / "m.pth").write_bytes(data)
    assert run("convert", str(tmp_path / "m.pth"), "--to", "safetensors").code == 0
    expected = NUMBERS.tobytes() + NUMBERS.reshape(2, 3).T.tobytes()
    assert (tmp_path / "m.safetensors").read_bytes().endswith(expected)


def test_half_the_bytes_of_bfloat16_are_kept(run: Run, tmp_path: Path) -> None:
    numbers = np.arange(6, dtype="<u2") + 0x3F80
    pid = made.pid(kind=old_name("torch", "BFloat16Storage"))
    (tmp_path / "m.pt").write_bytes(made.archive(made.state_dict(pid), numbers.tobytes()))
    assert run("convert", str(tmp_path / "m.pt"), "--to", "safetensors").code == 0
    out = tmp_path / "m.safetensors"
    assert header(out)["weight"]["dtype"] == "BF16"
    assert out.read_bytes().endswith(numbers.tobytes())


@pytest.mark.parametrize(
    ("data", "code", "why"),
    [
        (made.archive(made.state_dict(made.pid(), made.EVIL), NUMBERS.tobytes()), 3, "is blocked"),
        (made.archive(made.state_dict(made.pid()), NUMBERS.tobytes()[:-1]), 3, "is damaged"),
        (b"\x80\x04}.", 4, "holds no tensors"),
        (made.archive(made.state_dict(made.pid(kind=old_name("torch", "ComplexFloatStorage"))), bytes(48)), 4,
         "complex64, which is not written as safetensors"),
    ],
    ids=["blocked", "damaged", "nothing", "a dtype that it has not"],
)  # fmt: skip
def test_what_is_not_written_says_why(data: bytes, code: int, why: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "m.pt").write_bytes(data)
    done = run("convert", str(tmp_path / "m.pt"), "--to", "safetensors")
    assert (done.code, why in done.err) == (code, True), done.err
    assert not (tmp_path / "m.safetensors").exists()
