"""Another user's program: `python -m tests.engine.other_user SOCKET UID GROUPS CALLS`.

It becomes that user, asks the engine at the socket, and prints what came of each call: the answer's type, or the error
with its sentence. Groups and calls are JSON: `[gid, …]` and `[["room.method", {"argument": …}], …]`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from operator import attrgetter
from pathlib import Path
from typing import Any

from console.engine import protocol
from console.engine.codec import decode
from console.engine.remote import RemoteEngine
from console.errors import ConsoleError


async def ask(path: Path, calls: list[tuple[str, dict[str, Any]]]) -> list[list[str]]:
    """The outcome of each call."""
    engine = await RemoteEngine.connect(path)
    told = []
    for name, given in calls:
        method = protocol.method(name)
        arguments = decode(json.dumps(given).encode(), method.takes)
        try:
            called = attrgetter(name)(engine)(**{one: getattr(arguments, one) for one in given})
            answer = [item async for item in called] if method.streams else await called
            told.append([type(answer).__name__, str(answer)])
        except ConsoleError as error:
            told.append([type(error).__name__, error.message])
    await engine.close()
    return told


def main() -> None:
    """Become the user, and ask."""
    _, path, uid, groups, calls = sys.argv
    protocol.rooms()
    os.setgroups(json.loads(groups))
    os.setresgid(int(uid), int(uid), int(uid))
    os.setresuid(int(uid), int(uid), int(uid))
    print(json.dumps(asyncio.run(ask(Path(path), json.loads(calls)))))


if __name__ == "__main__":
    main()
