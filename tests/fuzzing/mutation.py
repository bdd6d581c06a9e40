"""Changes to a stream: by opcodes where they can be told apart, by bytes elsewhere."""

from __future__ import annotations

import pickletools
import random
from collections.abc import Callable, Sequence

from tests.fuzzing import streams

__all__ = ["mutated", "opcodes"]

_MAX = 1 << 16


def opcodes(data: bytes) -> list[bytes]:
    """The stream cut into opcodes with their arguments, as far as they can be followed; the rest is the last part."""
    cuts: list[int] = []
    try:
        for _opcode, _argument, position in pickletools.genops(data):
            cuts.append(position or 0)
            if len(cuts) > 5000:
                break
    except (ValueError, IndexError, UnicodeDecodeError, MemoryError, OverflowError):
        pass
    if not cuts:
        return [data]
    end = cuts[-1] + 1
    parts = [data[start:stop] for start, stop in zip(cuts, [*cuts[1:], end], strict=True)]
    return [*parts, data[end:]] if end < len(data) else parts


def _delete(rng: random.Random, parts: list[bytes], other: list[bytes]) -> None:
    at = rng.randrange(len(parts))
    del parts[at : at + rng.choice((1, 1, 1, 2, 5))]


def _repeat(rng: random.Random, parts: list[bytes], other: list[bytes]) -> None:
    at = rng.randrange(len(parts))
    chunk = parts[at : at + rng.choice((1, 1, 3, 8))]
    where = rng.randrange(len(parts) + 1)
    parts[where:where] = chunk * rng.choice((1, 1, 2, 20))


def _swap(rng: random.Random, parts: list[bytes], other: list[bytes]) -> None:
    first, second = rng.randrange(len(parts)), rng.randrange(len(parts))
    parts[first], parts[second] = parts[second], parts[first]


def _insert(rng: random.Random, parts: list[bytes], other: list[bytes]) -> None:
    parts.insert(rng.randrange(len(parts) + 1), streams.piece(rng))


def _replace(rng: random.Random, parts: list[bytes], other: list[bytes]) -> None:
    parts[rng.randrange(len(parts))] = streams.piece(rng)


def _splice(rng: random.Random, parts: list[bytes], other: list[bytes]) -> None:
    start = rng.randrange(len(other))
    chunk = other[start : start + rng.choice((1, 3, 10, 40, 1000))]
    at = rng.randrange(len(parts) + 1)
    parts[at : at + rng.choice((0, 0, 1, 5, 1000))] = chunk


def _join(rng: random.Random, parts: list[bytes], other: list[bytes]) -> None:
    parts.extend(other)


def _frame(rng: random.Random, parts: list[bytes], other: list[bytes]) -> None:
    """Take the frames away and set others."""
    bare = [part for part in parts if part[:1] != b"\x95"]
    start = 1 if bare and bare[0][:1] == b"\x80" else 0
    parts[:] = [*bare[:start], streams.framed(rng, bare[start:])]


def _argument(rng: random.Random, parts: list[bytes], other: list[bytes]) -> None:
    """Another argument for one opcode."""
    at = rng.randrange(len(parts))
    if parts[at] and parts[at][0] in streams.CODES:
        parts[at] = parts[at][:1] + streams.argument(rng, parts[at][0])


def _code(rng: random.Random, parts: list[bytes], other: list[bytes]) -> None:
    """Another opcode for one argument."""
    at = rng.randrange(len(parts))
    parts[at] = bytes([rng.choice(streams.CODES)]) + parts[at][1:]


def _flip(rng: random.Random, parts: list[bytes], other: list[bytes]) -> None:
    data = bytearray(b"".join(parts))
    for _ in range(rng.choice((1, 1, 2, 4))):
        if data:
            at = rng.randrange(len(data))
            data[at] = rng.choice((rng.randrange(256), data[at] ^ 1 << rng.randrange(8), rng.choice(streams.CODES)))
    parts[:] = [bytes(data)]


def _cut(rng: random.Random, parts: list[bytes], other: list[bytes]) -> None:
    data = b"".join(parts)
    parts[:] = [data[: rng.randrange(len(data) + 1)]]


_CHANGES: tuple[Callable[[random.Random, list[bytes], list[bytes]], None], ...] = (
    _delete, _repeat, _swap, _insert, _insert, _replace, _splice, _splice, _join, _frame, _argument, _argument, _code,
    _code, _flip, _flip, _cut,
)  # fmt: skip


def mutated(rng: random.Random, corpus: Sequence[bytes]) -> bytes:
    """A new input from one or two of the corpus."""
    parts, other = opcodes(rng.choice(corpus)), opcodes(rng.choice(corpus))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 5))):
        if not parts:
            break
        rng.choice(_CHANGES)(rng, parts, other)
    return b"".join(parts)[:_MAX]
