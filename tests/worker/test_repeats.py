"""Calls like those before: only frames that are exactly such a one are known, and each gets the answer to its rows."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator

import numpy
import pytest
import pytest_asyncio
from sklearn.linear_model import LinearRegression

from console.worker.child.repeats import Repeats
from console.worker.failures import ChildFailed
from console.worker.launcher import Launcher
from console.worker.model import Worker
from console.worker.wire import Head, encode
from tests.benchmarks.models import served

FIELDS: Head = {"op": "call_array", "dtype": "<f8", "shape": (2, 1), "methods": []}
ROWS = struct.pack("<2d", 1.0, 2.0)


def frame(number: int = 9, body: bytes = ROWS, **others: object) -> bytes:
    return encode({**FIELDS, "id": number, **others}, body)


def test_a_frame_of_a_known_form_is_found_whatever_its_number_and_rows() -> None:
    repeats = Repeats()
    repeats.learn(FIELDS, len(ROWS), ["predict"], None)
    known = repeats.find(frame(2**64 - 1, struct.pack("<2d", 5.0, 6.0)))
    assert known is not None
    assert known.methods == ["predict"]
    assert known.rows(frame(7, struct.pack("<2d", 5.0, 6.0))).tolist() == [[5.0], [6.0]]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        frame()[:11],
        frame()[:-1],
        frame() + b"\0",
        frame() + frame(),
        frame(body=ROWS[:8]),
        frame(dtype="<i8"),
        frame(shape=(1, 2)),
        frame(shape=(2,)),
        frame(methods=["predict"]),
        encode({"op": "call_rows", "id": 1, "rows": [[1.0]]}),
    ],
)
def test_anything_else_is_not(data: bytes) -> None:
    repeats = Repeats()
    repeats.learn(FIELDS, len(ROWS), ["predict"], None)
    assert repeats.find(data) is None


def test_what_has_no_packed_form_is_not_learned() -> None:
    repeats = Repeats()
    repeats.learn({**FIELDS, "dtype": "|O"}, len(ROWS), ["predict"], None)
    assert repeats.find(encode({**FIELDS, "dtype": "|O", "id": 1}, ROWS)) is None


@pytest_asyncio.fixture
async def worker() -> AsyncIterator[Worker]:
    launcher = Launcher()
    yield await served(launcher, LinearRegression().fit([[0.0], [1.0]], [0.0, 2.0]), "line")
    await launcher.close()


async def test_each_repeat_gets_the_answer_to_its_own_rows(worker: Worker) -> None:
    for value in (1.0, 2.0, 3.0):
        places, answer, spent = await worker.call_array("<f8", (2, 1), struct.pack("<2d", value, -value))
        assert numpy.frombuffer(answer) == pytest.approx([2 * value, -2 * value])
        assert [(one.name, one.shape) for one in places] == [("predict", (2,))]
        assert spent > 0


async def test_a_repeat_that_fails_tells_method_and_input_and_the_next_is_answered(worker: Worker) -> None:
    good = struct.pack("<2d", 1.0, 2.0)
    await worker.call_array("<f8", (2, 1), good)
    with pytest.raises(ChildFailed, match="NaN") as caught:
        await worker.call_array("<f8", (2, 1), struct.pack("<2d", 1.0, float("nan")))
    assert caught.value.failure is not None
    assert (caught.value.failure.phase, caught.value.failure.input) == ("predict", "ndarray (2, 1) float64")
    _places, answer, _spent = await worker.call_array("<f8", (2, 1), good)
    assert numpy.frombuffer(answer) == pytest.approx([2.0, 4.0])
