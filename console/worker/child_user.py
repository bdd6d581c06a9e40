"""Who a child is to be: where root starts the console, another user that owns nothing, if that one can run it."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from console.worker.limits import PACKAGE_ROOT

FIRST_UID, LAST_UID = 61184, 65519
"""The numbers that systemd gives to services without a user of their own: no file and no account has one."""
TRIAL = os.path.join(PACKAGE_ROOT, "console", "worker", "child", "readable.py")
TRIAL_SECONDS = 60.0
GIVES_NO_RIGHTS = "root cannot give up its rights"
"""How a trial tells that the kernel let it become nobody else."""
NOT_TRIED = "it could not be tried whether another user can run it"
ENTRIES_LOOKED_AT = 1000


@dataclass(frozen=True, slots=True)
class Identity:
    """The user and group a child becomes; None for the one who started the console, and then `why`.

    `reads_all` says that root without capabilities could not read the libraries either.
    """

    uid: int | None = None
    gid: int | None = None
    why: str = ""
    reads_all: bool = False


class Identities:
    """Finds out once for each interpreter; gives a number of its own to each child. Used from one event loop."""

    def __init__(self) -> None:
        self._trials: dict[str, asyncio.Task[Identity]] = {}
        self._given = os.getpid() * 61

    def find_out(self, python: str, scratch: str) -> None:
        """Begin the trial for this interpreter, if there is something to find out."""
        if os.geteuid() == 0 and python not in self._trials:
            self._trials[python] = asyncio.get_running_loop().create_task(_try(python, scratch, self._next()))

    async def of(self, python: str, scratch: str, readable: Sequence[str] = ()) -> Identity:
        """The identity of a new child of this interpreter that works below `scratch` and has to read `readable`."""
        if os.geteuid() != 0:
            return Identity()
        self.find_out(python, scratch)
        found = await asyncio.shield(self._trials[python])
        if found.uid is None:
            return found
        for path in readable:
            if closed := _closed_to_others(path):
                return Identity(why=f"the mode of {closed} keeps other users from what it has to read")
        uid = self._next()
        return Identity(uid, uid)

    async def close(self) -> None:
        """Wait for trials that still run."""
        await asyncio.gather(*self._trials.values(), return_exceptions=True)

    def _next(self) -> int:
        """A number none of our children has, nor a service of systemd."""
        for _ in range(FIRST_UID, LAST_UID + 1):
            self._given += 1
            uid = FIRST_UID + self._given % (LAST_UID + 1 - FIRST_UID)
            if not os.path.exists(f"/run/systemd/dynamic-uid/{uid}"):
                break
        return uid


def _closed_to_others(path: str) -> str:
    """The first on the way to `path`, or directly in it, whose mode keeps others out; empty when there is none."""
    real = os.path.realpath(path)
    above = real
    while above != "/":
        above = os.path.dirname(above)
        if not os.stat(above).st_mode & stat.S_IXOTH:
            return above
    found = os.stat(real).st_mode
    if not found & stat.S_IROTH or (stat.S_ISDIR(found) and not found & stat.S_IXOTH):
        return real
    if stat.S_ISDIR(found):
        with os.scandir(real) as entries:
            for entry in itertools.islice(entries, ENTRIES_LOOKED_AT):
                if not entry.stat(follow_symlinks=False).st_mode & stat.S_IROTH:
                    return entry.path
    return ""


async def _try(python: str, scratch: str, uid: int) -> Identity:
    command = [python, "-I", TRIAL, PACKAGE_ROOT, scratch, str(uid), str(uid)]
    try:
        done = await asyncio.to_thread(
            subprocess.run, command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TRIAL_SECONDS, env={}
        )
        said = json.loads(done.stdout)
        obstacle, bare = str(said["user"])[:500], str(said["bare_root"])[:500]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        return Identity(why=f"{NOT_TRIED} ({type(error).__name__})")
    if obstacle:
        return Identity(why=obstacle, reads_all=bool(bare))
    return Identity(uid, uid)
