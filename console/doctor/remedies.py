"""Remedies for a sandbox layer that this machine does not give."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from console.os_errors import MOUNT_PROC, has_proc
from console.records import Layer
from console.worker.child_user import FIRST_UID, GIVES_NO_RIGHTS, NOT_TRIED

_SYSCTLS = {
    "kernel/apparmor_restrict_unprivileged_userns": (
        "1",
        "AppArmor keeps ordinary users from namespaces: give model-console a profile with `userns,`, or set "
        "`sysctl kernel.apparmor_restrict_unprivileged_userns=0`",
    ),
    "kernel/unprivileged_userns_clone": (
        "0",
        "this kernel keeps ordinary users from namespaces: set `sysctl kernel.unprivileged_userns_clone=1`",
    ),
    "user/max_user_namespaces": (
        "0",
        "no user namespace is allowed here: raise `sysctl user.max_user_namespaces`",
    ),
}
"""File below /proc/sys to the value that forbids user namespaces, and what then helps."""


def next_steps(layers: Mapping[str, Layer], root: Path = Path("/"), uid: int | None = None) -> dict[str, str]:
    """A sentence for each layer that is not active; /proc and /sys are below `root`, `uid` starts the console.

    Without /proc nothing can be told of any layer: that is the step then.
    """
    if not all(layer.active for layer in layers.values()) and not has_proc(os.fspath(root)):
        return {"proc": MOUNT_PROC}
    who = os.geteuid() if uid is None else uid
    steps: dict[str, Callable[[], str]] = {
        "cgroup": lambda: _cgroup(root, who),
        "namespaces": lambda: _namespaces(root, who),
        "user": lambda: _user(root, layers["user"].evidence),
        "landlock": lambda: _landlock(root),
        "seccomp": lambda: "use a kernel with CONFIG_SECCOMP_FILTER, on x86-64 or aarch64",
    }
    missing = [name for name, layer in layers.items() if not layer.active]
    return {name: steps[name]() for name in missing if name in steps}


def _user(root: Path, evidence: str) -> str:
    """By what stood in the way: nobody to become, no right to, or libraries that nobody else can read."""
    if GIVES_NO_RIGHTS in evidence:
        if not _maps(root, FIRST_UID):
            return (
                "this user namespace maps no other user: give the container a range of user ids (for a rootless one, "
                "lines of yours in /etc/subuid and /etc/subgid), or start the console as an ordinary user"
            )
        return (
            "root lacks CAP_SETUID or CAP_SETGID here: give both to the container, or start the console as an ordinary "
            "user"
        )
    if NOT_TRIED in evidence:
        return "see whether the interpreter starts at all, or start the console as an ordinary user"
    return (
        "install Python and the libraries where every user can read them (below /opt or /usr/local, say), or "
        "start the console as an ordinary user"
    )


def _maps(root: Path, uid: int) -> bool:
    """Whether a user of this number can exist in the user namespace; true where that cannot be told."""
    try:
        lines = [[int(number) for number in line.split()] for line in _text(root / "proc/self/uid_map").splitlines()]
        return not lines or any(first <= uid < first + count for first, _outside, count in lines)
    except ValueError:
        return True


def _cgroup(root: Path, uid: int) -> str:
    if uid == 0:
        return "make /sys/fs/cgroup writable: in a container, give it a control group namespace of its own"
    if (root / "run/systemd/system").is_dir():
        return "start the console in a delegated group: `systemd-run --user --scope -p Delegate=yes model-console …`"
    return "have an administrator hand this user a control group with the controllers memory and pids"


def _namespaces(root: Path, uid: int) -> str:
    if uid == 0:
        return "root lacks CAP_SYS_ADMIN here: give it to the container, or start the console as an ordinary user"
    for name, (forbidden, step) in _SYSCTLS.items():
        if _text(root / "proc/sys" / name) == forbidden:
            return step
    return "the container or a security module forbids unshare: allow user namespaces for this program there"


def _landlock(root: Path) -> str:
    modules = _text(root / "sys/kernel/security/lsm")
    if modules and "landlock" not in modules.split(","):
        return f"start the kernel with `lsm=landlock,{modules}`"
    return "use Linux 5.13 or later with CONFIG_SECURITY_LANDLOCK (6.2 or later also guards truncation)"


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except (OSError, ValueError):
        return ""
