"""Small requests that wait are answered by one call of the model.

Batching is natural: what arrived while the model was busy is taken together when it is free, so that nobody waits for
company when it is idle. Only where others were just answered or are waiting, and a call costs much more than a row of
it, is a short while given to those who will be back at once. Two requests go together when they ask the same methods
of rows of equal width and dtype, and the model answers each row for itself (`Runnable.row_wise`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Optional

from console.worker.wire import Frame, Head, Receiver, size_of

ROWS_CAP = 4096
BYTES_CAP = 8 << 20
UNKNOWN_ROWS = 256
"""How many rows go together before it is known what they cost."""
WAIT_SHARE = 1 / 8
"""The part of a call's fixed cost that may be spent waiting for company."""
WAIT_CAP_S = 2e-3
WAIT_WORTH_S = 50e-6
"""A shorter wait than this costs more than it brings."""
SKIPS_CAP = 64
KEYS_CAP = 64

Key = tuple[tuple[str, ...], str, tuple[int, ...]]
"""Methods, dtype and the shape of one row."""


class Cost:
    """The seconds a call takes, as `per_call + per_row * rows`: least squares in which what is new counts most."""

    _KEEP = 0.97

    def __init__(self) -> None:
        self._weight = self._x = self._y = self._xx = self._xy = 0.0

    def learn(self, rows: int, seconds: float) -> None:
        """Take one call into account."""
        keep = self._KEEP
        self._weight = self._weight * keep + 1.0
        self._x = self._x * keep + rows
        self._y = self._y * keep + seconds
        self._xx = self._xx * keep + rows * rows
        self._xy = self._xy * keep + rows * seconds

    @property
    def fitted(self) -> tuple[float, float]:
        """Seconds per call and seconds per row; all of it per call while calls of one size only were seen."""
        if not self._weight:
            return 0.0, 0.0
        spread = self._xx - self._x * self._x / self._weight
        if spread < 1.0:
            return self._y / self._weight, 0.0
        per_row = max(0.0, (self._xy - self._x * self._y / self._weight) / spread)
        return max(0.0, (self._y - per_row * self._x) / self._weight), per_row

    def worthwhile_rows(self) -> int:
        """So many rows cost as much as the call itself: more of them gain little and delay the first."""
        per_call, per_row = self.fitted
        if not per_row:
            return UNKNOWN_ROWS
        return max(1, min(ROWS_CAP, int(per_call / per_row)))

    def worthwhile_wait(self) -> float:
        """How long a request may be held back for others, in seconds; 0 where that cannot pay."""
        wait = min(WAIT_CAP_S, self.fitted[0] * WAIT_SHARE)
        return wait if wait >= WAIT_WORTH_S else 0.0


class Batching:
    """Chooses what goes together. `key` says of a request what its company must be like, None for none at all."""

    def __init__(self, key: Callable[[Head], Optional[Key]]) -> None:
        self._key = key
        self.rows_cap = ROWS_CAP
        self._costs: dict[Key, Cost] = {}
        self._answered = 1
        self._skips = 0
        self._skipped = 0

    def gather(self, receiver: Receiver) -> list[Frame]:
        """The next request and those that go with it. Raises EOFError and WireError like `Receiver.receive`."""
        receiver.look()
        late = self._answered > 1 and receiver.wait(0.0) is not None
        first = receiver.receive()
        requests = [first]
        alone = self._answered == 1 and receiver.peek() is None
        key = None if alone else self._key(first[0])
        if key is None:
            self._answered = 1
            return requests
        cost = self.cost(key)
        bound = min(self.rows_cap, BYTES_CAP // max(1, size_of(key[1], key[2])))
        room = min(cost.worthwhile_rows(), bound) - _rows(first[0])
        room = self._take(requests, receiver, receiver.peek(), key, room)
        expected = self._answered + len(requests) if late else self._answered
        wait = cost.worthwhile_wait() if room > 0 and len(requests) < expected else 0.0
        if wait and receiver.peek() is None and self._hopeful():
            self._await(requests, receiver, key, room, expected, wait)
        self._answered = len(requests)
        return requests

    def cost(self, key: Key) -> Cost:
        """The cost of requests of this kind."""
        if key not in self._costs:
            if len(self._costs) >= KEYS_CAP:
                self._costs.clear()
            self._costs[key] = Cost()
        return self._costs[key]

    def _take(self, requests: list[Frame], receiver: Receiver, head: Optional[Head], key: Key, room: int) -> int:
        """Take those that are there and fit; the room that is left, 0 where the next one does not fit."""
        while head is not None:
            if self._key(head) != key or _rows(head) > room:
                return 0
            requests.append(receiver.receive())
            room -= _rows(head)
            head = receiver.peek()
        return room

    def _await(
        self, requests: list[Frame], receiver: Receiver, key: Key, room: int, expected: int, wait: float
    ) -> None:
        """Wait for those who should be back, and remember whether any came."""
        before, until = len(requests), time.monotonic() + wait
        while room > 0 and len(requests) < expected:
            head = receiver.wait(max(0.0, until - time.monotonic()))
            if head is None:
                break
            room = self._take(requests, receiver, head, key, room)
        self._skips = 0 if len(requests) > before else min(SKIPS_CAP, 2 * self._skips + 1)
        self._skipped = 0

    def _hopeful(self) -> bool:
        """Whether to wait at all: ever more rarely when nobody came."""
        self._skipped += 1
        return self._skipped > self._skips


def _rows(head: Any) -> int:
    return int(head["shape"][0])
