"""Files that name nothing but what every model names, and are hostile all the same: none of them is safe."""

from __future__ import annotations

import functools
import io
import json
import pickle
import struct
import zipfile
import zlib
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import h5py
import joblib
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import FunctionTransformer

from backends.core import registry
from console.records import Verdict
from tests.hostile import call, name, text
from tests.inspecting import judged


def number(value: int) -> bytes:
    return b"\x8a\x09" + value.to_bytes(9, "little", signed=True)


def group(*items: bytes) -> bytes:
    return b"(" + b"".join(items) + b"t"


def data(value: bytes) -> bytes:
    return b"B" + struct.pack("<I", len(value)) + value


def dtype(literal: str, state: bytes = b"") -> bytes:
    made = call("numpy", "dtype", text(literal), b"\x89", b"\x88")
    return made + state + b"b" if state else made


OBJECTS = dtype("O8", group(number(3), text("|"), b"NNN", number(-1), number(-1), number(63)))
POINTERS = dtype("O8", group(number(3), text("|"), b"NNN", number(-1), number(-1), number(1)))


def record(inner: bytes, offset: int, flags: int) -> bytes:
    """The state of a dtype of one field."""
    fields = b"}" + text("a") + group(inner, number(offset)) + b"s"
    return group(number(3), text("|"), b"N", group(text("a")), fields, number(8), number(1), number(flags))


def array(length: int, kind: bytes, content: bytes) -> bytes:
    made = call("numpy._core.multiarray", "_reconstruct", name("numpy", "ndarray"), group(number(0)), data(b"b"))
    return made + group(number(1), group(number(length)), kind, b"\x89", content) + b"b"


HUGE = number(1 << 40)
ADDRESS = data(b"A" * 8)
ONE = group(number(1))
PARTIAL = call("functools", "partial", name("builtins", "dict"))

CALLS: dict[str, bytes] = {
    "an array of given addresses": call("numpy", "ndarray", ONE, OBJECTS, ADDRESS),
    "a record array of given addresses": call("numpy.rec", "recarray", ONE, OBJECTS, ADDRESS),
    "an array made as an object": name("numpy", "ndarray") + group(ONE, OBJECTS, ADDRESS) + b"\x81",
    "an array made by copyreg": call("copyreg", "__newobj__", name("numpy", "ndarray"), ONE, OBJECTS, ADDRESS),
    "a scalar of a given address": call("numpy._core.multiarray", "scalar", OBJECTS, ADDRESS),
    "a buffer of given addresses": call("numpy._core.numeric", "_frombuffer", ADDRESS, OBJECTS, ONE, text("C")),
    "a field beyond its record": call(
        "numpy._core.multiarray", "scalar", dtype("V8", record(dtype("f8"), 1 << 30, 16)), ADDRESS
    ),
    "a huge blank array": call(
        "numpy._core.multiarray", "_reconstruct", name("numpy", "ndarray"), group(HUGE), data(b"d")
    ),
    "a huge bytearray": call("builtins", "bytearray", HUGE),
    "huge bytes of Python 2": call("__builtin__", "bytes", HUGE),
    "a list of a range": call("builtins", "list", call("builtins", "range", HUGE)),
    "an endless deque": call("collections", "deque", call("builtins", "range", HUGE), number(0)),
    "a huge fraction": call("fractions", "Fraction", text("1e1000000000")),
    "text of an object": call("builtins", "str", call("sklearn.pipeline", "Pipeline")),
    "a function of numpy": call("numpy", "identity", number(1 << 20)),
    "a ufunc that writes": call("numpy", "add", number(1), number(2)),
    "a metric": call("sklearn.metrics._classification", "accuracy_score", b"]", b"]"),
    "a check": call("sklearn.utils.validation", "check_array", b"]"),
    "another codec": call("_codecs", "encode", text("flfgrz"), text("rot13")),
    "a call by numpy.random": call("numpy.random._pickle", "__generator_ctor", HUGE, name("builtins", "bytearray")),
    "an object by numpy.random": call("numpy.random._pickle", "__bit_generator_ctor", name("builtins", "dict")),
    "a partial of a constructor": call("functools", "partial", name("builtins", "bytearray"), HUGE),
    "a partial set to another": PARTIAL + group(name("builtins", "bytearray"), group(HUGE), b"}", b"}") + b"b",
    "a default that calls": call("collections", "defaultdict", call("functools", "partial", name("numpy", "identity"))),
    "arguments by name": name("builtins", "dict") + b")}" + text("a") + b"K\x01s\x92",
    "a class of arrays to be called later": name("sklearn.preprocessing._function_transformer", "FunctionTransformer")
    + b")\x81}" + text("func") + name("numpy", "ndarray") + b"sb",
}  # fmt: skip

MEMORY: dict[str, bytes] = {
    "a dtype changed after its array": b"(" + dtype("V8") + b"\x94" + array(1, b"h\x00", ADDRESS) + b"h\x00"
    + record(OBJECTS, 0, 27) + b"bl",
    "fewer objects than announced": array(100_000, OBJECTS, b"]K\x01a"),
    "bytes for objects": array(1, POINTERS, ADDRESS),
    "bytes for records of objects": array(1, dtype("V8", record(OBJECTS, 0, 1)), ADDRESS),
    "a field beyond its array": array(1, dtype("V8", record(dtype("f8"), 1 << 30, 16)), ADDRESS),
    "fewer bytes than announced": array(100_000, dtype("f8"), ADDRESS),
}  # fmt: skip
"""What numpy would read beyond, or take for addresses."""


@pytest.mark.parametrize("title", CALLS)
def test_a_known_name_called_as_no_pickler_does_is_not_safe(title: str) -> None:
    found = judged(b"\x80\x04" + CALLS[title] + b".")
    assert found.verdict in (Verdict.REVIEW, Verdict.BLOCKED)
    assert "odd-call" in {reason.code for reason in found.reasons}


@pytest.mark.parametrize("title", MEMORY)
def test_an_array_that_is_not_what_it_announces_is_blocked(title: str) -> None:
    found = judged(b"\x80\x04" + MEMORY[title] + b".")
    assert found.verdict is Verdict.BLOCKED
    assert "odd-build" in {reason.code for reason in found.reasons}


HONEST: list[Any] = [
    [b"", b"abc", bytearray(), bytearray(b"\xff\x00"), "", "é", 1 << 80, 1.5, 2j, True, None, Ellipsis, range(3)],
    [{1, 2}, frozenset((3,)), slice(1, None, 2), OrderedDict(a=1), Counter("aab"), deque([1], 3), deque()],
    [defaultdict(list, a=[1]), defaultdict(None), Decimal("1.50"), Fraction(1, 3), UUID(int=7)],
    [date(2020, 1, 2), datetime(2020, 1, 2, tzinfo=UTC), timedelta(3), timezone(timedelta(hours=1), "x")],
    [FunctionTransformer(np.log1p), functools.partial(np.clip, a_min=0), functools.partial(np.add, 1)],
    [np.zeros(3, kind) for kind in "bBhHiIlLqQefdgFDG?"],
    [np.array(["a", "bcd"]), np.array([b"a"]), np.array(["a", None, 1], object), np.array([], object), np.array(3)],
    [np.array([{}, [1]], object), np.zeros((2, 0)), np.asfortranarray(np.ones((2, 3))), np.array(["", ""])],
    [np.datetime64("2020-01-01"), np.array(["2020"], "M8[D]"), np.timedelta64(3, "s"), np.array([1], "m8[ns]")],
    [np.array([(1, "x", None)], [("a", "f8"), ("b", "U3"), ("c", "O")]), np.zeros(2, [("a", "i4", (2, 3))])],
    [np.zeros(2, np.dtype([("a", "i1"), ("b", "f8")], align=True)), np.zeros(1, [("a", "i4")]).view(np.recarray)],
    [np.float32(1), np.int64(2), np.bool_(True), np.str_("x"), np.bytes_(b"x"), np.bytes_(b""), np.complex64(1)],
    [
        np.ma.array([1, 2], mask=np.array([False, True])),
        np.ma.array(["a", None], mask=np.array([False, True]), dtype=object),
        np.matrix([[1, 2]]),
    ],
    [np.random.RandomState(0), np.random.default_rng(0), np.random.SeedSequence(1), np.random.MT19937(1)],
    [np.random.Generator(np.random.Philox(1)), np.random.SFC64(2), np.poly1d([1, 2]), np.dtype("f8"), np.float64],
]


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5, "joblib"])
@pytest.mark.parametrize("index", range(len(HONEST)))
def test_what_picklers_write_is_no_odd_call(index: int, protocol: Any) -> None:
    if protocol == "joblib":
        file = io.BytesIO()
        joblib.dump(HONEST[index], file)
        found = judged(file.getvalue())
    else:
        found = judged(pickle.dumps(HONEST[index], protocol))
    assert found.verdict is Verdict.SAFE, found.reasons


PICKLE = b"\x80\x04" + call("os", "system", text("true")) + b"."
ARRAY = io.BytesIO()
np.save(ARRAY, np.zeros(1))


def archive(*members: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for called, content in members:
            made.writestr(called, content)
    return file.getvalue()


def tensors(*members: tuple[str, bytes]) -> bytes:
    return archive(("a/data.pkl", b"\x80\x02}."), ("a/version", b"3\n"), *members)


ARCHIVES: dict[str, tuple[bytes, str]] = {
    "a pickle beside arrays": (archive(("a.npy", ARRAY.getvalue()), ("b.pkl", PICKLE)), "m.npz"),
    "a pickle named as an array": (archive(("a.npy", ARRAY.getvalue()), ("b.npy", PICKLE)), "m.npz"),
    "an archive beside arrays": (archive(("a.npy", ARRAY.getvalue()), ("b.npz", archive(("c", b"")))), "m.npz"),
    "another pickle in a torch file": (tensors(("a/other.pkl", PICKLE)), "m.pt"),
    "another archive root in a torch file": (tensors(("b/data.pkl", PICKLE)), "m.pt"),
    "a data.pkl of other letters": (tensors(("a/DATA.PKL", PICKLE)), "m.pt"),
    "a storage that nothing reads": (tensors(("a/data/0", PICKLE)), "m.pt"),
}


@pytest.mark.parametrize("title", ARCHIVES)
def test_a_member_that_nothing_reads_is_not_safe(title: str) -> None:
    content, called = ARCHIVES[title]
    found = judged(content, called)
    assert found.verdict in (Verdict.REVIEW, Verdict.BLOCKED)
    assert "unread-member" in {reason.code for reason in found.reasons}


def test_a_members_own_checksum_is_compared() -> None:
    content = bytearray(archive(("a.npy", ARRAY.getvalue())))
    content[14] ^= 0xFF
    assert judged(bytes(content), "m.npz").verdict is Verdict.BLOCKED


def test_bytes_in_a_gzip_header_are_not_passed_over() -> None:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    packed = packer.compress(b"\x80\x04N.") + packer.flush()
    check = struct.pack("<2I", zlib.crc32(b"\x80\x04N."), 4)
    plain = b"\x1f\x8b\x08\0" + bytes(6) + packed + check
    extra = b"\x1f\x8b\x08\x04" + bytes(6) + struct.pack("<H", len(PICKLE)) + PICKLE + packed + check
    assert judged(plain).verdict is Verdict.SAFE
    assert judged(extra).verdict is Verdict.REVIEW


@pytest.mark.parametrize("stream", [b"}]Ns.", b"(]Nd.", b"\x8f(}\x90.", b"(\x8f\x91."])
def test_a_key_that_cannot_be_hashed_is_not_safe(stream: bytes) -> None:
    assert judged(b"\x80\x04" + stream).verdict is Verdict.BLOCKED


def hdf5(userblock: int = 0) -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w", userblock_size=userblock) as made:
        made["x"] = np.zeros(3)
    return file.getvalue()


@pytest.mark.parametrize("userblock", [0, 512, 2048])
def test_bytes_behind_an_hdf5_file_are_not_passed_over(userblock: int) -> None:
    assert judged(hdf5(userblock), "m.h5").verdict is Verdict.SAFE
    assert judged(hdf5(userblock) + bytes(100), "m.h5").verdict is Verdict.SAFE
    found = judged(hdf5(userblock) + PICKLE, "m.h5")
    assert (found.verdict, found.reasons[0].code) == (Verdict.REVIEW, "trailing-bytes")


@pytest.mark.parametrize(("block", "verdict"), [(PICKLE, Verdict.BLOCKED), (b"MATLAB 7.3 MAT-file", Verdict.REVIEW)])
def test_what_stands_before_an_hdf5_file_is_told(block: bytes, verdict: Verdict) -> None:
    assert judged(block + hdf5(512)[len(block) :], "m.h5").verdict is verdict


KERAS: dict[str, dict[str, object]] = {
    "an operation by its name": {"class_name": "TFOpLambda", "config": {"name": "a", "function": "io.write_file"}},
    "a saved model": {"class_name": "TFSMLayer", "config": {"name": "a", "filepath": "/x"}},
    "a vocabulary in a file": {"class_name": "StringLookup", "config": {"name": "a", "vocabulary": "/etc/passwd"}},
    "a function of Python": {
        "class_name": "Dense",
        "config": {"units": 1, "activation": {"module": "builtins", "class_name": "function", "config": "eval"}},
    },
}


@pytest.mark.parametrize("title", KERAS)
def test_a_keras_layer_that_reaches_out_is_not_safe(title: str) -> None:
    file = io.BytesIO()
    with h5py.File(file, "w") as made:
        layers = {"name": "s", "layers": [KERAS[title]]}
        made.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": layers})
        made.create_group("model_weights")
    assert judged(file.getvalue(), "m.h5").verdict in (Verdict.REVIEW, Verdict.BLOCKED)


@pytest.mark.parametrize("attribute", ["__class__", "__setstate__"])
def test_an_hdf5_model_that_sets_a_special_attribute_is_not_safe(attribute: str, tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    with path.open("wb") as file:
        registry.save(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]), "hdf5", file.fileno())
    assert judged(path.read_bytes(), "m.h5").verdict is Verdict.SAFE
    with h5py.File(path, "r+") as made:
        made["model"].attrs[attribute] = "x"
    assert judged(path.read_bytes(), "m.h5").verdict is Verdict.REVIEW


@pytest.mark.parametrize("empty", [b"]", b"}"])
def test_lists_that_share_their_parts_without_end_are_not_safe(empty: bytes) -> None:
    doubled = b"".join(b"]\x94(h" + bytes([level]) + b"h" + bytes([level]) + b"e" for level in range(40))
    assert judged(b"\x80\x04(" + empty + b"\x94" + doubled + b"t.").verdict is Verdict.BLOCKED
    assert judged(b"\x80\x04(" + empty + b"\x94" + doubled[: 8 * 5] + b"t.").verdict is Verdict.SAFE
