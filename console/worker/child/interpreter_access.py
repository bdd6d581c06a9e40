"""Asked once for an interpreter, as root: can a user without rights run it and read its libraries?

`python -I interpreter_access.py ROOT SCRATCH UID GID` prints a JSON object: `user` and `bare_root` are each "" when
they can read all, else why not. Two forks try it with the kernel's own word: one as that user, one as root without
capabilities.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Callable, Optional

sys.dont_write_bytecode = True
FILES = (".py", ".so")


def main() -> None:
    """Try both and print what was found."""
    root, scratch, uid, gid = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    sys.path.insert(0, root)
    from console.worker.child.sandbox import landlock, privileges

    sys.path.remove(root)
    directories = [path for path in sys.path if path] + [os.path.join(root, one) for one in ("backends", "console")]
    directories += landlock.mapped_directories()
    needed = [os.path.realpath(path) for path in (sys.executable, scratch, *directories)]
    found = {
        "user": _as(lambda: privileges.become(uid, gid), needed),
        "bare_root": _as(privileges.drop_capabilities, needed),
    }
    print(json.dumps(found))  # noqa: T201 - the answer


def _as(give_up: Callable[[], None], needed: list[str]) -> str:
    """In a fork: lose the rights, then look. The answer comes through a pipe."""
    reader, writer = os.pipe()
    said = "the trial broke off"
    pid = os.fork()
    if pid == 0:
        try:
            give_up()
            said = _obstacle(*needed) or ""
        except OSError as error:
            said = f"root cannot give up its rights ({error.strerror or error})"
        finally:
            os.write(writer, said.encode("utf-8", "surrogateescape")[:2000])
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        told = answer.read().decode("utf-8", "backslashreplace")
    return told if os.waitpid(pid, 0)[1] == 0 else said


def _obstacle(executable: str, scratch: str, *directories: str) -> Optional[str]:
    """The first thing that stands in the way, in words; None when there is nothing."""
    if not os.access(executable, os.X_OK):
        return f"{_barrier(executable)} keeps other users from running {executable}"
    if not os.access(scratch, os.X_OK):
        return f"{_barrier(scratch)} keeps other users from the scratch directory"
    for path in _needed(directories):
        if not os.access(path, os.R_OK):
            return f"{_barrier(path)} keeps other users from reading the libraries"
    return None


def _needed(directories: Sequence[str]) -> Iterator[str]:
    """The directories and what below them an import may read; what does not exist is needed by nobody."""
    for top in dict.fromkeys(directories):
        if not _exists(top):
            continue
        yield top
        stack = [top] if os.path.isdir(top) else []
        while stack:
            with os.scandir(stack.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        yield entry.path
                        stack.append(entry.path)
                    elif entry.name.endswith(FILES):
                        yield entry.path


def _exists(path: str) -> bool:
    """Whether there is something, or may be: a path one may not look at counts as there."""
    try:
        os.stat(path)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def _barrier(path: str) -> str:
    """The topmost directory on the way that may not be entered, else the path, with its mode."""
    parts = path.split("/")
    for count in range(2, len(parts)):
        above = "/".join(parts[:count])
        if not os.access(above, os.X_OK):
            return f"{above} (mode {os.stat(above).st_mode & 0o7777:04o})"
    return path


if __name__ == "__main__":
    main()
