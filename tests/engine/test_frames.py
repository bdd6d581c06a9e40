"""Frames come out as they went in, however the bytes are cut; what is too large is refused by its lengths."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.engine.frames import Caps, Decoder, FrameError, frame

CAPS = Caps(head=100, body=1 << 20)
FRAMES = st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=40) | st.just(b"x" * 70_000)), max_size=5)


@given(frames=FRAMES, cuts=st.lists(st.integers(0, 400_000), max_size=8))
@settings(max_examples=60, database=None)
def test_frames_survive_every_cut(frames: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    data = b"".join(frame(*one) for one in frames)
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    decoder = Decoder(CAPS)
    found = [one for start, end in pairwise(edges) for one in decoder.feed(data[start:end])]
    assert [(head, bytes(body)) for head, body in found] == frames


@pytest.mark.parametrize("lengths", [(101, 0), (0, (1 << 20) + 1), (2**32 - 1, 2**32 - 1)])
def test_a_frame_that_is_too_large_is_refused_before_it_comes(lengths: tuple[int, int]) -> None:
    data = b"".join(length.to_bytes(4, "big") for length in lengths)
    with pytest.raises(FrameError, match="larger than agreed"):
        Decoder(CAPS).feed(data)
