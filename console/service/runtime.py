"""Runtime directories: the lock and the socket of the engine that serves a store, and how clients find both.

An engine holds the lock of `<runtime directory>/<key of the store>/engine.lock` as long as it lives, and says in that
file who it is. A lock that nobody holds tells of an engine that has ended, whatever else it left.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from console.closing import closing_fd
from console.config import store_key
from console.errors import OperationError, UsageError
from console.files.roots import owner_name
from console.locks import BusyError, locked
from console.os_errors import why

VARIABLE = "MODEL_CONSOLE_RUNTIME_DIR"
LOCK, SOCKET = "engine.lock", "engine.sock"
MOST_PATH = 107
"""Bytes of the longest path of a unix socket, see unix(7)."""

_SYSTEM = "/run/model-console"
_OF_USER = "/tmp/model-console-"
_MOST = 64 << 10
_TAKE_S = 1.0
"""How long the lock is tried for: clients that look whether it is held have it for a moment."""


@dataclass(frozen=True, slots=True)
class RunningEngine:
    """An engine as its lock tells of it; `listening` once its socket answers."""

    pid: int
    started: float
    user: str
    store: str
    socket: str
    http: tuple[str, ...] = ()
    listening: bool = False


def runtime_dir() -> Path:
    """The directory in which this user's engines are found."""
    return _candidates()[0]


def directory_of(root: Path) -> Path:
    """The directory of the engine that serves the store at `root`."""
    return runtime_dir() / store_key(root)


def socket_of(root: Path, named: str = "") -> Path:
    """The socket of that engine: the one that was named, else in its directory. Raises UsageError for a path that is
    too long for a socket."""
    path = Path(os.path.abspath(named)) if named else directory_of(root) / SOCKET
    if len(os.fsencode(path)) > MOST_PATH:
        hint = f"name a shorter one with --socket, or a directory in {VARIABLE}"
        raise UsageError(f"{path} is too long for the path of a socket (over {MOST_PATH} bytes)", hint=hint)
    return path


def running(root: Path) -> RunningEngine | None:
    """The engine that serves the store at `root`; None where there is none that this user may see."""
    key, trusted = store_key(root), _trusted(root)
    for place in _looked_at(root):
        with suppress(OSError, ValueError, TypeError):
            found = _held(place / key / LOCK, trusted)
            if found is not None:
                return found
    return None


def hidden(root: Path) -> Path | None:
    """The runtime directory of the store that this user may not look into; None where there is none."""
    key = store_key(root)
    for place in _looked_at(root):
        try:
            (place / key / LOCK).stat()
        except PermissionError:
            return place / key
        except OSError:
            continue
    return None


def _candidates() -> list[Path]:
    """Runtime directories, the one for an engine of this user first."""
    uid = os.geteuid()
    given = [os.environ.get(VARIABLE, ""), os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]]
    session = os.environ.get("XDG_RUNTIME_DIR", "")
    own = [_SYSTEM if uid == 0 else "", f"{session}/model-console" if session else "", f"{_OF_USER}{uid}"]
    return [Path(path) for path in (*given, *own, _SYSTEM) if os.path.isabs(path)]


def _looked_at(root: Path) -> list[Path]:
    """Runtime directories in which the engine of the store may be: this user's, and those of the store's owner."""
    found = _candidates()
    with suppress(OSError):
        owner = root.stat().st_uid
        found += [Path(f"/run/user/{owner}/model-console"), Path(f"{_OF_USER}{owner}")]
    return list(dict.fromkeys(found))


def _trusted(root: Path) -> frozenset[int]:
    """Users whose word on an engine is taken: this one, root, and the owner of the store."""
    with suppress(OSError):
        return frozenset((os.geteuid(), 0, root.stat().st_uid))
    return frozenset((os.geteuid(), 0))


def _held(path: Path, trusted: frozenset[int]) -> RunningEngine | None:
    """The engine that holds a lock. Raises OSError, ValueError, TypeError where there is nothing to be read."""
    with closing_fd(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)) as fd:
        status = os.fstat(fd)
        if status.st_uid not in trusted or not stat.S_ISREG(status.st_mode):
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _read(fd)
    return None


def _read(fd: int) -> RunningEngine:
    values = json.loads(os.pread(fd, _MOST, 0))
    return RunningEngine(**{**values, "http": tuple(values["http"])})


class EngineLock:
    """The lock of one store's engine, from `taken`. `facts` is what it says."""

    def __init__(self, fd: int, facts: RunningEngine) -> None:
        self._fd = fd
        self._size = 0
        self.facts = facts
        self.tell()

    def tell(self, *, http: tuple[str, ...] | None = None, listening: bool = False) -> None:
        """Write who holds it and where it answers. Raises OSError."""
        facts = self.facts
        self.facts = replace(facts, http=facts.http if http is None else http, listening=listening or facts.listening)
        text = json.dumps(asdict(self.facts)).encode("ascii")
        self._size = max(self._size, len(text), os.fstat(self._fd).st_size)
        os.pwrite(self._fd, text.ljust(self._size), 0)


@contextmanager
def taken(root: Path, socket: Path, *, started: float, group: int = -1) -> Iterator[EngineLock]:
    """Be the engine of the store at `root`, in a directory that its user and this group enter.

    Raises OperationError that names the engine that is there, or says why the directory cannot be made.
    """
    other = running(root)
    if other is not None:
        raise _refusal(root, other)
    directory = directory_of(root)
    facts = RunningEngine(os.getpid(), started, owner_name(os.geteuid()), os.path.realpath(root), str(socket))
    try:
        _make(directory, group)
        with closing_fd(_opened(directory / LOCK, group)) as fd, locked(fd, str(directory / LOCK), wait=_TAKE_S):
            with suppress(FileNotFoundError):
                socket.unlink()
            yield EngineLock(fd, facts)
            with suppress(OSError):
                socket.unlink()
    except BusyError:
        other = running(root)
        if other is None:
            raise
        raise _refusal(root, other) from None
    except OSError as error:
        hint = f"name another directory in {VARIABLE}"
        raise OperationError(f"{error.filename or directory} cannot be used: {why(error)}", hint=hint) from None


def _refusal(root: Path, other: RunningEngine) -> OperationError:
    return OperationError(
        f"{root} is served already, by process {other.pid} of {other.user} at {other.socket}",
        hint=f"attach to it: model-console {root}; or end it first: kill {other.pid}",
    )


def _make(directory: Path, group: int) -> None:
    """Make the directory, and the one above it. Raises OSError, OperationError where others have made them."""
    above = directory.parent
    above.mkdir(mode=0o755 if str(above) == _SYSTEM else 0o700, parents=True, exist_ok=True)
    directory.mkdir(mode=0o750, exist_ok=True)
    for path in (above, directory):
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid not in (os.geteuid(), 0) or status.st_mode & 0o022:
            raise OperationError(
                f"{path} is {owner_name(status.st_uid)}'s, with mode {stat.S_IMODE(status.st_mode):04o}, where others"
                " may put a socket in place of the engine's",
                hint=f"remove it, or name another directory in {VARIABLE}",
            )
    os.chmod(directory, 0o750)
    os.chown(directory, -1, _owning(group))
    if group >= 0:
        _let_pass(above, group)


def _owning(group: int) -> int:
    """The group of what an engine makes: its user's own, where none was named."""
    return group if group >= 0 else os.getegid()


def _let_pass(directory: Path, group: int) -> None:
    """Let a group through a directory of this user's that others may not enter, as systemd makes one."""
    status = directory.stat()
    if status.st_uid == os.geteuid() and not status.st_mode & stat.S_IXOTH:
        os.chown(directory, -1, group)
        os.chmod(directory, stat.S_IMODE(status.st_mode) | stat.S_IXGRP)


def _opened(path: Path, group: int) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
    try:
        os.fchmod(fd, 0o640)
        os.fchown(fd, -1, _owning(group))
    except BaseException:
        os.close(fd)
        raise
    return fd


def group_id(name: str) -> int:
    """The number of a group; -1 for none. Raises UsageError for one that this machine does not know."""
    import grp

    if not name:
        return -1
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise UsageError(f"this machine knows no group {name}", hint="see: getent group") from None
