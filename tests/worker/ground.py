"""The ground that a hostile model attacks in the tests: files, sockets and a process of the console's user."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from console.worker.exit_status import is_dying
from tests.worker.attacks import model_pickle

SYSTEM_PYTHON = Path(f"/usr/bin/python3.{sys.version_info.minor}")
SETUID = "MODEL_CONSOLE_TEST_SETUID"
MUCH = 512 << 20
MANY = 200
SEEN_S = 0.6
"""How long an attack holds what it took: the console looks four times a second."""


def _maps(pid: int) -> str:
    """The memory of a process; nothing of one that is dying, gone, or hidden (`hidepid`) while it becomes a program."""
    try:
        return Path(f"/proc/{pid}/maps").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


class Ground:
    """One directory of targets; `close` removes all of it."""

    def __init__(self) -> None:
        self._held = ExitStack()
        self.path = Path(self._held.enter_context(tempfile.TemporaryDirectory(prefix="ground-")))
        self.path.chmod(0o755)
        self.home = self.path / "home"
        self.home.mkdir(0o700)
        self.secret = self.path / "secret"
        self.secret.write_text("only its owner may read this")
        self.secret.chmod(0o600)
        self.library = self.path / "library"
        self.library.write_text("others open this")
        self._tcp = self._listening(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0))
        self._files = [
            self._listening(socket.AF_UNIX, socket.SOCK_STREAM, str(self.path / "socket")),
            self._listening(socket.AF_UNIX, socket.SOCK_DGRAM, str(self.path / "datagrams")),
            self._listening(socket.AF_UNIX, socket.SOCK_STREAM, f"\0ground-{os.getpid()}"),
        ]
        for name in ("socket", "datagrams"):
            (self.path / name).chmod(0o777)
        self.setuid = os.environ.get(SETUID) or self._set_uid_program()
        self._victim: subprocess.Popen[bytes] | None = None

    def victim(self) -> subprocess.Popen[bytes]:
        """A process of this user that lives."""
        if self._victim is None or self._victim.poll() is not None:
            self._victim = subprocess.Popen(["sleep", "1000"], stdin=subprocess.DEVNULL)
        return self._victim

    def fell(self) -> bool:
        """Whether somebody has killed the victim."""
        if self._victim is None or (self._victim.poll() is None and not is_dying(self._victim.pid)):
            return False
        self._victim.wait()
        return True

    def given(self) -> dict[str, Any]:
        """The facts that an attacker would know."""
        victim = self.victim()
        while not (maps := _maps(victim.pid)):
            victim = self.victim()
        return {
            "secret": str(self.secret),
            "home": str(self.home),
            "socket": str(self.path / "socket"),
            "datagrams": str(self.path / "datagrams"),
            "abstract": f"\0ground-{os.getpid()}",
            "port": self._tcp.getsockname()[1],
            "console": os.getpid(),
            "victim": victim.pid,
            "victim_address": int(maps.partition("-")[0], 16),
            "setuid": self.setuid,
            "library": str(self.library),
            "seen": SEEN_S,
            "much": MUCH,
            "many": MANY,
            "long": MUCH,
        }

    @contextmanager
    def model(self, words: str) -> Iterator[int]:
        """An open pickle of a model that makes this attack."""
        fd = os.memfd_create("model", os.MFD_CLOEXEC)
        try:
            os.write(fd, model_pickle(words, self.given()))
            yield fd
        finally:
            os.close(fd)

    def close(self) -> None:
        """End the victim, close and remove everything."""
        if self._victim is not None:
            self._victim.kill()
            self._victim.wait()
        self._held.close()

    def _listening(self, family: int, kind: int, address: Any) -> socket.socket:
        found = self._held.enter_context(socket.socket(family, kind))
        found.bind(address)
        if kind == socket.SOCK_STREAM:
            found.listen(1000)
        return found

    def _set_uid_program(self) -> str:
        """A copy of `id` that would run as its owner."""
        copy = self.path / "id"
        shutil.copyfile(shutil.which("id") or "/usr/bin/id", copy)
        copy.chmod(0o4755)
        return str(copy)


def everyones_python(directory: Path) -> tuple[str, str]:
    """An interpreter with this one's libraries that every user may run, made in `directory`; or "" and why not."""
    if not SYSTEM_PYTHON.exists():
        return "", f"there is no {SYSTEM_PYTHON} with this interpreter's version"
    for path in (sysconfig.get_path("purelib"), Path(__file__).parents[2]):
        for above in (Path(path), *Path(path).parents):
            if not above.stat().st_mode & 0o001:
                return "", f"{above} is closed to other users"
    (directory / "bin").mkdir(mode=0o755)
    python = directory / "bin" / "python"
    python.symlink_to(SYSTEM_PYTHON)
    (directory / "pyvenv.cfg").write_text(f"home = {SYSTEM_PYTHON.parent}\n")
    packages = directory / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return str(python), ""
