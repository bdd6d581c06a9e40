"""A control group for each child: its memory and tasks in one count, and one file that kills all of it.

Version 2 where a subtree is delegated to this user (or this is root), else version 1 where it may be written. Formats
are those of Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst of the kernel.
"""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from console.processes import process_stat
from console.records import Layer
from console.worker.limits import Limits

PREFIX = "model-console-"
CONTROLLERS = ("memory", "pids")
REMOVAL_SECONDS = 1.0
_NAME = re.compile(rf"{PREFIX}([.\d]+)-\d+")


@dataclass(frozen=True, slots=True)
class Place:
    """A directory in which groups can be made, and what those limit: "memory", "pids", or only "kill"."""

    path: Path
    serves: tuple[str, ...]
    version: int


@dataclass(slots=True)
class Group:
    """The group of one child: one directory for each hierarchy."""

    directories: list[tuple[Path, Place]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Its name, as /proc/PID/cgroup shows it."""
        return self.directories[0][0].name if self.directories else ""

    def join(self, pid: int, limits: Limits) -> Layer:
        """Set the limits and move the process in, before it is told anything."""
        held: set[str] = set()
        for directory, place in list(self.directories):
            try:
                for name, value in _settings(place, limits):
                    _write(directory / name, value)
                _write(directory / "cgroup.procs", str(pid))
                held.update(place.serves)
            except OSError as error:
                self.problems.append(f"{directory}: {error.strerror}")
        missing = [name for name in CONTROLLERS if name not in held]
        if missing:
            why = "; ".join(self.problems) or "no group to be had"
            return Layer(False, f"no limit on {' and '.join(missing)}: {why}")
        memory = (limits.memory + limits.group_extra + limits.handed) >> 20
        kill = ", killed as one" if "kill" in held else ""
        return Layer(True, f"{self.name}: {memory} MiB and {limits.tasks} tasks in all{kill}")

    def oom_kills(self) -> int:
        """How many of its processes the kernel killed because its memory limit was reached."""
        for directory, place in self.directories:
            if "memory" in place.serves:
                name = "memory.events" if place.version == 2 else "memory.oom_control"
                with suppress(OSError, ValueError):
                    counts = dict(line.split() for line in (directory / name).read_text("ascii").splitlines())
                    return int(counts.get("oom_kill", 0))
        return 0

    def kill(self) -> None:
        """End every process in it."""
        for directory, _place in self.directories:
            with suppress(OSError):
                if (directory / "cgroup.kill").exists():
                    _write(directory / "cgroup.kill", "1")
                else:
                    for pid in (directory / "cgroup.procs").read_text("ascii").split():
                        os.kill(int(pid), signal.SIGKILL)

    def remove(self) -> bool:
        """Remove its directories; false when the kernel still counts a process in one."""
        left = []
        for directory, place in self.directories:
            try:
                directory.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                left.append((directory, place))
        self.directories = left
        return not left


class Groups:
    """Makes groups; looks for places when the first is wanted. One for each launcher."""

    def __init__(self) -> None:
        self._places: list[Place] | None = None
        self._finding = threading.Lock()
        self._why: list[str] = []
        self._made = 0
        self._left: list[Group] = []

    def new(self) -> Group:
        """A group without limits or processes; its `problems` say what could not be had."""
        places = self._found()
        self._made += 1
        group = Group(problems=list(self._why))
        for place in places:
            directory = place.path / f"{PREFIX}{owner()}-{self._made}"
            try:
                directory.mkdir()
            except OSError as error:
                group.problems.append(f"{place.path}: {error.strerror}")
            else:
                group.directories.append((directory, place))
        return group

    def end_abandoned(self) -> int:
        """End what is left in the groups of consoles that were killed, and remove those; how many processes."""
        return sum(_end_abandoned(place) for place in self._found())

    def _found(self) -> list[Place]:
        with self._finding:
            if self._places is None:
                self._places, self._why = find_places()
        return self._places

    def end(self, group: Group) -> None:
        """Kill what is left of it and remove it, now or when the next one ends."""
        group.kill()
        self._left = [one for one in (*self._left, group) if not one.remove()]

    def close(self) -> None:
        """Remove what is left, waiting a moment for the kernel to have buried the last process."""
        until = time.monotonic() + REMOVAL_SECONDS
        while self._left and time.monotonic() < until:
            self._left = [one for one in self._left if not one.remove()]
            time.sleep(0.005 if self._left else 0)


def find_places(
    membership: str = "/proc/self/cgroup", mounts: str = "/proc/self/mountinfo"
) -> tuple[list[Place], list[str]]:
    """Where this process may make groups, and why not where it may not."""
    try:
        own = dict(_memberships(Path(membership).read_text("utf-8", "surrogateescape")))
        mounted = list(_mounts(Path(mounts).read_text("utf-8", "surrogateescape")))
    except (OSError, ValueError) as error:
        return [], [f"control groups cannot be read: {error}"]
    places: list[Place] = []
    problems: list[str] = []
    for controllers, root, point in mounted:
        version = 1 if controllers else 2
        serves = tuple(name for name in CONTROLLERS if name in controllers)
        if (version == 1 and not serves) or any(set(serves) & set(place.serves) for place in places):
            continue
        group = own.get(next(iter(serves), ""), "")
        directory = Path(point, os.path.relpath(group, root)) if group.startswith(root) else Path(point)
        found = _delegated(directory, Path(point)) if version == 2 else _writable(directory, serves)
        if isinstance(found, Place):
            places.append(found)
        else:
            problems.append(found)
    return places, [] if {name for place in places for name in place.serves} >= set(CONTROLLERS) else problems


def _memberships(text: str) -> Iterator[tuple[str, str]]:
    """Controller (or "" for version 2) to this process's group."""
    for line in text.splitlines():
        _number, controllers, path = line.split(":", 2)
        for name in controllers.split(","):
            yield name, path


def _mounts(text: str) -> Iterator[tuple[frozenset[str], str, str]]:
    """Mounted hierarchies: controllers (none for version 2), root within the hierarchy, mount point."""
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        kind, _source, options = after.split(" ", 2)
        if kind in ("cgroup", "cgroup2"):
            root, point = before.split(" ")[3:5]
            yield frozenset(options.split(",")) if kind == "cgroup" else frozenset(), root, point


def _writable(directory: Path, serves: tuple[str, ...]) -> Place | str:
    if os.access(directory, os.W_OK) and os.access(directory / "cgroup.procs", os.W_OK):
        return Place(directory, serves, 1)
    return f"{directory} may not be written"


def _delegated(own: Path, top: Path) -> Place | str:
    """The nearest group at or above our own whose new groups can be limited, and that is ours to write."""
    for directory in (own, *own.parents):
        if _ours(directory) and _enabled(directory):
            return Place(directory, (*CONTROLLERS, "kill"), 2)
        if directory == top:
            break
    if _ours(own) and _words(own / "cgroup.controllers") >= set(CONTROLLERS) and _made_room(own):
        return Place(own, (*CONTROLLERS, "kill"), 2)
    if _ours(own) and not _words(top / "cgroup.controllers") >= set(CONTROLLERS):
        return Place(own, ("kill",), 2)
    return f"no group at or above {own} is delegated to this user"


def _ours(directory: Path) -> bool:
    return os.access(directory, os.W_OK) and os.access(directory / "cgroup.procs", os.W_OK)


def _enabled(directory: Path) -> bool:
    return _words(directory / "cgroup.subtree_control") >= set(CONTROLLERS)


def _made_room(own: Path) -> bool:
    """Move this process, if it is alone in its group, into a leaf of it: only then may the group limit others."""
    try:
        if _words(own / "cgroup.procs") != {str(os.getpid())}:
            return False
        leaf = own / f"{PREFIX}itself"
        leaf.mkdir(exist_ok=True)
        _write(leaf / "cgroup.procs", str(os.getpid()))
        _write(own / "cgroup.subtree_control", " ".join(f"+{name}" for name in CONTROLLERS))
    except OSError:
        return False
    return _enabled(own)


def _words(path: Path) -> set[str]:
    try:
        return set(path.read_text("ascii").split())
    except (OSError, ValueError):
        return set()


def _settings(place: Place, limits: Limits) -> Iterator[tuple[str, str]]:
    """The files of a group and what goes into them."""
    if "memory" in place.serves:
        memory = str(limits.memory + limits.group_extra + limits.handed)
        yield ("memory.max" if place.version == 2 else "memory.limit_in_bytes"), memory
        if place.version == 2:
            yield "memory.oom.group", "1"
    if "pids" in place.serves:
        yield "pids.max", str(limits.tasks)


def _write(path: Path, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode("ascii"))
    finally:
        os.close(fd)


def started(pid: int) -> int:
    """When a process was started, in ticks since the machine was; 0 where there is none of that id."""
    try:
        return process_stat(pid).started
    except (OSError, ValueError, IndexError):
        return 0


def owner() -> str:
    """Which process this is, for the name of something that is to go with it: its id, when it was started, and the PID
    namespace in which that id holds."""
    return f"{os.getpid()}.{started(os.getpid())}.{_namespace()}"


def is_gone(said: str) -> bool:
    """Whether the process that called itself so is gone; false where that cannot be told from here."""
    try:
        pid, start, namespace = map(int, said.split("."))
    except ValueError:
        return False
    return namespace == _namespace() and started(pid) != start


def _namespace() -> int:
    """The number of this process's PID namespace; 0 where it cannot be told."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0


def _end_abandoned(place: Place) -> int:
    """End and remove the groups of consoles that are gone; of those in another PID namespace nobody here can tell."""
    ended = 0
    with suppress(OSError):
        for directory in place.path.glob(f"{PREFIX}*"):
            match = _NAME.fullmatch(directory.name)
            if match and is_gone(match[1]):
                ended += _end_group(Group([(directory, place)]))
    return ended


def _end_group(group: Group) -> int:
    """Kill what is in a group until it can be removed, within a moment; how many processes that were."""
    seen: set[str] = set()
    until = time.monotonic() + REMOVAL_SECONDS
    while True:
        for directory, _place in group.directories:
            seen |= _words(directory / "cgroup.procs")
        group.kill()
        if group.remove() or time.monotonic() > until:
            return len(seen)
        time.sleep(0.005)
