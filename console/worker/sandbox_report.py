"""The layers that a child claims, checked against what the kernel shows of it and against its self-test."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from console.processes import process_stat
from console.records import LAYERS, Layer
from console.worker.child_user import Identity
from console.worker.limits import Limits

TEXT_CAP = 500
_NAMESPACES = ("net", "ipc", "uts")
_PROVES = {
    "canary": "landlock",
    "write": "landlock",
    "socket": "seccomp",
    "fork": "seccomp",
    "exec": "seccomp",
    "memory": "seccomp",
    "code": "seccomp",
}
"""Items of the self-test to the layer that does not hold where they fail."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The sandbox that was asked for, to be found again from outside."""

    pid: int
    limits: Limits
    identity: Identity
    group: str = ""


def layers_of(
    said: object,
    ours: Mapping[str, Layer],
    selftest: Mapping[str, Layer],
    failed: frozenset[str],
    expected: Expected,
) -> dict[str, Layer]:
    """The layers a child claims and those we put on; one that the kernel or the self-test denies is inactive.

    `failed` names the items of the self-test that were tried and not denied.
    """
    claimed = {**_records(said), **ours}
    found = {}
    for name in LAYERS:
        layer = claimed.get(name)
        if layer is not None and layer.active:
            denial = _denial(name, expected) or _undone(name, selftest, failed)
            layer = Layer(False, denial) if denial else layer
        if layer is not None:
            found[name] = layer
    return found


def selftest_of(said: object) -> tuple[dict[str, Layer], frozenset[str]]:
    """The items of the self-test, active where denied, and the names of those that were tried and not denied."""
    found = _records(said)
    tried = said.items() if isinstance(said, dict) else ()
    failed = {str(name)[:40] for name, item in tried if isinstance(item, list) and item and item[0] is False}
    return found, frozenset(failed)


def _records(said: object) -> dict[str, Layer]:
    found = {}
    for name, item in said.items() if isinstance(said, dict) else ():
        if isinstance(item, list) and len(item) == 2 and isinstance(item[1], str):
            found[str(name)[:40]] = Layer(item[0] is True, item[1][:TEXT_CAP])
    return found


def _undone(name: str, selftest: Mapping[str, Layer], failed: frozenset[str]) -> str:
    items = [item for item, layer in _PROVES.items() if layer == name and item in failed]
    return f"it claims to be on, yet {selftest[items[0]].evidence}" if items and items[0] in selftest else ""


def _denial(name: str, expected: Expected) -> str:
    """Evidence of the kernel against this layer; empty where there is none, or nothing can be seen of it."""
    try:
        check = _CHECKS.get(name)
        return check(expected) if check is not None else ""
    except (OSError, ValueError, KeyError, IndexError) as error:
        return f"nothing can be seen of it from outside ({type(error).__name__})"


def _terminal(expected: Expected) -> str:
    stat = process_stat(expected.pid)
    if stat.session == expected.pid and not stat.terminal:
        return ""
    return f"the kernel says session {stat.session}, tty {stat.terminal}"


def _limits(expected: Expected) -> str:
    wanted = {"Max core file size": 0, "Max data size": expected.limits.memory, "Max open files": expected.limits.files}
    with open(f"/proc/{expected.pid}/limits", encoding="ascii") as lines:
        for line in lines:
            name, words = line[:25].rstrip(), line[25:].split()
            if name in wanted and (words[1] == "unlimited" or int(words[1]) > wanted[name]):
                return f"the kernel says {name}: {words[1]}"
    return ""


def _cgroup(expected: Expected) -> str:
    with open(f"/proc/{expected.pid}/cgroup", encoding="utf-8", errors="surrogateescape") as lines:
        inside = any(line.rstrip("\n").endswith(f"/{expected.group}") for line in lines)
    return "" if inside else "the kernel shows it in another group"


def _namespaces(expected: Expected) -> str:
    wanted = _NAMESPACES if os.geteuid() == 0 else (*_NAMESPACES, "user")
    for name in wanted:
        if os.readlink(f"/proc/{expected.pid}/ns/{name}") == os.readlink(f"/proc/self/ns/{name}"):
            return f"the kernel shows the console's own {name} namespace"
    return ""


def _user(expected: Expected) -> str:
    status = status_of(expected.pid)
    uids, groups = set(status["Uid"].split()), status["Groups"].split()
    if int(status["CapEff"], 16) | int(status["CapPrm"], 16):
        return f"the kernel says CapEff: {status['CapEff']}"
    wanted = os.geteuid() if expected.identity.uid is None else expected.identity.uid
    if uids != {str(wanted)}:
        return f"the kernel says Uid: {' '.join(sorted(uids))}"
    if expected.identity.uid is not None and groups:
        return f"the kernel says Groups: {' '.join(groups)}"
    return ""


def _status_is(key: str, wanted: str, expected: Expected) -> str:
    found = status_of(expected.pid).get(key)
    return "" if found == wanted else f"the kernel says {key}: {found}"


_CHECKS: dict[str, Callable[[Expected], str]] = {
    "terminal": _terminal,
    "limits": _limits,
    "cgroup": _cgroup,
    "namespaces": _namespaces,
    "user": _user,
    "no_new_privs": partial(_status_is, "NoNewPrivs", "1"),
    "seccomp": partial(_status_is, "Seccomp", "2"),
}


def status_of(pid: int) -> dict[str, str]:
    """/proc/PID/status by key. Raises OSError."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as lines:
        return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}
