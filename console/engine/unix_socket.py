"""Unix sockets by path: bound, connected to, and who is at the other end."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from console.errors import ConflictError, OperationError, UsageError
from console.os_errors import why

__all__ = ["Peer", "connected", "listening", "peer_of", "user_groups"]

_LONGEST = 107
_SO_PEERGROUPS = 59
_MOST_GROUPS = 1024
"""Bytes of group numbers that Python takes from the kernel; of a process with more those of the user database count."""
_BUFFER = 1 << 20
_BACKLOG = 128
_CREDENTIALS = struct.Struct("3i")


@dataclass(frozen=True, slots=True)
class Peer:
    """The process at the other end, as the kernel knows it since the connection was made."""

    pid: int
    uid: int
    gid: int
    groups: frozenset[int] = frozenset()


def peer_of(sock: socket.socket) -> Peer:
    """The process at the other end of a connection. Raises OSError."""
    pid, uid, gid = _CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    groups: frozenset[int] = frozenset()
    with suppress(OSError):
        found = sock.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _MOST_GROUPS)
        groups = frozenset(struct.unpack(f"{len(found) // 4}I", found))
    return Peer(pid, uid, gid, groups)


def user_groups(peer: Peer) -> frozenset[int]:
    """The groups of a peer: those that its process has, and those of the user database."""
    found = peer.groups | {peer.gid}
    with suppress(KeyError, OSError):
        found |= set(os.getgrouplist(pwd.getpwuid(peer.uid).pw_name, peer.gid))
    return found


def listening(path: Path, group: str | int | None) -> socket.socket:
    """A socket that its owner and this group may connect to. A socket in its place goes if nobody answers there.

    Raises ConflictError where somebody does, UsageError for a group there is not, OperationError.
    """
    number = _group(group)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(sock.fileno(), 0o600)
        with _address(path) as address:
            _bind(sock, address, path)
            os.chown(address, -1, number)
            os.chmod(address, 0o660)
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise OperationError(f"the engine cannot listen at {path}: {why(error)}") from None
    except BaseException:
        sock.close()
        raise
    return sock


def connected(path: Path) -> socket.socket:
    """A connection to the socket at a path, which does not block. Raises OSError."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        with _address(path) as address:
            sock.connect(address)
    except BaseException:
        sock.close()
        raise
    widen(sock)
    return sock


def widen(sock: socket.socket) -> None:
    """Have the system take more at once, as far as it lets us."""
    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER)


def _group(group: str | int | None) -> int:
    if group is None or isinstance(group, int):
        return -1 if group is None else group
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise UsageError(f"there is no group {group} to open the engine's socket to") from None


def _bind(sock: socket.socket, address: str, path: Path) -> None:
    try:
        sock.bind(address)
    except OSError as error:
        if error.errno != errno.EADDRINUSE or not stat.S_ISSOCK(os.lstat(address).st_mode):
            raise
        if _answers(path):
            raise ConflictError(f"another engine answers at {path}", hint="end it first, or give --socket") from None
        os.unlink(address)
        sock.bind(address)


def _answers(path: Path) -> bool:
    try:
        connected(path).close()
    except ConnectionRefusedError:
        return False
    except BlockingIOError:
        return True
    return True


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """A path as the system takes it for a socket, which is at most 107 bytes."""
    if len(os.fsencode(path)) <= _LONGEST:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
