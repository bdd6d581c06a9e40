"""Data files of a store, found by their names: those nearest to an artifact first; and paths completed as typed."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from console.files.filename_rules import is_hidden, is_named_as_data
from console.files.opening import identity_of
from console.records import FileIdentity, TypedPath

_MOST_FOUND = 50_000
_MOST_SEEN = 500_000
"""Names of a store that are looked at, and data files that are listed."""
_MOST_CHOICES = 2_000
_AT_ONCE = 500


class NearestFirst:
    """A walk over the data files of the store at `root`: those beside the artifact, those in the directories above it,
    then those below, level by level. Its paths are relative to the store.

    `bounded` tells in the end whether there may be more. Links are listed where they lead to a file, and never walked.
    """

    def __init__(self, root: Path, artifact: str, *, found: int = _MOST_FOUND, seen: int = _MOST_SEEN) -> None:
        self._root = root
        self._artifact = artifact
        self._found_left = found
        self._seen_left = seen
        self.bounded = False

    def batches(self, stopped: Callable[[], bool] = lambda: False) -> Iterator[list[str]]:
        """A few files at a time, until all are found, the bounds are met, or somebody does not want more."""
        above, here = [], os.path.dirname(self._artifact)
        while here:
            above.append(here)
            here = os.path.dirname(here)
        above.append("")
        waiting: deque[str] = deque()
        done = set(above)
        for directory in above:
            yield from self._look(directory, waiting, stopped)
        while waiting and not self.bounded and not stopped():
            directory = waiting.popleft()
            if directory not in done:
                yield from self._look(directory, waiting, stopped)

    def _look(self, directory: str, waiting: deque[str], stopped: Callable[[], bool]) -> Iterator[list[str]]:
        files: list[str] = []
        children: list[str] = []
        beneath = f"{directory}/" if directory else ""
        with suppress(OSError), os.scandir(self._root / directory) as entries:
            for entry in entries:
                self._seen_left -= 1
                if self._seen_left < 0 or self._found_left <= 0:
                    self.bounded = True
                    break
                if not self._seen_left % _AT_ONCE and stopped():
                    break
                if is_hidden(entry.name):
                    continue
                with suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        children.append(beneath + entry.name)
                    elif is_named_as_data(entry.name) and beneath + entry.name != self._artifact and entry.is_file():
                        files.append(beneath + entry.name)
                        self._found_left -= 1
        files.sort()
        waiting.extend(sorted(children))
        for start in range(0, len(files), _AT_ONCE):
            yield files[start : start + _AT_ONCE]


def typed_path(root: Path, typed: str) -> str:
    """The path that is meant by what was typed: `~` is a home, and what is not absolute is relative to the store."""
    return os.path.normpath(os.path.join(root, os.path.expanduser(typed)))


def is_in_store(root: Path, typed: str) -> bool:
    """Whether a path that is being typed leads, links followed, to what lies in the store at `root`."""
    whole = "" if "\0" in typed else os.path.realpath(typed_path(root, typed))
    return Path(whole).is_relative_to(os.path.realpath(root))


def as_typed(root: Path, typed: str) -> TypedPath:
    """The file that is meant by a path that is being typed, and how it may go on."""
    choices = completions(root, typed) if typed else []
    path = typed_path(root, typed) if typed and "\0" not in typed else ""
    return TypedPath(
        path,
        bool(path) and identity_at(path) is not None,
        tuple(choices),
        tuple(typed_path(root, one) for one in choices),
        tuple(one.endswith("/") or is_named_as_data(one) for one in choices),
        completed(root, typed) if typed else "",
    )


def completions(root: Path, typed: str) -> list[str]:
    """Completions of a typed path, written as it was typed: directories, then files, data before others."""
    if typed.startswith("~") and "/" not in typed:
        return [typed + "/"] if os.path.isdir(os.path.expanduser(typed)) else []
    folder, slash, start = typed.rpartition("/")
    base = os.path.expanduser(folder + slash) if slash else ""
    ranked: list[tuple[int, str]] = []
    with suppress(OSError, ValueError), os.scandir(root / base) as entries:
        for entry in entries:
            if not entry.name.startswith(start) or (entry.name.startswith(".") and not start):
                continue
            with suppress(OSError):
                if entry.is_dir():
                    ranked.append((0, entry.name + "/"))
                elif entry.is_file():
                    ranked.append((1 if is_named_as_data(entry.name) else 2, entry.name))
            if len(ranked) >= _MOST_CHOICES:
                break
    return [folder + slash + name for _rank, name in sorted(ranked)]


def completed(root: Path, typed: str) -> str:
    """The typed path, and as much more as all data files and directories that it may mean have in common."""
    choices = completions(root, typed)
    likely = [one for one in choices if one.endswith("/") or is_named_as_data(one)] or choices
    return os.path.commonprefix(likely) or typed  # noqa: RUF071 (characters are what is typed)


def identity_at(path: str) -> FileIdentity | None:
    """The identity of a regular file, without opening it; None where there is none."""
    with suppress(OSError, ValueError):
        status = os.stat(path)
        if stat.S_ISREG(status.st_mode):
            return identity_of(status)
    return None


def moved_to(identity: FileIdentity, path: str) -> str | None:
    """Where a file that stood at `path` stands now, if it was renamed within its directory."""
    directory = os.path.dirname(path)
    with suppress(OSError), os.scandir(directory) as entries:
        for _, entry in zip(range(_MOST_CHOICES), entries, strict=False):
            if entry.inode() == identity.inode and is_same_file(identity, identity_at(entry.path)):
                return entry.path
    return None


def is_same_file(one: FileIdentity, other: FileIdentity | None) -> bool:
    """Whether two looks were at one file with one content: a name that changes leaves all of this as it is."""
    return other is not None and one[:-1] == other[:-1]
