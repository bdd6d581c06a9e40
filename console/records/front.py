"""The HTTP front as the engine starts it: its listening sockets, its settings, and what the two say to each other.

The line between them carries frames of a length (4 bytes, big-endian) and a JSON object: FrontSettings first, then
FrontOrder from the engine and FrontReport from the front. Descriptors are inherited.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket: `local` = loopback or a unix socket, where who has no token is anonymous; `metrics` = it
    answers for metrics and health alone."""

    fd: int
    local: bool = True
    tls: bool = False
    metrics: bool = False


@dataclass(frozen=True, slots=True)
class FrontSettings:
    """All a front is told before it confines itself.

    `engine` is the descriptor of the line its calls go through; `certificate` and `key` are PEM; `uid` and `gid` whom
    root's front becomes. `anonymous` lets anybody ask on every socket. `body` is the largest body in
    bytes, `bodies` of all that are held at once.
    """

    engine: int
    listeners: tuple[Listener, ...]
    certificate: str = ""
    key: str = ""
    uid: int | None = None
    gid: int | None = None
    anonymous: bool = False
    body: int = 64 << 20
    bodies: int = 512 << 20
    connections: int = 1000
    drain_s: float = 10.0


@dataclass(frozen=True, slots=True)
class FrontOrder:
    """Engine to front: end in order, or use another certificate from now on."""

    order: Literal["drain", "certificate"]
    certificate: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class FrontReport:
    """Front to engine: it accepts, it could not start, it has something to warn of, it uses the certificate in
    `message`, or all it was asked is answered."""

    report: Literal["ready", "refused", "warning", "renewed", "drained"]
    message: str = ""
    layers: tuple[tuple[str, bool, str], ...] = ()
    """Layers of its sandbox: name, whether it is on, and how it is known or why not."""
