"""Bytes that cannot change between judging and loading, without a copy of the numbers among them.

The inspector of a large file reads through `Freezing`: each byte is copied into memory once, before it is looked at,
and is only ever looked at there. What the inspection found to be raw numbers is left out of the copy. The console then
seals the memory, and the worker reads through `Frozen`: from the sealed memory alone, while raw numbers are mapped
from the file. Whoever rewrites the file meanwhile can alter numbers, and nothing else.
"""

from __future__ import annotations

import mmap
import os
from bisect import bisect_left
from typing import Any, Optional

from backends.core.errors import Damaged, NotLoadable
from backends.core.load_plan import DATASET, RAW_KINDS, LoadPlan, Piece
from backends.core.source import Source

RAW_FROM = 64 << 10
"""Arrays of at least so many bytes are left in a large file; smaller ones are sealed with everything around them."""
_CHUNK = 1 << 20
_READ = 1 << 30


class Freezing(Source):
    """A view of the file `fd` that copies what it reads into `memory` (of the same size, empty at first).

    At most `limit` bytes are copied. `plan` collects what the inspection finds.
    """

    def __init__(self, fd: int, memory: int, name: str = "", limit: int = 1 << 62) -> None:
        super().__init__(memory, name)
        self.plan: LoadPlan = LoadPlan()
        self._file = fd
        self._left = limit
        self._starts: list[int] = []
        self._stops: list[int] = []

    def read(self, offset: int, length: int) -> bytes:
        """See `Source.read`. Raises Damaged when the file is shorter than it was, NotLoadable over the limit."""
        stop = min(offset + length, self.size)
        if offset < stop:
            self.freeze(offset, stop)
        return super().read(offset, length)

    def freeze(self, start: int, stop: int) -> None:
        """Copy what is not copied yet of the bytes from `start` to `stop`. Raises as `read` does."""
        starts, stops = self._starts, self._stops
        first = bisect_left(stops, start)
        here, last = start, first
        while last < len(starts) and starts[last] <= stop:
            if here < starts[last]:
                self._copy(here, starts[last])
            here = max(here, stops[last])
            last += 1
        if here < stop:
            self._copy(here, stop)
        if first < last:
            start, stop = min(start, starts[first]), max(stop, stops[last - 1])
        starts[first:last] = [start]
        stops[first:last] = [stop]

    def finish(self, raw_from: int = RAW_FROM) -> None:
        """Choose from the plan what stays in the file, and copy everything else. Raises as `read` does."""
        if not self.plan.inside:
            pieces = (
                each._replace(raw=each.kind in RAW_KINDS and each.length >= raw_from) for each in self.plan.pieces
            )
            self.plan = LoadPlan(tuple(pieces))
        for start, stop in self.plan.sealed(self.size):
            self.freeze(start, stop)

    def _copy(self, start: int, stop: int) -> None:
        self._left -= stop - start
        if self._left < 0:
            raise NotLoadable("more of the file than fits into memory would have to be sealed before it is loaded")
        while start < stop:
            data = os.pread(self._file, min(_CHUNK, stop - start), start)
            if not data:
                raise Damaged("the file shrank while it was being read", offset=start)
            start += os.pwrite(self.fd, data, start)


class Frozen(Source):
    """Sealed memory with the plan of what is in it, and the `file` that raw pieces are mapped from (None: no raw ones).

    `opened` = the memory is what a compression held, and the plan that of the compressed file. Raises
    ValueError for a plan that does not fit.
    """

    def __init__(
        self, fd: int, name: str = "", plan: bytes = b"", file: Optional[int] = None, *, opened: bool = False
    ) -> None:
        super().__init__(fd, name)
        self.opened = opened
        found = LoadPlan.from_bytes(plan, self.size)
        self.plan: LoadPlan = found.unwrapped(self.size) if opened else found
        self._file = file
        self._raw = self.plan.raw
        self._offsets = [piece.offset for piece in self._raw]
        self._datasets = {piece.offset: piece for piece in self.plan.pieces if piece.kind == DATASET}
        self._maps: dict[int, Any] = {}
        if self._offsets and file is None:
            raise ValueError("a load plan with raw pieces and no file to map them from")

    def read(self, offset: int, length: int) -> bytes:
        """See `Source.read`. Raises Damaged for a reader that starts within numbers which were left out."""
        number = bisect_left(self._offsets, offset + 1) - 1
        if number >= 0 and offset < self._offsets[number] + self._raw[number].length:
            raise Damaged("the raw numbers of an array are read as something else", offset=offset)
        return super().read(offset, length)

    def dataset(self, offset: Optional[int]) -> Optional[Piece]:
        """The piece of the HDF5 dataset whose bytes start at `offset`, None where the plan tells of none."""
        return self._datasets.get(offset) if offset is not None else None

    def copied(self, piece: Piece, writable: bool) -> Any:
        """The bytes of a piece in memory of their own: `bytes`, or writable memory.

        Raises Damaged when the file has become shorter, OSError.
        """
        fd = self._file if piece.raw and self._file is not None else self.fd
        if not writable:
            data = Source(fd, size=self.size).read(piece.offset, piece.length)
            if len(data) < piece.length:
                raise Damaged("the file shrank underneath", offset=piece.offset)
            return data
        memory, done = mmap.mmap(-1, piece.length, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), 0
        with memoryview(memory) as view:
            while done < piece.length:
                count = os.preadv(fd, [view[done : done + _READ]], piece.offset + done)
                if not count:
                    raise Damaged("the file shrank underneath", offset=piece.offset + done)
                done += count
        return memory

    def numbers(self, piece: Piece) -> Any:
        """The memory that holds a piece, from the start of the file on: private, so that writing changes no file.

        Raises Damaged when the file has become shorter, OSError when it cannot be mapped.
        """
        fd = self.fd
        if piece.raw:
            assert self._file is not None
            fd = self._file
            if os.fstat(fd).st_size < self.size:
                raise Damaged("the file shrank underneath", offset=piece.offset)
        if fd not in self._maps:
            self._maps[fd] = private_map(fd, self.size)
        return self._maps[fd]


def private_map(fd: int, size: int, writable: bool = True) -> Any:
    """`size` bytes of a file. Writable only where the limits of this process allow for a private copy of all of it.

    Raises OSError, Damaged where the file is shorter.
    """
    try:
        return mmap.mmap(fd, size, access=mmap.ACCESS_COPY if writable else mmap.ACCESS_READ)
    except ValueError:
        raise Damaged("the file shrank underneath") from None
    except OSError:
        return mmap.mmap(fd, size, access=mmap.ACCESS_READ)
