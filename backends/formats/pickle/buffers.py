"""Which long byte strings of a plain pickle are the numbers of an array, and nothing else.

numpy pickles an array as `_frombuffer(bytes, …)` (protocol 5) or as `_reconstruct(…)` with its bytes in the state that
BUILD sets. The bytes of a large array stand outside frames, on the stack once, and go into that one tuple.
"""

from __future__ import annotations

from typing import Any

from backends.core.load_plan import BUFFER, Piece
from backends.formats.pickle.arrays import read_array
from backends.formats.pickle.dtypes import DType
from backends.formats.pickle.machine import PickleMachine
from backends.formats.pickle.values import Span, Value


def numeric(dtype: DType) -> bool:
    """Whether elements are numbers, dates or records of them: no text, no objects."""
    if dtype.fields:
        return all(numeric(inner) for _, inner in dtype.fields)
    return dtype.kind in "biufcmM"


class BufferMachine(PickleMachine):
    """A machine that also finds such byte strings: `buffers`, in the order of the file."""

    def __init__(self, *args: Any) -> None:
        self._starts: dict[int, tuple[Span, int]] = {}
        self._used: dict[int, Span] = {}
        super().__init__(*args)

    @property
    def buffers(self) -> list[Piece]:
        """The byte strings that were made an array's numbers, and were not asked for again."""
        found = (self._starts[number] for number in self._used if number in self._starts)
        return sorted(Piece(at, span.offset, span.length, BUFFER) for span, at in found)

    def _note(self, read: Any) -> None:
        at, framed = self.offset - 1, self.frame_end is not None
        read()
        top = self.stack[-1]
        if type(top) is Span and not framed:
            self._starts[id(top)] = (top, at)

    def _binbytes(self) -> None:
        self._note(super()._binbytes)

    def _binbytes8(self) -> None:
        self._note(super()._binbytes8)

    def _bytearray8(self) -> None:
        self._note(super()._bytearray8)

    def _again(self) -> None:
        """Count a second user of the value on top of the stack."""
        top = self.stack[-1]
        for value in top if type(top) is tuple else (top,):
            if type(value) is Span:
                self._starts.pop(id(value), None)

    def _dup(self) -> None:
        super()._dup()
        self._again()

    def _get(self) -> None:
        super()._get()
        self._again()

    def _binget(self) -> None:
        super()._binget()
        self._again()

    def _long_binget(self) -> None:
        super()._long_binget()
        self._again()

    def _reduce(self) -> None:
        args = self.stack[-1]
        super()._reduce()
        if type(args) is tuple and args:
            self._take(args[0])

    def _build(self) -> None:
        state = self.stack[-1]
        super()._build()
        if type(state) is tuple and state:
            self._take(state[-1])

    def _take(self, data: Value) -> None:
        """The array on top has just got its data."""
        if type(data) is not Span or id(data) not in self._starts:
            return
        array = read_array(self.stack[-1])
        if array is not None and array.data is data and numeric(array.dtype) and array.nbytes == data.length:
            self._used[id(data)] = data
        else:
            self._starts.pop(id(data))
