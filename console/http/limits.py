"""The caps on what a stranger may send, hold and keep waiting."""

from __future__ import annotations

from dataclasses import dataclass

from console.http.errors import Refused


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps of the front; sizes in bytes, times in seconds.

    A body gets `body_s` and the time its bytes take at `slowest` bytes a second, a response `write_s` and that.
    `bodies` is what all bodies together may hold; `pipelined` how many requests of a connection wait before no more is
    read from it; `linger_s` how long what a refused client still sends is read and thrown away, so that it gets to see
    the answer. Where there are as many connections as may be, half a request that has waited for `crowded_s`, and for
    the time its bytes take, makes room.
    """

    head: int = 64 << 10
    headers: int = 100
    url: int = 8 << 10
    body: int = 64 << 20
    bodies: int = 512 << 20
    head_s: float = 10.0
    body_s: float = 60.0
    write_s: float = 30.0
    idle_s: float = 75.0
    linger_s: float = 3.0
    crowded_s: float = 2.0
    slowest: int = 64 << 10
    connections: int = 1000
    pipelined: int = 16

    @property
    def tick_s(self) -> float:
        """How often times are looked at."""
        return min(1.0, min(self.head_s, self.body_s, self.write_s, self.idle_s, self.linger_s) / 4)


class Held:
    """Bytes of bodies that are held in memory, of all connections together."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.bytes = 0

    def take(self, size: int) -> None:
        """Count these in. Raises Refused (503) where they are too many."""
        if self.bytes + size > self._most:
            raise Refused(
                503, "too many bytes of requests are held now", code="overloaded", headers=(("Retry-After", "1"),)
            )
        self.bytes += size

    def give(self, size: int) -> None:
        """Count these out again."""
        self.bytes -= size
