"""Calls that only differ in a number and their rows: all else of their frames is made once."""

from __future__ import annotations

from console.worker.packed import NUMBER_AT, NUMBER_ENDS, ROW_RANGE, packed_call
from console.worker.wire import Head, encode

__all__ = ["CallForm", "Forms"]

FORMS_CAP = 256


class CallForm:
    """The frame of a call but for its number and its end; as text it says what the call gives the model.

    `fields` are the head's without `id`; the last `own` bytes of a packed head are a call's own.
    """

    def __init__(self, fields: Head, body_size: int, given: str, own: int = 0) -> None:
        self._fields = fields
        self._given = given
        whole = packed_call(fields, body_size)
        soon = packed_call({**fields, "soon": True}, body_size)
        self._fronts = None if whole is None or soon is None else (whole[:NUMBER_AT], soon[:NUMBER_AT])
        self._middle = b"" if whole is None else whole[NUMBER_ENDS : len(whole) - own]

    def __str__(self) -> str:
        return self._given

    def frame(self, number: int, end: bytes, *, soon: bool) -> bytes:
        """The frame of one call: `end` is its own part of the head, and the body; `soon` = another follows soon.

        Raises WireError for what is too large.
        """
        if self._fronts is None:
            return encode({**self._fields, "id": number}, end)
        return b"".join((self._fronts[soon], number.to_bytes(8, "big"), self._middle, end))


class Forms:
    """The forms of the calls that one worker is asked."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], CallForm] = {}

    def array(self, dtype: str, shape: tuple[int, ...], methods: tuple[str, ...], size: int) -> CallForm:
        """Of calls on raw arrays of so many bytes."""
        kind = (dtype, shape, methods, size)
        known = self._known.get(kind)
        if known is not None:
            return known
        fields = {"op": "call_array", "dtype": dtype, "shape": shape, "methods": list(methods)}
        return self._keep(kind, fields, size, f"raw array {shape} {dtype}")

    def table(self, data: int, methods: tuple[str, ...], outputs: bool, score: bool) -> CallForm:
        """Of calls on rows of an open table, which are named by methods of METHODS only."""
        kind = (data, methods, outputs, score)
        known = self._known.get(kind)
        if known is not None:
            return known
        fields = {"op": "call", "data": data, "start": 0, "stop": 0, "methods": list(methods)}
        fields.update(outputs=outputs, score=score)
        return self._keep(kind, fields, 0, f"rows of table {data}", ROW_RANGE.size)

    def _keep(self, kind: tuple[object, ...], fields: Head, size: int, given: str, own: int = 0) -> CallForm:
        if len(self._known) >= FORMS_CAP:
            self._known.clear()
        form = self._known[kind] = CallForm(fields, size, given, own)
        return form
