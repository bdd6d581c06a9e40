"""Private directories for children, removed with them; those a killed console left behind go at the next start,
and what still works in them with them."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import stat
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress

from console.processes import process_stat
from console.worker.cgroups import is_gone, owner, started

PREFIX = "model-console-scratch-"
PASSABLE = 0o711
CANARY = "canary"
UNLOCKED = ".model-console-new-"
YOUNG_SECONDS = 60.0
"""A directory of that name which is this young may not be locked by its owner yet."""
END_SECONDS = 2.0
_SESSION = re.compile(r"session-(\d+)-(\d+)-([-0-9a-z]+)")


class Scratch:
    """One directory for a launcher, locked while the launcher lives, with one directory for each child in it.

    Beside those lies the canary: a file only this user may read, that no child's sandbox may let it reach.
    """

    def __init__(self) -> None:
        self.path = ""
        self._lock = -1

    def directory(self) -> str:
        """The launcher's directory; others may pass through it where this is root, whose children are other users."""
        if not self.path:
            made = tempfile.mkdtemp(prefix=f"{UNLOCKED}{owner()}-")
            try:
                self._lock = os.open(made, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                fcntl.flock(self._lock, fcntl.LOCK_EX)
                self.path = f"{os.path.dirname(made)}/{PREFIX}{os.path.basename(made).rpartition('-')[2]}"
                os.rename(made, self.path)
            except OSError:
                self.path = ""
                shutil.rmtree(made, ignore_errors=True)
                raise
            _write_private(os.path.join(self.path, CANARY), b"a child that can read this is not confined\n")
            if os.geteuid() == 0:
                os.chmod(self.path, PASSABLE)
        return self.path

    def new(self, uid: int | None = None) -> str:
        """An empty directory only this user may enter, or only the user `uid`."""
        path = tempfile.mkdtemp(dir=self.directory())
        if uid is not None:
            os.chown(path, uid, uid)
        return path

    def remember_session(self, pid: int) -> str:
        """Take down that a child may start others, which stay in its session; the file to remove when it has ended."""
        path = os.path.join(self.directory(), f"session-{pid}-{started(pid)}-{_boot()}")
        _write_private(path, b"")
        return path

    def canary(self, reachable: Sequence[str]) -> tuple[str, str]:
        """The canary's path, or why it says nothing to a child that may reach these paths."""
        path = os.path.realpath(os.path.join(self.directory(), CANARY))
        for one in reachable:
            top = os.path.realpath(one)
            if os.path.commonpath([top, path]) == top:
                return "", f"not tried: the canary lies below {one}, which this child may read"
        return path, ""

    def close(self) -> None:
        """Remove everything. May be called twice."""
        if self.path:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self._lock)
            self.path = ""


def _write_private(path: str, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(data)


def end_abandoned(parent: str = "") -> int:
    """Remove our own directories below `parent` that no live console holds a lock on, and end the processes that were
    started to work in them; how many those were."""
    ended = 0
    with suppress(OSError), os.scandir(parent or tempfile.gettempdir()) as entries:
        for entry in entries:
            if entry.name.startswith((PREFIX, UNLOCKED)) and entry.is_dir(follow_symlinks=False):
                with suppress(OSError):
                    ended += _end_if_abandoned(entry.path, locked=not _may_be_new(entry.name))
    return ended


def _may_be_new(name: str) -> bool:
    """Whether a directory may belong to a process that lives and has not locked it yet."""
    return name.startswith(UNLOCKED) and not is_gone(name.removeprefix(UNLOCKED).partition("-")[0])


def _end_if_abandoned(path: str, *, locked: bool) -> int:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found = os.fstat(fd)
        private = found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) in (0o700, PASSABLE)
        if not private or (not locked and time.time() - found.st_ctime < YOUNG_SECONDS):
            return 0
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ended = end_processes(path)
        shutil.rmtree(path, ignore_errors=True)
        return ended
    finally:
        os.close(fd)


def end_processes(path: str) -> int:
    """Kill every process whose TMPDIR is `path` or lies below, those in sessions that are remembered there, and what
    they start meanwhile; how many those were."""
    marker, sessions = b"TMPDIR=" + os.fsencode(path), _sessions(path)
    seen: set[int] = set()
    until = time.monotonic() + END_SECONDS
    while (left := _with_environment(marker) | _in_sessions(sessions)) and time.monotonic() < until:
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        seen |= left
        time.sleep(0.005)
    return len(seen)


def _with_environment(start: bytes) -> set[int]:
    """The processes with an environment variable that starts so, as far as this user may look into them."""
    found = set()
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with suppress(OSError), open(f"/proc/{name}/environ", "rb") as environment:
                if any(one == start or one.startswith(start + b"/") for one in environment.read().split(b"\0")):
                    found.add(int(name))
    return found


def _sessions(path: str) -> dict[int, int]:
    """The sessions remembered in a launcher's directory, by id, and when their first process was started."""
    found = {}
    with suppress(OSError):
        for name in os.listdir(path):
            match = _SESSION.fullmatch(name)
            if match and match[3] == _boot():
                found[int(match[1])] = int(match[2])
    return found


def _in_sessions(sessions: dict[int, int]) -> set[int]:
    """The processes in these sessions. An id is given to nobody else as long as its session has a process; where it was
    given again since, another process of that id was started later."""
    found = set()
    current = {session for session, start in sessions.items() if started(session) in (0, start)}
    for name in os.listdir("/proc") if current else ():
        if name.isdecimal():
            with suppress(OSError, ValueError, IndexError):
                process = process_stat(int(name))
                if process.session in current and process.state != "Z":
                    found.add(int(name))
    return found


def _boot() -> str:
    """The id of this boot of the machine."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as line:
            return line.read().strip()
    except OSError:
        return "unknown"
