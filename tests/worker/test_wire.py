"""Frames come out as they went in, however they are cut; what is malformed is refused."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.worker.wire import BODY_CAP, DTYPES, METHODS, Decoder, Head, WireError, encode, size_of

SHAPES = st.lists(st.integers(0, 2**64 - 1), max_size=8)
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
PLACES = st.lists(st.tuples(st.sampled_from(METHODS), st.sampled_from(DTYPES), SHAPES).map(list), max_size=5)
ANSWERS = st.fixed_dictionaries({"id": NUMBERS, "worker_ns": NUMBERS, "arrays": PLACES})
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


def test_sizes_over_the_cap_are_refused_before_anything_is_read() -> None:
    with pytest.raises(WireError, match="over the cap"):
        Decoder().feed(struct.pack("!II", 1, BODY_CAP + 1))
    with pytest.raises(WireError, match="too large"):
        encode({"op": "x"}, bytes(BODY_CAP + 1))


def test_the_size_of_an_array() -> None:
    assert size_of("<c16", (2, 3)) == 96
    assert size_of("|b1", ()) == 1
    with pytest.raises(WireError, match="negative"):
        size_of("<f8", (2, -1))
    with pytest.raises(WireError, match="no array of"):
        size_of("|O", (2,))
