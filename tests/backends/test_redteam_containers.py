"""Archives and HDF5 files whose honest parts are honest, with more beside them: none of them is safe."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

from backends.core import registry
from console.records import Verdict
from tests.backends.test_redteam import ARRAY, PICKLE, archive, tensors
from tests.inspecting import judged

UNSAFE = (Verdict.REVIEW, Verdict.BLOCKED)
OLD_PICKLE = b"cos\nsystem\n(S'true'\ntR."


def two_arrays(between: bytes) -> bytes:
    """An archive of two arrays with bytes between its second member and the directory, or before the second."""
    plain = archive(("a.npy", ARRAY.getvalue()), ("b.npy", ARRAY.getvalue()))
    start, end = plain.find(b"PK\x01\x02"), plain.rfind(b"PK\x05\x06")
    moved = struct.pack("<I", start + len(between))
    return plain[:start] + between + plain[start : end + 16] + moved + plain[end + 20 :]


def noted(**notes: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        info = zipfile.ZipInfo("a.npy")
        info.comment, info.extra = notes.get("comment", b""), notes.get("extra", b"")
        made.writestr(info, ARRAY.getvalue())
        made.comment = notes.get("whole", b"")
    return file.getvalue()


def field(kind: int, content: bytes) -> bytes:
    return struct.pack("<2H", kind, len(content)) + content


ARCHIVES: dict[str, tuple[bytes, str]] = {
    "a comment": (noted(whole=PICKLE), "m.npz"),
    "a member's comment": (noted(comment=PICKLE), "m.npz"),
    "a field of its own": (noted(extra=field(0x9999, PICKLE)), "m.npz"),
    "another name in a field": (noted(extra=field(0x7075, b"\x01\0\0\0\0b.npy")), "m.npz"),
    "bytes between": (two_arrays(PICKLE), "m.npz"),
    "a member that the directory does not list": (two_arrays(archive(("c.npy", PICKLE))[:100]), "m.npz"),
    "a version of torch that is a pickle": (archive(("a/data.pkl", b"\x80\x02}."), ("a/version", PICKLE)), "m.pt"),
    "a byte order that is a pickle": (tensors(("a/byteorder", PICKLE)), "m.pt"),
}


@pytest.mark.parametrize("title", ARCHIVES)
def test_bytes_of_an_archive_that_belong_to_nothing_are_told(title: str) -> None:
    assert judged(*ARCHIVES[title]).verdict in UNSAFE


@pytest.mark.parametrize("beyond", [100, 1000, 1 << 30])
def test_a_tensor_file_whose_members_start_before_it_is_damaged(beyond: int) -> None:
    plain = tensors()
    end = plain.rfind(b"PK\x05\x06")
    moved = struct.pack("<I", plain.find(b"PK\x01\x02") + beyond)
    found = judged(plain[: end + 16] + moved + plain[end + 20 :], "m.pt")
    assert found.verdict is Verdict.DAMAGED
    assert found.reasons[0].detail == "the archive's directory places 'a/data.pkl' before the start of the file"


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_archives_as_numpy_and_others_write_them_are_no_alarm(compression: int) -> None:
    file = io.BytesIO()
    (np.savez if compression == zipfile.ZIP_STORED else np.savez_compressed)(file, a=np.zeros(3), b=np.ones((2, 2)))
    assert judged(file.getvalue(), "m.npz").verdict is Verdict.SAFE
    assert judged(noted(extra=field(0x5455, b"\x03" + bytes(8))), "m.npz").verdict is Verdict.SAFE
    assert judged(tensors(("a/byteorder", b"little"), ("a/.data/serialization_id", b"0123")), "m.pt").verdict is (
        Verdict.SAFE
    )


def hdf5(fill: Callable[[Any], object]) -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w") as made:
        fill(made)
    return file.getvalue()


def objects(made: Any) -> None:
    made.create_dataset("x", data=np.zeros(3, np.uint8)).attrs["PSEUDOATOM"] = np.bytes_(b"object")


HDF5: dict[str, Callable[[Any], object]] = {
    "bytes": lambda made: made.create_dataset("x", data=np.frombuffer(PICKLE, np.uint8)),
    "an opaque value": lambda made: made.create_dataset("x", data=np.void(PICKLE)),
    "a text": lambda made: made.create_dataset("x", data=OLD_PICKLE.decode()),
    "texts": lambda made: made.create_dataset("x", data=[OLD_PICKLE.decode(), "b"]),
    "an attribute": lambda made: made.attrs.__setitem__("x", np.void(PICKLE)),
    "an attribute of PyTables": lambda made: made.create_group("g").attrs.__setitem__("x", np.bytes_(OLD_PICKLE)),
    "objects of PyTables": objects,
}


@pytest.mark.parametrize("title", HDF5)
def test_pickles_in_an_hdf5_file_are_told(title: str) -> None:
    found = judged(hdf5(HDF5[title]), "m.h5")
    assert found.verdict is (Verdict.REVIEW if title == "objects of PyTables" else Verdict.BLOCKED)
    assert "nested-pickle" in {reason.code for reason in found.reasons}


@pytest.mark.parametrize("byte", [0x28, 0x4E, 0x5D, 0x80, 0x29])
def test_numbers_are_no_pickles(byte: int) -> None:
    data = np.full(5000, byte, np.uint8)
    assert judged(hdf5(lambda made: made.create_dataset("x", data=data)), "m.h5").verdict is Verdict.SAFE
    assert judged(hdf5(lambda made: made.attrs.__setitem__("none", h5py.Empty("f8"))), "m.h5").verdict is Verdict.SAFE
    text = "city\nBern\nLima\n" * 100
    assert judged(hdf5(lambda made: made.attrs.__setitem__("notes", text)), "m.h5").verdict is Verdict.SAFE


def test_what_stands_far_behind_an_hdf5_file_is_told() -> None:
    plain = hdf5(lambda made: made.create_dataset("x", data=np.zeros(3)))
    assert judged(plain + bytes(1 << 17), "m.h5").verdict is Verdict.SAFE
    assert judged(plain + bytes(1 << 17) + PICKLE, "m.h5").verdict is Verdict.REVIEW


def own(path: Path, model: Any, change: Callable[[Any], object] = lambda made: None) -> Verdict | None:
    with path.open("wb") as file:
        registry.save(model, "hdf5", file.fileno())
    with h5py.File(path, "r+") as made:
        change(made["model"])
    return judged(path.read_bytes(), "m.h5").verdict


def put(group: Any, name: str, value: Any) -> None:
    """A value as the layout stores it; a set of one text is a class, a dict with `dtype` a dtype."""
    if isinstance(value, (tuple, list)):
        made = group.create_group(name)
        made.attrs["@kind"] = type(value).__name__
        for position, item in enumerate(value):
            put(made, str(position), item)
    elif isinstance(value, (set, dict)):
        made = group.create_group(name)
        made.attrs["@kind"] = "global" if isinstance(value, set) else "dtype"
        made.attrs["@name"] = next(iter(value)) if isinstance(value, set) else value["dtype"]
    elif isinstance(value, bytes):
        group.create_dataset(name, data=np.frombuffer(value, np.uint8)).attrs["@kind"] = "bytes"
    else:
        group.attrs[name] = value


def called(group: Any, function: str, args: Any, state: Any = None, kind: str = "@call") -> None:
    made = group.create_group("x")
    made.attrs[kind] = function
    put(made, "@args", args)
    if state is not None:
        put(made, "@state", state)


def doubled(model: Any, kind: str) -> None:
    put(model, "t0", (1, "a"))
    for level in range(1, 45):
        made = model.create_group(f"t{level}")
        made.attrs["@kind"] = kind
        made["0"] = made["1"] = h5py.SoftLink(f"/model/t{level - 1}")


RECONSTRUCT, MATRIX = "numpy._core.multiarray:_reconstruct", {"numpy:matrix"}
OWN: dict[str, Callable[[Any], object]] = {
    "a huge array": lambda model: called(model, RECONSTRUCT, (MATRIX, (1 << 40,), b"b")),
    "fewer objects than announced": lambda model: called(
        model, RECONSTRUCT, (MATRIX, (0,), b"b"), (1, (100_000,), {"dtype": "|O"}, False, [1])
    ),
    "fewer bytes than announced": lambda model: called(
        model, RECONSTRUCT, (MATRIX, (0,), b"b"), (1, (100_000,), {"dtype": "<f8"}, False, b"12345678")
    ),
    "a size for text": lambda model: called(
        model, "copyreg:_reconstructor", ({"builtins:str"}, {"builtins:str"}, 1 << 40)
    ),
    "a tree of many outputs": lambda model: called(model, "sklearn.tree._tree:Tree", (1, "x", 1 << 40)),
    "a class of a shape": lambda model: called(
        model, "scipy.sparse._csr:csr_matrix", ((1 << 40, 1 << 40),), kind="@class"
    ),
    "bytes for objects": lambda model: model.create_dataset("x", data=np.full((4, 8), 65, np.uint8)).attrs.__setitem__(
        "@dtype", "|O"
    ),
    "a dtype of several": lambda model: put(model, "x", {"dtype": "O,O"}),
    "tuples that share their parts": lambda model: doubled(model, "tuple"),
    "lists that share their parts": lambda model: doubled(model, "list"),
}


@pytest.mark.parametrize("title", OWN)
def test_an_hdf5_model_that_calls_as_no_writer_does_is_not_safe(title: str, tmp_path: Path) -> None:
    model = LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])
    assert own(tmp_path / "m.h5", model) is Verdict.SAFE
    assert own(tmp_path / "m.h5", model, OWN[title]) in UNSAFE


def test_an_hdf5_model_with_trees_and_generators_is_no_alarm(tmp_path: Path) -> None:
    tree = DecisionTreeClassifier(random_state=np.random.RandomState(0)).fit([[0.0], [1.0]], [0, 1])
    assert own(tmp_path / "m.h5", tree) is Verdict.SAFE
    kept = {"a": np.random.default_rng(0), "b": np.matrix([[1.0]]), "c": np.array(["2020"], "M8[D]")}
    assert own(tmp_path / "m.h5", FunctionTransformer(np.log1p, kw_args=kept).fit([[1.0]])) is Verdict.SAFE
