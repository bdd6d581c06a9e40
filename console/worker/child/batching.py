"""Small requests that wait are answered by one call of the model.

Requests that arrived while the model was busy are taken together when it is free. Two go together when they ask the
same methods of rows of equal width and dtype, and the model answers each row for itself (`introspection.row_wise`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Optional

from console.worker.wire import Frame, Head, Receiver, size_of

ROWS_CAP = 1024
BYTES_CAP = 8 << 20

Key = tuple[tuple[str, ...], str, tuple[int, ...]]
"""Methods, dtype and the shape of one row."""


def gather(receiver: Receiver, key_of: Callable[[Head], Optional[Key]]) -> list[Frame]:
    """The next request and those of the same key behind it. Raises EOFError and WireError like `Receiver.receive`."""
    requests = [receiver.receive()]
    head = receiver.peek()
    key = None if head is None else key_of(requests[0][0])
    if key is None:
        return requests
    room = min(ROWS_CAP, BYTES_CAP // max(1, size_of(key[1], key[2]))) - requests[0][0]["shape"][0]
    while head is not None and key_of(head) == key and head["shape"][0] <= room:
        requests.append(receiver.receive())
        room -= head["shape"][0]
        head = receiver.peek()
    return requests
