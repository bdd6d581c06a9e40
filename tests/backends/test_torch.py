"""PyTorch's containers: honest ones are told whole, and nothing that hides in one is missed."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from backends.core import registry
from backends.core.errors import NotLoadable, Unsupported
from backends.core.inspection import Inspection
from backends.core.source import MemorySource
from console.records import Verdict
from console.trust.policy import Policy
from console.trust.verdict import judge
from tests import torch_files as made
from tests.hostile import call, integer, name, text
from tests.inspecting import inspect_file, judge_error


def inspect(path: Path, data: bytes) -> Inspection:
    path.write_bytes(data)
    return inspect_file(path)


HONEST = made.state_dict(made.pid())
OLD = made.state_dict(made.pid(view=True))


@pytest.mark.parametrize("data", [made.archive(HONEST), made.legacy(OLD)], ids=["archive", "legacy"])
def test_an_honest_file_is_safe_and_shown_but_not_run(data: bytes, tmp_path: Path) -> None:
    found = inspect(tmp_path / "model.pt", data)
    assert (found.format, found.complete, found.loadable) == ("torch", True, False)
    assert found.findings == ()
    assert [(each.name, each.shape, each.dtype, each.bytes) for each in found.arrays] == [
        ("weight", (2, 3), "float32", 24)
    ]
    assert found.n_weights == 6
    assert {str(use) for use in found.names} == {
        "collections.OrderedDict", "torch._utils._rebuild_tensor_v2", "torch.FloatStorage",
    }  # fmt: skip
    judged = judge(found, Policy())
    assert judged.verdict is Verdict.SAFE
    assert "not-loadable" in {reason.code for reason in judged.reasons}
    with pytest.raises(NotLoadable, match=r"save it with torch\.jit"):
        registry.named("torch").load(MemorySource(data))


def test_a_module_pickled_whole_is_reviewed_by_its_name(tmp_path: Path) -> None:
    found = inspect(tmp_path / "m.pt", made.archive(made.state_dict(made.pid(), text("net") + name("mynet", "Net"))))
    assert judge(found, Policy()).verdict is Verdict.REVIEW
    assert [use.place for use in found.names if str(use) == "mynet.Net"] == ["member archive/data.pkl"]


BLOCKED = {
    "named in the archive": made.archive(made.state_dict(made.pid(), made.EVIL)),
    "named in the legacy file": made.legacy(made.state_dict(made.pid(view=True), made.EVIL)),
    "persistent id of another kind": made.archive(made.state_dict(made.pid(tag="module"))),
    "storage type that is none": made.archive(made.state_dict(made.pid(kind=name("torch", "load")))),
    "storage type that is a string": made.archive(made.state_dict(made.pid(kind=text("FloatStorage")))),
    "negative count": made.archive(made.state_dict(made.pid(count=-1))),
    "legacy id in an archive": made.archive(OLD),
    "archive's id in a legacy file": made.legacy(HONEST),
    "arrays of numpy beside": made.archive(HONEST, **{"x.npy": b"\x93NUMPY"}),
    "bad checksum": made.archive(HONEST).replace(b"weight", b"weighT", 1),
    "prefix": b"\x80\x02N." + made.archive(HONEST),
    "names disagree": made.archive(HONEST).replace(b"archive/data.pkl", b"archive/dato.pkl", 1),
}
"""What must be blocked, each for a reason of its own."""


@pytest.mark.parametrize("data", BLOCKED.values(), ids=list(BLOCKED))
def test_a_hostile_container_is_blocked(data: bytes, tmp_path: Path) -> None:
    found = inspect(tmp_path / "model.pt", data)
    assert judge(found, Policy()).verdict is Verdict.BLOCKED, found.findings


def view(offset: bytes, shape: bytes, strides: bytes) -> bytes:
    """An archive with one tensor that shows six numbers so."""
    return made.archive(made.state_dict(made.pid(), text("view") + made.tensor(made.pid(), offset, shape, strides)))


DAMAGED = {
    "offset behind the numbers": (view(b"K\x01", b"K\x02K\x03\x86", b"K\x03K\x01\x86"), "torch-storage"),
    "offset before the numbers": (view(integer(-1), b"K\x02\x85", b"K\x01\x85"), "torch-storage"),
    "strides over the end": (view(b"K\x00", b"K\x02K\x03\x86", b"K\x03K\x02\x86"), "torch-storage"),
    "strides before the begin": (view(b"K\x05", b"K\x06\x85", integer(-1) + b"\x85"), "torch-storage"),
    "more sides than strides": (view(b"K\x00", b"K\x02K\x03\x86", b"K\x03\x85"), "torch-storage"),
    "a shape of more numbers": (view(b"K\x00", b"K\x07\x85", b"K\x01\x85"), "torch-storage"),
    "numbers missing": (made.archive(made.state_dict(made.pid("1"))), "torch-storage"),
    "numbers cut": (made.archive(HONEST, bytes(20)), "torch-storage"),
    "legacy numbers cut": (made.legacy(OLD, numbers=bytes(20)), "truncated"),
    "legacy count differs": (made.legacy(OLD, count=5), "torch-storage"),
    "legacy key unknown": (made.legacy(OLD, keys=("7",)), "torch-storage"),
    "legacy keys odd": (made.legacy(OLD, keys=[1]), "malformed"),
    "legacy cut": (made.legacy(OLD)[:60], "truncated"),
}


@pytest.mark.parametrize(("data", "code"), DAMAGED.values(), ids=list(DAMAGED))
def test_a_broken_container_is_damaged(data: bytes, code: str, tmp_path: Path) -> None:
    found = inspect(tmp_path / "model.pt", data)
    assert code in {each.code for each in found.findings}
    assert not found.complete
    assert judge(found, Policy()).verdict is Verdict.DAMAGED


HONEST_VIEWS = {
    "transposed": view(b"K\x00", b"K\x03K\x02\x86", b"K\x01K\x03\x86"),
    "one number for all": view(b"K\x05", b"K\x09K\x09\x86", b"K\x00K\x00\x86"),
    "nothing": view(b"K\x06", b"K\x00K\x03\x86", b"K\x03K\x01\x86"),
    "a scalar": view(b"K\x05", b")", b")"),
}


@pytest.mark.parametrize("data", HONEST_VIEWS.values(), ids=list(HONEST_VIEWS))
def test_a_view_within_its_numbers_is_whole(data: bytes, tmp_path: Path) -> None:
    found = inspect(tmp_path / "model.pt", data)
    assert (found.findings, found.complete) == ((), True)


def test_numbers_that_two_tensors_share_count_once(tmp_path: Path) -> None:
    found = inspect(tmp_path / "model.pt", view(b"K\x00", b"K\x02K\x03\x86", b"K\x03K\x01\x86"))
    assert [each.name for each in found.arrays] == ["weight", "view"]
    assert (found.n_weights, found.details["parameters"]) == (6, 6)


def test_a_package_is_told_as_code(tmp_path: Path) -> None:
    main = name("models.net", "Net") + b")\x81}(" + text("weight") + made.tensor(made.pid()) + b"ub."
    found = inspect(tmp_path / "model.pt", made.package(b"\x80\x02" + main))
    assert (found.format, found.model_class, found.summary) == ("torch", "models.net.Net", "torch.package · 6 params")
    assert [each.detail for each in found.findings] == ["it brings 1 files of Python, which building the model imports"]
    assert (found.details["python"], found.details["needs"]) == ("3.11", ["torch"])
    assert judge(found, Policy()).verdict is Verdict.REVIEW


def test_a_package_that_names_more_than_its_own_is_blocked(tmp_path: Path) -> None:
    found = inspect(tmp_path / "model.pt", made.package(b"\x80\x02" + call("os", "system", text("x")) + b"."))
    assert judge(found, Policy()).verdict is Verdict.BLOCKED


def test_bytes_after_the_last_storage_are_told(tmp_path: Path) -> None:
    found = inspect(tmp_path / "model.pt", made.legacy(OLD) + b"more")
    assert [each.code for each in found.findings] == ["trailing-bytes"]
    assert judge(found, Policy()).verdict is Verdict.REVIEW


def test_code_beside_the_numbers_is_reviewed(tmp_path: Path) -> None:
    found = inspect(tmp_path / "model.pt", made.archive(HONEST, **{"code/__torch__.py": b"def forward(): pass"}))
    assert [each.code for each in found.findings] == ["torch-script"]
    assert judge(found, Policy()).verdict is Verdict.REVIEW


def test_a_torch_pickle_outside_its_container_is_blocked(tmp_path: Path) -> None:
    found = inspect(tmp_path / "data.pkl", HONEST)
    assert "persistent-id" in {each.code for each in found.findings}
    assert judge(found, Policy()).verdict is Verdict.BLOCKED


def test_a_tar_of_old_is_unsupported_and_says_what_to_do(tmp_path: Path) -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as whole:
        whole.addfile(tarfile.TarInfo("sys_info"))
    with pytest.raises(Unsupported, match=r"PyTorch before 0\.1\.10") as refused:
        inspect(tmp_path / "model.pt", file.getvalue())
    assert judge_error(refused.value).verdict is Verdict.UNSUPPORTED
