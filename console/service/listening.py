"""Listening sockets of the HTTP front, bound by the engine before anything else is begun."""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import socket
from contextlib import suppress
from dataclasses import dataclass

from console.errors import OperationError, UsageError
from console.os_errors import why
from console.records.service import ServeOptions

_BACKLOG = 1024
_ADDRESS = re.compile(r"(?:\[(?P<six>[^\]]+)\]|(?P<host>[^:\[\]]*)):(?P<port>\d{1,5})")


@dataclass(frozen=True, slots=True)
class Listening:
    """A socket that listens at `address` (HOST:PORT), only for `metrics` or for all that the front answers."""

    socket: socket.socket
    address: str
    local: bool
    metrics: bool = False


def listen_all(options: ServeOptions) -> tuple[Listening, ...]:
    """The sockets that the options name. Raises UsageError, OperationError; none is left open then."""
    found: list[Listening] = []
    try:
        if options.http:
            found += _listen("--http", options.http, metrics=False)
        if options.metrics:
            found += _listen("--metrics", options.metrics, metrics=True)
    except BaseException:
        close_all(found)
        raise
    return tuple(found)


def close_all(sockets: list[Listening] | tuple[Listening, ...]) -> None:
    """Listen no more."""
    for one in sockets:
        one.socket.close()


def _listen(option: str, address: str, *, metrics: bool) -> list[Listening]:
    """A socket for each address that the name of a host stands for."""
    match = _ADDRESS.fullmatch(address)
    if match is None or int(match["port"]) > 65535:
        hint = "such as 127.0.0.1:8080 or [::1]:8080"
        raise UsageError(f"{option} must be HOST:PORT, not '{address[:100]}'", hint=hint)
    host, port = match["six"] or match["host"] or "", int(match["port"])
    if not host:
        raise UsageError(f"{option} {address} names no host", hint=f"for every one of this machine: 0.0.0.0:{port}")
    found: list[Listening] = []
    try:
        for family, kind, protocol, _, place in _resolved(option, host, port):
            port = port or (found[0].socket.getsockname()[1] if found else 0)
            sock = _bound(family, kind, protocol, (place[0], port, *place[2:]), option)
            at = sock.getsockname()
            found.append(Listening(sock, _written(at[0], at[1]), _is_local(at[0]), metrics))
    except BaseException:
        close_all(found)
        raise
    return found


def _resolved(
    option: str, host: str, port: int
) -> list[tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int] | tuple[str, int, int, int]]]:
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)  # type: ignore[return-value]
    except OSError as error:
        raise UsageError(f"{option}: there is no host {host} ({why(error)})") from None


def _bound(
    family: socket.AddressFamily, kind: socket.SocketKind, protocol: int, place: tuple[object, ...], option: str
) -> socket.socket:
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(place[0] != "::"))
        sock.bind(place)
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        written = _written(str(place[0]), int(str(place[1])))
        if error.errno == errno.EADDRINUSE:
            hint = f"name another one: {option} HOST:PORT, or end that process"
            raise OperationError(f"{written} is taken by {_holder(int(str(place[1])))}", hint=hint) from None
        raise OperationError(f"{written} cannot be listened at: {why(error)}") from None
    return sock


def _holder(port: int) -> str:
    """The process that listens at a port, as far as this user may know."""
    import psutil

    with suppress(psutil.Error, OSError):
        for one in psutil.net_connections("tcp"):
            if one.status == psutil.CONN_LISTEN and one.laddr and one.laddr.port == port and one.pid:
                with suppress(psutil.Error):
                    return f"process {one.pid} ({' '.join(psutil.Process(one.pid).cmdline())[:120]})"
                return f"process {one.pid}"
    return "another process" + (" of another user" if os.geteuid() else "")


def _written(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_local(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    return False
