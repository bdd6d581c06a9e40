"""A client of an engine in a process of its own: `python -m tests.engine.client_process WHAT SOCKET [UID]`.

It becomes the user, does one thing and says on a line what came of it.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path

from console.engine.remote import RemoteEngine
from console.errors import ConsoleError


def become(uid: int) -> None:
    """Be another user, in no group but theirs."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


async def follow(path: Path) -> None:
    """Read a stream to its end."""
    engine = await RemoteEngine.connect(path)
    async for _ in engine.follow():
        print("item", flush=True)


async def columns(path: Path) -> None:
    """Ask for a file in the store, and for one outside."""
    try:
        engine = await RemoteEngine.connect(path)
    except ConsoleError as error:
        print(type(error).__name__)
        return
    for data in (path.parent / "rows.csv", Path("/etc/shadow")):
        try:
            await engine.data.columns("a.pkl", str(data))
            print("answered", flush=True)
        except ConsoleError as error:
            print(type(error).__name__, error.message, flush=True)
    await engine.close()


async def listen(path: Path) -> None:
    """Pretend to be an engine."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        sock.listen()
        print("listening", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    what = {"follow": follow, "columns": columns, "listen": listen}[sys.argv[1]]
    if len(sys.argv) > 3:
        become(int(sys.argv[3]))
    asyncio.run(what(Path(sys.argv[2])))
