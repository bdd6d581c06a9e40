"""Tensors in JSON and in binary, against numpy."""

from __future__ import annotations

import json
import threading
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from console.errors import ConsoleError
from console.http.errors import Refused
from console.http.json_body import MOST_JSON, aside, encoded_numbers, read_json
from console.http.oip_infer import HEAD, read_inputs
from console.http.tensors_binary import raw_shape, read_texts, written_texts
from console.http.tensors_json import packed, read_values, unpacked
from console.records import NUMPY_DTYPES

FLOATS = {"FP16": 16, "FP32": 32, "FP64": 64}
SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, max_side=4)


@st.composite
def arrays(draw: st.DrawFn) -> tuple[str, Any]:
    """A datatype and an array of it."""
    datatype = draw(st.sampled_from(sorted(NUMPY_DTYPES)))
    return datatype, draw(hnp.arrays(np.dtype(NUMPY_DTYPES[datatype]), draw(SHAPES)))


def as_sent(values: Any) -> Any:
    """An array's values as Python's json writes them."""
    return json.dumps(values).encode()


@settings(max_examples=60, deadline=None)
@given(arrays(), st.booleans())
def test_json_holds_what_numpy_does(case: tuple[str, Any], nested: bool) -> None:
    datatype, array = case
    values = array.tolist() if nested else array.ravel().tolist()
    body = {"inputs": [{"name": "x", "shape": list(array.shape), "datatype": datatype, "data": values}]}
    inputs = read_inputs(json.dumps(body).encode(), {})[0]
    (tensor,) = inputs.tensors
    back = np.frombuffer(inputs.body, NUMPY_DTYPES[datatype])
    np.testing.assert_array_equal(back, array.ravel())
    assert tensor.shape == (array.shape if array.ndim > 1 else (array.size, 1))


@settings(max_examples=40, deadline=None)
@given(arrays())
def test_binary_goes_through_as_it_is(case: tuple[str, Any]) -> None:
    datatype, array = case
    data = array.tobytes()
    head = {
        "inputs": [
            {"name": "x", "shape": array.shape, "datatype": datatype, "parameters": {"binary_data_size": len(data)}}
        ]
    }
    text = json.dumps(head).encode()
    inputs = read_inputs(text + data, {b"inference-header-content-length": b"%d" % len(text)})[0]
    assert inputs.body == data


@settings(max_examples=40, deadline=None)
@given(arrays())
def test_answers_in_json_are_read_back_by_numpy(case: tuple[str, Any]) -> None:
    datatype, array = case
    text = msgspec.json.encode(encoded_numbers(unpacked(datatype, array.tobytes())))
    back = np.array(json.loads(text, parse_constant=pytest.fail), NUMPY_DTYPES[datatype]).reshape(array.shape)
    np.testing.assert_array_equal(back, array)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text()))
def test_texts_are_read_back(texts: list[str]) -> None:
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    assert read_texts("x", [len(texts)], memoryview(written_texts(texts))) == texts


def value(datatype: str, data: str, shape: list[int]) -> Any:
    """The bytes of a tensor that was sent so."""
    found = read_values("x", datatype, shape, msgspec.Raw(data.encode()))
    return found if datatype == "BYTES" else packed("x", datatype, found)


@pytest.mark.parametrize(
    ("datatype", "data", "shape", "expected"),
    [
        ("FP64", "[1, 2.5]", [2], np.array([1, 2.5])),
        ("FP64", "3", [1], np.array([3.0])),
        ("FP64", '[null, "NaN", "Infinity", "-Infinity"]', [4], np.array([np.nan, np.nan, np.inf, -np.inf])),
        ("FP64", "[[1,2],[3,null]]", [2, 2], np.array([1, 2, 3, np.nan])),
        ("FP32", "[0.1]", [1], np.array([0.1], "f4")),
        ("FP16", "[65504.0]", [1], np.array([65504], "f2")),
        ("INT64", "[1.0, -9223372036854775808]", [2], np.array([1, -(2**63)])),
        ("UINT64", "[18446744073709551615]", [1, 1], np.array([2**64 - 1], "u8")),
        ("INT8", "[[[1],[2]],[[3],[4]]]", [2, 2, 1], np.array([1, 2, 3, 4], "i1")),
        ("BOOL", "[true, 0, 1]", [3], np.array([True, False, True])),
        ("FP64", "[]", [0, 3], np.array([])),
    ],
)
def test_what_is_taken(datatype: str, data: str, shape: list[int], expected: Any) -> None:
    assert value(datatype, data, shape) == expected.tobytes()


@pytest.mark.parametrize(
    ("datatype", "data", "shape", "told"),
    [
        ("FP64", "[1,2,3]", [2, 2], "expects 4 values, found 3"),
        ("FP64", "[[1,2],[3]]", [2, 2], "nested as its shape"),
        ("FP64", "[[1,2,3],[4]]", [2, 2], "nested as its shape"),
        ("FP64", "[[1,2],[3,4]]", [4], "found"),
        ("FP64", '["1"]', [1], "expected FP64 values, found '1' at place 0"),
        ("FP64", "[true]", [1], "found True"),
        ("FP64", "{}", [1], "found {}"),
        ("FP16", "[65520.0]", [1], "beyond what FP16 holds"),
        ("FP32", "[1e39]", [1], "beyond what FP32 holds"),
        ("INT8", "[128]", [1], "beyond what INT8 holds"),
        ("UINT8", "[-1]", [1], "beyond what UINT8 holds"),
        ("INT64", "[9223372036854775808]", [1], "beyond what INT64 holds"),
        ("INT64", "[1.5]", [1], "found 1.5"),
        ("INT64", "[null]", [1], "found None"),
        ("BOOL", "[2]", [1], "found 2"),
        ("BYTES", "[1]", [1], "expected BYTES values, found 1"),
        ("BF16", "[1]", [1], "expected one of BOOL"),
        ("FP64", "[1]", [-1], "not negative"),
        ("FP64", "[1]", [1] * 33, "33 dimensions"),
        ("FP64", "[1]", [10**30], "found 1"),
    ],
)
def test_what_is_refused_with_expected_and_found(datatype: str, data: str, shape: list[int], told: str) -> None:
    with pytest.raises(ConsoleError) as caught:
        value(datatype, data, shape)
    assert told in caught.value.message


def binary(data: bytes, *tensors: tuple[str, str, list[int], int], length: str | None = None) -> Any:
    """Inputs behind a head."""
    heads = [
        {"name": name, "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": size}}
        for name, datatype, shape, size in tensors
    ]
    text = json.dumps({"inputs": heads}).encode()
    said = str(len(text)) if length is None else length
    return read_inputs(text + data, {b"inference-header-content-length": said.encode()})[0]


def test_several_binary_tensors_are_columns() -> None:
    texts = written_texts(["a", "ä"])
    numbers = np.array([1.5, np.nan]).tobytes()
    found = binary(texts + numbers, ("word", "BYTES", [2], len(texts)), ("size", "FP64", [2, 1], 16))
    assert found.columns == ("word", "size")
    assert [list(row) for row in found.rows] == [["a", 1.5], ["ä", None]]


@pytest.mark.parametrize(
    ("data", "tensor", "told"),
    [
        (b"\0" * 8, ("x", "FP64", [2], 8), "expects 16 bytes, found 8"),
        (b"\0" * 8, ("x", "FP64", [2], 16), "8 bytes are left"),
        (b"\0" * 9, ("x", "FP64", [1], 8), "1 bytes more"),
        (b"\2", ("x", "BOOL", [1], 1), "found 2"),
        (b"\xff\xff\xff\xff", ("x", "BYTES", [1], 4), "ends beyond"),
        (b"\1\0\0\0\xff", ("x", "BYTES", [1], 5), "UTF-8"),
        (b"\0\0\0\0", ("x", "BYTES", [2], 4), "expects 2 elements, found 1"),
        (b"", ("x", "FP64", [1], -8), "binary_data_size is -8"),
    ],
)
def test_binary_that_does_not_fit(data: bytes, tensor: tuple[str, str, list[int], int], told: str) -> None:
    with pytest.raises(ConsoleError) as caught:
        binary(data, tensor)
    assert told in caught.value.message


@pytest.mark.parametrize("length", ["-1", "1e2", "99999", "x", "", " 3"])
def test_a_length_of_the_head_that_is_none(length: str) -> None:
    with pytest.raises(ConsoleError, match="Inference-Header-Content-Length"):
        binary(b"", ("x", "FP64", [0], 0), length=length)


def test_the_shape_of_a_body_without_head() -> None:
    assert raw_shape("x", "FP32", (-1, 4), 32) == (2, 4)
    assert raw_shape("x", "BYTES", (-1, 1), 5) == (1, 1)
    for shape, size in (((-1, 4), 10), ((-1, -1), 16), ((1, 4), 32)):
        with pytest.raises(ConsoleError, match="without a head"):
            raw_shape("x", "FP32", shape, size)


@pytest.mark.parametrize(
    "data",
    [b"[" * 200_000, b'{"inputs":' * 50_000, b"\xff", b"", b'{"inputs":[NaN' + b"[" * 200_000],
    ids=["deep lists", "deep objects", "no UTF-8", "nothing", "deep lists behind NaN"],
)
def test_bodies_that_are_no_json_are_refused(data: bytes) -> None:
    with pytest.raises(ConsoleError):
        read_inputs(data, {})


def test_the_head_is_decoded_by_types() -> None:
    assert HEAD.decode(b'{"inputs":[],"model_name":"x"}').inputs == []


def test_so_much_json_and_no_more_is_read() -> None:
    text = b'{"inputs":[]}'
    with pytest.raises(Refused, match="bytes of JSON are more than") as refused:
        read_json(text.ljust(MOST_JSON + 1), HEAD)
    assert refused.value.status == 413
    assert read_json(text.ljust(MOST_JSON), HEAD).inputs == []


async def test_much_json_is_read_on_a_thread() -> None:
    here = threading.get_ident()
    assert await aside(100, threading.get_ident) == here
    assert await aside(MOST_JSON, threading.get_ident) != here
