"""Where the arrays of a file lie, as its inspection found them: with it, loading neither looks for them nor reads them.

A plan is made by the inspector and used by the worker. It can only ever say which bytes are numbers: what it names is
never read as opcodes or headers, and the worker compares each piece with what the array's own header claims.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator
from typing import NamedTuple

NUMBERS = 0
"""The bytes of an array between the opcodes of a joblib file."""
OBJECTS = 1
"""The pickle of an array of Python objects between the opcodes of a joblib file."""
DATASET = 2
"""The bytes of a contiguous HDF5 dataset."""
BUFFER = 3
"""The bytes of an array in a plain pickle; `at` is where their opcode stands."""

TEXT = 4
"""Like NUMBERS, of text: always sealed."""

MAX_PIECES = 500_000
RAW_KINDS = (NUMBERS, DATASET, BUFFER)
"""What may stay in a file that is not sealed."""
_KINDS = (*RAW_KINDS, OBJECTS, TEXT)
_RAW = 1 << 8
_INSIDE = 1


class Piece(NamedTuple):
    """`length` bytes of one array at `offset`. `at` is where the opcodes stop for it (equal to `offset` in HDF5).

    `raw` bytes are not sealed: they are mapped from the file as it is when they are used.
    """

    at: int
    offset: int
    length: int
    kind: int
    raw: bool = False


class LoadPlan:
    """The pieces of one file in the order in which they stand. `inside` is true where they count from the start of
    what a compression holds, not of the file.
    """

    def __init__(self, pieces: tuple[Piece, ...] = (), inside: bool = False) -> None:
        self.pieces = pieces
        self.inside = inside

    def __bool__(self) -> bool:
        return bool(self.pieces)

    @property
    def raw(self) -> tuple[Piece, ...]:
        """The pieces that are not sealed."""
        return tuple(piece for piece in self.pieces if piece.raw)

    def sealed(self, size: int) -> Iterator[tuple[int, int]]:
        """The stretches (start, stop) of a file of `size` bytes that lie outside raw pieces, in order."""
        here = 0
        for piece in self.pieces:
            if piece.raw:
                if piece.offset > here:
                    yield here, piece.offset
                here = piece.offset + piece.length
        if here < size:
            yield here, size

    def unwrapped(self, size: int) -> LoadPlan:
        """The plan for `size` bytes that are what the compression held. Raises ValueError for pieces outside them."""
        _check(self.pieces, False, size)
        return LoadPlan(self.pieces)

    def to_bytes(self) -> bytes:
        """The plan as little-endian int64: a word of flags, then at, offset, length and kind of each piece."""
        numbers = array("q", [_INSIDE if self.inside else 0])
        for piece in self.pieces:
            numbers.extend((piece.at, piece.offset, piece.length, piece.kind | (_RAW if piece.raw else 0)))
        if sys.byteorder == "big":
            numbers.byteswap()
        return numbers.tobytes()

    @classmethod
    def from_bytes(cls, data: bytes, size: int) -> LoadPlan:
        """The plan that `to_bytes` wrote for a file of `size` bytes; no bytes are an empty plan.

        Raises ValueError for pieces that are out of order, overlap, lie outside the file or are of no known kind.
        """
        numbers = array("q")
        if len(data) % numbers.itemsize:
            raise ValueError("a load plan that is cut off")
        numbers.frombytes(data)
        if sys.byteorder == "big":
            numbers.byteswap()
        if not numbers:
            return cls()
        if len(numbers) % 4 != 1 or numbers[0] not in (0, _INSIDE) or len(numbers) // 4 > MAX_PIECES:
            raise ValueError("a load plan of an odd length")
        inside = bool(numbers[0])
        found = tuple(
            Piece(at, offset, length, kind & ~_RAW, bool(kind & _RAW))
            for at, offset, length, kind in zip(numbers[1::4], numbers[2::4], numbers[3::4], numbers[4::4])
        )
        _check(found, inside, size)
        return cls(found, inside)


def _check(pieces: tuple[Piece, ...], inside: bool, size: int) -> None:
    here = 0
    for at, offset, length, kind, raw in pieces:
        if not (here <= at <= offset and length >= 0) or kind not in _KINDS:
            raise ValueError("a load plan whose pieces are out of order")
        here = offset + length
        if raw and (inside or kind not in RAW_KINDS):
            raise ValueError("a load plan that leaves out what has to be sealed")
        if not inside and here > size:
            raise ValueError("a load plan that leaves the file")
