"""Loading a joblib file with CPython's C unpickler: its opcodes without the arrays between them, those from memory.

joblib's own unpickler is pure Python, since it has to stop at each array. The walk knows where every array lies, so
the raw bytes are cut out of the stream, and after the BUILD of each array's wrapper, which ends its frame, stand the
opcodes `BININT number, TUPLE2, BINPERSID` instead: the unpickler hands wrapper and number to `persistent_load`, which
answers with the array. What the unpickler reads is sealed memory; raw bytes never reach it.
"""

from __future__ import annotations

import io
import pickle
from math import prod
from typing import Any

from backends.core.errors import Damaged
from backends.core.frozen import Frozen
from backends.core.load_plan import BUFFER, MAX_PIECES, NUMBERS, OBJECTS, TEXT, LoadPlan, Piece
from backends.formats.pickle.buffers import numeric
from backends.formats.pickle.values import RawArray
from backends.formats.pickle.walk import Walk

_BINBYTES, _BINBYTES8, _BYTEARRAY8 = b"B\x8e\x96"


def plan_of(walked: Walk, inside: bool) -> LoadPlan:
    """The plan of one stream that was walked whole; an empty one where joblib has to load it itself."""
    arrays = walked.arrays
    simple = walked.complete and len(walked.roots) == 1 and len(arrays) + len(walked.buffers) <= MAX_PIECES
    if not simple or not all(array.dtype.itemsize for array in arrays):
        return LoadPlan()
    return LoadPlan(tuple(sorted([*map(_piece, arrays), *walked.buffers])), inside)


def _piece(array: RawArray) -> Piece:
    kind = OBJECTS if array.dtype.objects else NUMBERS if numeric(array.dtype) else TEXT
    return Piece(array.extra["at"], array.offset, array.length, kind)


def load_spliced(source: Frozen, opened: Any, encoding: str = "ASCII") -> Any:
    """The root object of the pickle or joblib file `source`, whose bytes but for raw ones lie in the buffer `opened`.

    Arrays are writable, as joblib gives them, but share memory with the file until they are written to (those in a
    buffer that cannot be written are copied). Raises Damaged where the plan and an array's own header differ, and
    whatever the classes in the file raise.
    """
    assert source.plan is not None
    pieces = source.plan.pieces
    view = memoryview(opened)
    parts: list[Any] = []
    here = 0
    for number, piece in enumerate(pieces):
        parts.append(view[here : piece.at])
        parts.append(b"J" + number.to_bytes(4, "little") + (b"Q" if piece.kind == BUFFER else b"\x86Q"))
        here = piece.offset + piece.length
    parts.append(view[here:])
    unpickler = _Unpickler(b"".join(parts), source, opened, encoding)
    root = unpickler.load()
    if unpickler.taken != len(pieces):
        raise Damaged("the load plan tells of more arrays than the file holds")
    return root


class _Unpickler(pickle.Unpickler):
    """Answers a wrapper and the number of its piece with the array."""

    def __init__(self, opcodes: bytes, source: Frozen, opened: Any, encoding: str) -> None:
        super().__init__(io.BytesIO(opcodes), encoding=encoding)
        import numpy

        self.taken = 0
        self._numpy = numpy
        self._ndarray = numpy.ndarray
        self._has_hook = hasattr(numpy.ndarray, "__array_prepare__")
        self._pieces = source.plan.pieces
        self._source = source
        self._opened = opened
        self._writable = not memoryview(opened).readonly

    def persistent_load(self, pid: Any) -> Any:
        """The array that stands where its wrapper, just built, says; to a bare number, the bytes of its piece."""
        if type(pid) is int and pid == self.taken and self._pieces[pid].kind == BUFFER:
            self.taken += 1
            return self._bytes(self._pieces[pid])
        if type(pid) is not tuple or len(pid) != 2 or pid[1] != self.taken or type(pid[1]) is not int:
            raise pickle.UnpicklingError("a persistent id that stands for nothing")
        wrapper, number = pid
        self.taken += 1
        piece = self._pieces[number]
        if piece.kind == OBJECTS:
            array = pickle.loads(self._opened[piece.offset : piece.offset + piece.length])
        elif piece.kind in (NUMBERS, TEXT):
            array = self._array(wrapper.__dict__, piece)
        else:
            raise Damaged("the load plan is not one of a joblib file", offset=piece.at)
        if not array.dtype.isnative:
            array = _native(array)
        return _as_subclass(array, wrapper.subclass, self._numpy) if self._has_hook else array

    def _bytes(self, piece: Piece) -> Any:
        """The value that the opcode at the piece puts on the stack (of a bytearray, as much as numpy needs)."""
        opcode = self._opened[piece.at]
        width = {_BINBYTES: 4, _BINBYTES8: 8, _BYTEARRAY8: 8}.get(opcode, 0)
        start = piece.at + 1 + width
        if not width or start != piece.offset or _length(self._opened, piece.at + 1, width) != piece.length:
            raise Damaged("the load plan and a byte string disagree", offset=piece.at)
        return self._source.copied(piece, writable=opcode == _BYTEARRAY8)

    def _array(self, header: dict[str, Any], piece: Piece) -> Any:
        """The array that a wrapper with these attributes stands for, if it is the one of the plan."""
        at, offset, length, _, raw = piece
        dtype, shape = header["dtype"], header["shape"]
        if header.get("numpy_array_alignment_bytes") is not None:
            at += 1 + self._opened[at]
        if at != offset or prod(shape) * dtype.itemsize != length or dtype.hasobject:
            raise Damaged("the load plan and an array disagree", offset=offset)
        memory = self._source.numbers(piece) if raw else self._opened
        array = self._ndarray(shape, dtype, memory, offset, None, header["order"])
        keep = raw or self._writable
        return array if keep and offset % dtype.alignment == 0 else array.copy(header["order"])


def _length(opened: Any, start: int, width: int) -> int:
    return int.from_bytes(opened[start : start + width], "little")


def _native(array: Any) -> Any:
    """The array in this machine's byte order, where this joblib sees to that."""
    import joblib.numpy_pickle

    convert = getattr(joblib.numpy_pickle, "_ensure_native_byte_order", None)
    return array if convert is None else convert(array)


def _as_subclass(array: Any, subclass: Any, numpy: Any) -> Any:
    """The array as the class it had, by the hook that numpy had before 2.0; joblib does the same and no more."""
    if subclass in (numpy.ndarray, numpy.memmap):
        return array
    return numpy.core.multiarray._reconstruct(subclass, (0,), "b").__array_prepare__(array)
