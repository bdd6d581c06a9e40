"""A load generator for HTTP: kept connections, each of which asks again as soon as it was answered."""

from __future__ import annotations

import re
import selectors
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
Right = Callable[[int, bytes], bool]
"""Whether a body answers the request of this number."""


@dataclass
class Outcome:
    """Milliseconds of each request, in the order of the answers; how many were refused or answered wrong."""

    milliseconds: list[float] = field(default_factory=list)
    refused: int = 0
    wrong: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Right answers a second."""
        return (len(self.milliseconds) - self.refused - self.wrong) / self.seconds


def post(path: str, body: bytes, headers: Sequence[tuple[str, str]] = (("Content-Type", "application/json"),)) -> bytes:
    """The bytes of one request."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def run(
    address: tuple[str, int], requests: Sequence[bytes], right: Right, *, callers: int = 1, seconds: float = 1.5
) -> Outcome:
    """Ask for so long; every answer is looked at. Raises OSError where a connection is closed."""
    outcome = Outcome()
    with selectors.EpollSelector() as selector:
        callers_ = [_Caller(address, requests, right, start, outcome) for start in range(callers)]
        for one in callers_:
            selector.register(one.sock, selectors.EVENT_READ, one)
            one.ask()
        begun = time.perf_counter()
        while time.perf_counter() - begun < seconds:
            for key, _events in selector.select(1.0):
                key.data.hear()
        outcome.seconds = time.perf_counter() - begun
        for one in callers_:
            one.sock.close()
    return outcome


class _Caller:
    """One connection, with one request in flight."""

    def __init__(
        self, address: tuple[str, int], requests: Sequence[bytes], right: Right, start: int, outcome: Outcome
    ) -> None:
        self.sock = socket.create_connection(address, timeout=60)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._requests, self._right, self._outcome = requests, right, outcome
        self._number = start % len(requests)
        self._buffer = b""
        self._begun = 0.0

    def ask(self) -> None:
        self._begun = time.perf_counter()
        self.sock.sendall(self._requests[self._number])

    def hear(self) -> None:
        """Read what is there; with the end of the answer, ask again."""
        data = self.sock.recv(1 << 20)
        if not data:
            raise ConnectionError("the server closed a connection")
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found or len(rest) < (size := length(head)):
            return
        self._outcome.milliseconds.append((time.perf_counter() - self._begun) * 1e3)
        if not head.startswith(b"HTTP/1.1 200"):
            self._outcome.refused += 1
        elif not self._right(self._number, rest[:size]):
            self._outcome.wrong += 1
        self._buffer = rest[size:]
        self._number = (self._number + 7) % len(self._requests)
        self.ask()


def length(head: bytes) -> int:
    found = _LENGTH.search(head)
    if found is None:
        raise ValueError(f"an answer without a length: {head[:200]!r}")
    return int(found[1])
