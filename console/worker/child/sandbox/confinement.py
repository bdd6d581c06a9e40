"""Sandbox of a child, entered before a byte of a model is read; each layer tells whether it is on and how it knows."""

from __future__ import annotations

import os
import resource
import socket
from typing import Any, Callable, Optional

from backends.core.memory import reserve
from console.worker.child.sandbox import landlock, namespaces, seccomp
from console.worker.child.sandbox.privileges import (
    PR_SET_DUMPABLE,
    give_up,
    no_new_privileges,
    outlive_parent,
    prctl,
)

KILLED_FIRST = 500
"""Added to a child's out-of-memory score, so that the kernel ends it rather than the console."""

MEMORY_FILES = 12
"""Files in memory that a child is left with when it can make no more: one for each compression or archive it opens."""

_cpu_seconds = 0


def enter(config: dict[str, Any], control: int, kind: str) -> dict[str, list[Any]]:
    """Put every layer on that the plan asks for; layer name to [active, evidence or reason].

    The layer `cgroup` is the console's to put on, before it sends `config`.
    Landlock and seccomp bind only the calling thread and what comes after it: this runs before any library can start
    threads. A zygote keeps its powers, since each of its forks has to give up its own.
    """
    limits, plan, scratch, user = config["limits"], config["sandbox"], str(config["scratch"]), config.get("user") or {}
    os.chdir(scratch)
    os.environ.update(HOME=scratch, TMPDIR=scratch)
    counted = _processes(limits, user)
    layers: list[tuple[str, Callable[[], str]]] = [
        ("descriptors", lambda: close_descriptors({control})),
        ("terminal", no_terminal),
        ("limits", lambda: set_limits(limits, counted)),
        ("namespaces", lambda: apart(limits, "" if plan["forks"] else scratch, user)),
        ("user", lambda: give_up(user)),
        ("no_new_privs", no_new_privileges),
        ("landlock", lambda: confine_files(plan, config["root"], scratch)),
        ("seccomp", lambda: filter_calls(plan, hidden=kind == "unsealer")),
    ]
    if kind == "zygote":
        layers = layers[:2]
    found = {}
    for name, layer in layers:
        if name == "seccomp" and plan["forks"]:
            outlive_parent()
        found[name] = _applied(plan[name], layer)
    return found


def _applied(asked: bool, layer: Callable[[], str]) -> list[Any]:
    if not asked:
        return [False, "not asked for"]
    try:
        return [True, layer()]
    except (OSError, ValueError, AttributeError) as error:
        return [False, getattr(error, "strerror", None) or str(error) or type(error).__name__]


def close_descriptors(keep: set[int]) -> str:
    """Close all but the three standard streams and those to keep."""
    _, ceiling = resource.getrlimit(resource.RLIMIT_NOFILE)
    begin = 3
    for fd in [*sorted(keep), min(ceiling, 1 << 16)]:
        os.closerange(begin, fd)
        begin = fd + 1
    left = [int(name) for name in os.listdir("/proc/self/fd")]
    extra = [fd for fd in left if fd > 2 and fd not in keep and os.path.exists(f"/proc/self/fd/{fd}")]
    if extra:
        raise OSError(0, f"descriptors {extra} are still open")
    return "nothing is open but the standard streams and the control socket"


def no_terminal() -> str:
    """Own session, stdin from nowhere, no controlling terminal to write to."""
    if os.getsid(0) != os.getpid():
        os.setsid()
    if any(os.isatty(fd) for fd in (0, 1, 2)):
        raise OSError(0, "a standard stream is a terminal")
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return "own session; /dev/tty cannot be opened"
    raise OSError(0, "/dev/tty can be opened")


def _processes(limits: dict[str, int], user: dict[str, Any]) -> Optional[int]:
    """How many processes and threads its user may have: few where the user is this child's alone, any where root."""
    if os.geteuid() != 0:
        return limits["processes"]
    return None if user.get("uid") is None else limits["tasks"]


def apart(limits: dict[str, int], scratch: str, user: dict[str, Any]) -> str:
    """Namespaces of its own; where the kernel counts processes for each user namespace, few fit in this one.

    In a mount namespace `scratch` is a small file system of its own; where that cannot be, the console looks after it.
    """
    evidence = namespaces.separate()
    uid, gid = user.get("uid"), user.get("gid")
    owner = (os.geteuid() if uid is None else int(uid), os.getegid() if gid is None else int(gid))
    if scratch:
        try:
            evidence += ", " + namespaces.own_scratch(scratch, limits["scratch"], limits["scratch_files"], *owner)
        except OSError as error:
            evidence += f"; the scratch directory is on the disk ({error.strerror})"
    if os.geteuid() != 0 and namespaces.counts_processes():
        _limit({resource.RLIMIT_NPROC: limits["tasks"]})
    return evidence


def set_limits(limits: dict[str, int], processes: Optional[int]) -> str:
    """Resource limits; both soft and hard, but for processor time, whose soft limit moves on with each request."""
    global _cpu_seconds
    _cpu_seconds = limits["cpu_seconds"]
    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_DATA: limits["memory"],
        resource.RLIMIT_AS: limits["memory"] * limits["address_factor"],
        resource.RLIMIT_NOFILE: limits["files"],
        resource.RLIMIT_FSIZE: limits["file_size"],
    }
    if processes is not None:
        wanted[resource.RLIMIT_NPROC] = processes
    _limit(wanted)
    _be_killed_first()
    memory = resource.getrlimit(resource.RLIMIT_DATA)[0]
    cpu = f", {_cpu_seconds} s of processor time a request" if _cpu_seconds else ""
    return f"{memory >> 20} MiB of memory{cpu}, no core files"


def _limit(wanted: dict[int, int]) -> None:
    for which, value in wanted.items():
        hard = resource.getrlimit(which)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (value, value))


def _be_killed_first() -> None:
    try:
        with open("/proc/self/oom_score_adj", "r+", encoding="ascii") as score:
            if int(score.read()) < KILLED_FIRST:
                score.seek(0)
                score.write(str(KILLED_FIRST))
    except (OSError, ValueError):
        return


def renew_cpu_limit() -> None:
    """Give the next request its processor time."""
    if _cpu_seconds:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        soft = int(usage.ru_utime + usage.ru_stime) + _cpu_seconds + 1
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def confine_files(plan: dict[str, Any], root: str, scratch: str) -> str:
    """Read libraries, write the scratch directory, touch nothing else; proven by trying."""
    read = [*landlock.SYSTEM_READ, *landlock.library_paths(root), *plan["readable"]]
    evidence = landlock.restrict(read, [scratch, *plan["writable"]], programs=bool(plan["forks"]))
    try:
        os.listdir("/")
    except PermissionError:
        return f"{evidence}; listing / is denied, only {scratch} is writable"
    raise OSError(0, f"{evidence}, yet / can be listed")


def filter_calls(plan: dict[str, Any], *, hidden: bool = False) -> str:
    """Deny system calls no model needs; proven by trying to open a socket.

    `hidden` = nobody else of this user may look into the process, which it could not ask for any more afterwards.
    """
    if hidden:
        prctl(PR_SET_DUMPABLE, 0)
    if not plan["forks"]:
        reserve(MEMORY_FILES)
    evidence = seccomp.install(forks=plan["forks"], compiles=plan["compiles"])
    try:
        socket.socket().close()
    except PermissionError:
        if plan["forks"]:
            return f"{evidence}; socket() is denied"
        code = "" if plan["compiles"] else ", code made in memory"
        return f"{evidence}; socket() is denied, so are new processes, files in memory, locks and leases{code}"
    raise OSError(0, f"{evidence}, yet a socket can be made")
