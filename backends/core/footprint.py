"""The memory that a loaded model takes, reckoned from the facts of its file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, NamedTuple

from backends.core.inspection import Inspection

MB = 1_000_000


@dataclass(frozen=True)
class Footprint:
    """Private memory of a worker with a model, in bytes.

    `fresh` is what the interpreter and what it imports take, where no other process shares any of it; `shared` of that
    are pages of library files; `forked` is left in a fork of a process that has the libraries imported. `model` is what
    the model itself takes, `mapped` of that only while it is read, where its numbers stay in a large file. `spread` is
    the share by which `model` may be wrong, `between` that of the libraries.
    """

    fresh: int
    forked: int
    model: int
    shared: int = 0
    mapped: int = 0
    spread: float = 0.3
    between: float = 0.15


class Contents(NamedTuple):
    """The content of a file: bytes of its arrays, how many those are, and the bytes that are in none of them."""

    arrays: int
    number: int
    rest: int


Reckon = Callable[[Inspection, int], Footprint]
"""The footprint of a model by the facts of its file, and the size of that."""


def contents(found: Inspection, size: int) -> Contents:
    """The content of a file of this size, as far as its facts tell; that of a compression where one is known."""
    arrays, count = sum(one.bytes for one in found.arrays), len(found.arrays)
    left_out = found.details.get("left_out")
    more = left_out.get("arrays") if isinstance(left_out, dict) else None
    if isinstance(more, int) and count:
        arrays, count = arrays * (count + more) // count, count + more
    opened = found.details.get("opened_bytes")
    whole = opened if isinstance(opened, int) else size
    return Contents(arrays, count, max(0, whole - arrays))


def linear(
    fresh: int, forked: int, *, arrays: float, rest: float, shared: int = 0, between: float = 0.15, spread: float = 0.3
) -> Reckon:
    """A reckoning for models that take so many bytes for each byte of an array, and for each other byte."""

    def reckon(found: Inspection, size: int) -> Footprint:
        held = contents(found, size)
        model = int(arrays * held.arrays + rest * held.rest)
        return Footprint(fresh, forked, model, shared=shared, between=between, spread=spread)

    return reckon
