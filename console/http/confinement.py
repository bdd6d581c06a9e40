"""Confinement of the front, before a byte of a stranger is read; each layer tells whether it is on and how it knows."""

from __future__ import annotations

import importlib
import os
import resource
import signal
import socket
from collections.abc import Callable

from console.records import FrontSettings
from console.worker.child.sandbox import landlock, privileges, seccomp

_PACKAGES = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_SPARE_FILES = 256
"""Descriptors beside those of connections that are counted: ones that are told to go, lines, libraries."""
_MEMORY = 1 << 30
"""Bytes of its own over what bodies may hold, of which answers are made."""
_ACCEPTS = frozenset({"accept4", "accept", "listen"})
Layer = tuple[str, bool, str]


_LATER = (
    "_strptime",
    "concurrent.futures.thread",
    "encodings.ascii",
    "encodings.idna",
    "encodings.latin_1",
    "encodings.utf_8_sig",
    "tokenize",
    "unicodedata",
)
"""Modules that the library imports when they are first needed, which may be too late for another user to read them."""


def preload() -> None:
    """Import everything that is ever needed."""
    for name in _LATER:
        importlib.import_module(name)


def confine(settings: FrontSettings) -> tuple[Layer, ...]:
    """Put on every layer there is; never raises for one that this machine does not have."""
    user = {"uid": settings.uid, "gid": settings.gid, "why": "no other user was named"}
    layers: list[tuple[str, Callable[[], str]]] = [
        ("limits", lambda: _limits(settings)),
        ("user", lambda: privileges.give_up(user)),
        ("parent", _die_with_engine),
        ("dumpable", _hide),
        ("no_new_privs", privileges.no_new_privileges),
        ("landlock", _files),
        ("seccomp", _calls),
    ]
    return tuple(_applied(name, layer) for name, layer in layers)


def _applied(name: str, layer: Callable[[], str]) -> Layer:
    try:
        return name, True, layer()
    except (OSError, ValueError, AttributeError) as error:
        return name, False, getattr(error, "strerror", None) or str(error) or type(error).__name__


def _limits(settings: FrontSettings) -> str:
    """No core files, no files that grow, as many descriptors and as much memory as its settings need."""
    memory = _MEMORY + 3 * settings.bodies
    files = settings.connections + _SPARE_FILES
    for which, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 1 << 20),
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_NOFILE, files),
    ):
        hard = resource.getrlimit(which)[1]
        limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (limit, limit))
    return f"{memory >> 20} MiB of memory, {resource.getrlimit(resource.RLIMIT_NOFILE)[0]} descriptors, no core files"


def _die_with_engine() -> str:
    """Be killed when the engine's thread that started it is gone; the end of its line tells as well."""
    privileges.prctl(privileges.PR_SET_PDEATHSIG, signal.SIGKILL)
    return "killed with the process that started it"


def _hide() -> str:
    privileges.prctl(privileges.PR_SET_DUMPABLE, 0)
    return "not to be looked into by other processes of its user"


def _files() -> str:
    """Read libraries and the console's own code, write nothing, open no TCP connection; proven by trying."""
    read = [*landlock.SYSTEM_READ, *landlock.library_paths(_PACKAGES)]
    evidence = landlock.restrict(read, [])
    try:
        os.listdir("/")
    except PermissionError:
        return f"{evidence}; listing / is denied, nothing is writable"
    raise OSError(0, f"{evidence}, yet / can be listed")


def _calls() -> str:
    """Deny the calls that a model is denied, but accept connections; proven by trying."""
    evidence = seccomp.install(allowed=_ACCEPTS)
    try:
        socket.socket().close()
    except PermissionError:
        return f"{evidence}; socket() is denied, so are new processes, connect, bind, files in memory"
    raise OSError(0, f"{evidence}, yet a socket can be made")
