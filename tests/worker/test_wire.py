"""Frames: both forms of a head decode to the same object, however they are cut; what is malformed is refused."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.worker.channel import Channel
from console.worker.wire import BODY_CAP, DTYPES, METHODS, Decoder, Head, Receiver, WireError, encode, send, size_of

SHAPES = st.lists(st.integers(0, 2**64 - 1), max_size=8).map(tuple)
NUMBERS = st.integers(0, 2**64 - 1)
NAMES = st.lists(st.sampled_from(METHODS), unique=True).map(lambda found: sorted(found, key=METHODS.index))
CALLS = st.fixed_dictionaries(
    {
        "op": st.just("call_array"),
        "id": NUMBERS,
        "dtype": st.sampled_from(DTYPES),
        "shape": SHAPES,
        "methods": NAMES,
    }
)
PLACES = st.lists(st.tuples(st.sampled_from(METHODS), st.sampled_from(DTYPES), SHAPES), max_size=5).map(tuple)
ANSWERS = st.fixed_dictionaries(
    {"id": NUMBERS, "worker_ns": NUMBERS, "batch": st.integers(0, 2**32 - 1), "arrays": PLACES}
)
OTHERS = st.fixed_dictionaries({"op": st.text(max_size=8), "id": NUMBERS, "x": st.none() | st.lists(st.integers())})
FRAMES = st.lists(st.tuples(CALLS | ANSWERS | OTHERS, st.binary(max_size=40)), min_size=1, max_size=5)


@given(FRAMES, st.lists(st.integers(1, 50), min_size=1))
def test_frames_come_out_as_they_went_in_however_cut(frames: list[tuple[Head, bytes]], cuts: list[int]) -> None:
    stream = b"".join(encode(head, body) for head, body in frames)
    decoder, found, begin, turn = Decoder(), [], 0, 0
    while begin < len(stream):
        end = begin + cuts[turn % len(cuts)]
        found += decoder.feed(stream[begin:end])
        begin, turn = end, turn + 1
    assert found == frames
    assert not decoder.partial


def test_only_array_calls_and_their_answers_are_packed() -> None:
    call = {"op": "call_array", "id": 7, "dtype": "<f8", "shape": (1, 30), "methods": []}
    assert b"call_array" not in encode(call)
    assert b"call_array" in encode({**call, "fds": 1})
    assert b"call_array" in encode({**call, "dtype": "|O"})
    assert b"call_array" in encode({**call, "shape": (1,) * 9})
    assert b"call_array" in encode({**call, "shape": (-1, 30)})
    assert b"warnings" in encode({"id": 7, "worker_ns": 1, "arrays": [], "warnings": ["careful"]})


def framed(text: bytes) -> bytes:
    return struct.pack("!II", 1 << 31 | len(text), 0) + text


CALL = bytes(encode({"op": "call_array", "id": 7, "dtype": "<f8", "shape": (1, 30), "methods": ["predict"]}))[8:]
ANSWER = bytes(encode({"id": 7, "worker_ns": 9, "batch": 1, "arrays": [("predict", "<f8", (1,))]}))[8:]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\x02" + CALL[1:],
        b"\x09" + CALL[1:],
        CALL + b"\0",
        ANSWER + b"\0",
        *(CALL[:length] for length in range(1, len(CALL))),
        *(ANSWER[:length] for length in range(1, len(ANSWER))),
        CALL[:1] + b"\xff" + CALL[2:],
        CALL[:2] + b"\xff" + CALL[3:],
        CALL[:3] + b"\x09" + CALL[4:],
        ANSWER[:1] + b"\xff" + ANSWER[2:],
        ANSWER[:22] + b"\x05" + ANSWER[23:],
        ANSWER[:23] + b"\x0e" + ANSWER[24:],
        ANSWER[:24] + b"\x09" + ANSWER[25:],
    ],
)
def test_packed_heads_that_are_not_exactly_one_are_refused(text: bytes) -> None:
    with pytest.raises(WireError, match="packed head"):
        Decoder().feed(framed(text))


def test_sizes_over_the_cap_are_refused_before_anything_is_read() -> None:
    with pytest.raises(WireError, match="over the cap"):
        Decoder().feed(struct.pack("!II", 1 << 31, BODY_CAP + 1))
    with pytest.raises(WireError, match="too large"):
        encode({"op": "x"}, bytes(BODY_CAP + 1))


def test_the_size_of_an_array() -> None:
    assert size_of("<c16", (2, 3)) == 96
    assert size_of("|b1", ()) == 1
    with pytest.raises(WireError, match="negative"):
        size_of("<f8", (2, -1))
    with pytest.raises(WireError, match="no array of"):
        size_of("|O", (2,))


async def test_both_sides_stay_awake_after_a_quick_answer_and_sleep_again_before_a_slow_one() -> None:
    here, there = socket.socketpair()
    with there:
        receiver, answers = Receiver(there), asyncio.Queue[Head]()
        channel = Channel(here, lambda head, _body: answers.put_nowait(head), lambda _reason: None)

        def awake() -> tuple[bool, bool]:
            return channel._quick, receiver._busy

        for _ in range(5_000):
            channel.send({"id": 1})
            receiver.receive()
            send(there, {"id": 1})
            await asyncio.wait_for(answers.get(), 30)
            if awake() == (True, True):
                break
        else:
            pytest.fail("nothing was ever quick")
        channel.send({"id": 2})
        while awake()[0]:  # noqa: ASYNC110
            await asyncio.sleep(0)
        receiver.receive()
        send(there, {"id": 2})
        assert (await asyncio.wait_for(answers.get(), 30))["id"] == 2
        assert not awake()[0]
        waiting = asyncio.create_task(asyncio.to_thread(receiver.receive))
        while awake()[1]:  # noqa: ASYNC110
            await asyncio.sleep(0)
        channel.send({"id": 3}, gather=True)
        assert (await asyncio.wait_for(waiting, 30))[0]["id"] == 3
        channel.close()
