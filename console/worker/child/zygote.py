"""The zygote: a single-threaded process with the libraries imported once, that forks children in milliseconds."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Iterable
from typing import NoReturn

from backends.core.errors import Refusal
from console.worker.child.main import Answer, Request, Service, serve
from console.worker.child.sandbox import landlock
from console.worker.child.sandbox.privileges import PR_SET_DUMPABLE, prctl


class Forking(Service):
    """Operations: `preload` (modules) → missing; `fork` (kind, descriptors) → pid; `reap` (pid) → status, peak.

    No other process of this user may look into it: what it forks is not in a sandbox yet.
    """

    def __init__(self) -> None:
        super().__init__()
        self.operations = {"preload": self.preload, "fork": self.fork, "reap": self.reap}
        prctl(PR_SET_DUMPABLE, 0)

    def preload(self, request: Request) -> Answer:
        """Import what children will need; what is not installed is left out and named in the answer."""
        gc.disable()  # what is imported stays: looking at it again and again takes a fifth of the time
        try:
            missing = _imported(request.fields.get("modules", ()))
        finally:
            gc.freeze()
            gc.enable()
        checks = sys.modules.get("sklearn.utils.validation")
        if checks is not None:
            checks.check_array([[0.0]])  # its first call looks through all installed distributions: 10 ms of a load
        landlock.library_paths.cache_clear()
        landlock.library_paths(os.path.dirname(sys.modules["console"].__path__[0]))
        return {"missing": missing, "threads": _threads()}, b""

    def fork(self, request: Request) -> Answer:
        """A child of this kind on the three descriptors: control socket, stdout, stderr. Raises Refusal."""
        kind = str(request.fields["kind"])
        control, out, err = request.take_fd(), request.take_fd(), request.take_fd()
        try:
            if _threads() > 1:
                raise Refusal("start", "a preloaded library started threads, so this process must not fork")
            pid = os.fork()
            if pid == 0:
                become(kind, control, out, err)
        finally:
            for fd in (control, out, err):
                os.close(fd)
        return {"pid": pid}, b""

    def reap(self, request: Request) -> Answer:
        """How a dead child ended; it stays a zombie until this is asked, so its number cannot be taken meanwhile."""
        pid, status, usage = os.wait4(int(request.fields["pid"]), os.WNOHANG)
        if pid == 0:
            raise Refusal("protocol", "that child is still alive")
        return {"status": status, "peak": usage.ru_maxrss}, b""


def become(kind: str, control: int, out: int, err: int) -> NoReturn:
    """In the forked child: a session and streams of its own, other random numbers, then serve."""
    prctl(PR_SET_DUMPABLE, 1)
    os.setsid()
    os.dup2(out, 1)
    os.dup2(err, 2)
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()
    serve(kind, control)


def _imported(names: Iterable[str]) -> list[str]:
    """Import these; those that are not installed."""
    missing = []
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError:
            missing.append(name)
    return missing


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))
