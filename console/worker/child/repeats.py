"""Array calls like those before: all but number and rows of such a frame is known by heart, so nothing is parsed."""

from __future__ import annotations

import importlib
from typing import Any, Optional

from console.worker.child.batching import Key
from console.worker.child.calls import raw_arrays
from console.worker.packed import AnswerForm, call_form, packed_call
from console.worker.wire import READ_SIZE, Head, encode

FORMS_CAP = 64
COST_EVERY = 8
"""One of so many is taken into account for what a call costs."""


class Known:
    """What all frames of one form say: sizes, dtype, shape, methods, and with what they may be answered together."""

    def __init__(self, frame: bytes, body_size: int, fields: Head, methods: Any, key: Optional[Key]) -> None:
        numpy = importlib.import_module("numpy")
        self.size = len(frame) + body_size
        self.shape = tuple(fields["shape"])
        self.methods = methods
        self.key = key
        self._begin = len(frame)
        self._dtype = numpy.dtype(fields["dtype"])
        self._array = numpy.ndarray
        self._calls = 0
        self._answer: Optional[AnswerForm] = None
        self._told_shape: tuple[int, ...] = ()
        self._told_dtype: Any = None

    def rows(self, frame: bytes) -> Any:
        """The rows in such a frame, read-only; a copy, since numpy is slow on numbers that are not aligned."""
        return self._array(self.shape, self._dtype, frame[self._begin :])

    def framed(self, number: int, worker_ns: int, found: dict[str, Any], told: Head) -> bytes:
        """The frame of the answer with these results and what else is `told`.

        Raises Refusal for what is not numbers, WireError for too many of them.
        """
        if self._answer is not None and len(found) == 1 and not told:
            result = found[next(iter(found))]
            if type(result) is self._array and result.shape == self._told_shape and result.dtype == self._told_dtype:
                return self._answer.frame(number, worker_ns, result.tobytes())
        places, arrays = raw_arrays(found)
        body = b"".join([array.tobytes() for array in arrays])
        frame = encode({"id": number, "worker_ns": worker_ns, "arrays": places, **told}, body)
        self._answer = AnswerForm.of(frame, len(body))
        self._told_shape, self._told_dtype = arrays[0].shape, arrays[0].dtype
        return frame

    def counted(self) -> bool:
        """Whether this call's cost is to be learned."""
        self._calls += 1
        return self._calls % COST_EVERY == 0


class Repeats:
    """The forms of calls that were answered before."""

    def __init__(self) -> None:
        self._known: dict[bytes, Known] = {}

    def find(self, data: bytes) -> Optional[Known]:
        """What is known of these bytes, if they are exactly one frame of a known form."""
        known = self._known.get(call_form(data)) if len(data) >= 20 else None
        return known if known is not None and known.size == len(data) else None

    def learn(self, fields: Head, body_size: int, methods: Any, key: Optional[Key]) -> None:
        """Take down the form of a call that was answered, with the methods it asks of this model."""
        frame = packed_call(fields, body_size) if body_size < READ_SIZE else None
        if frame is None:
            return
        if len(self._known) >= FORMS_CAP:
            self._known.clear()
        self._known.setdefault(call_form(frame), Known(frame, body_size, fields, methods, key))

    def forget(self) -> None:
        """Another model is asked from now on."""
        self._known.clear()
