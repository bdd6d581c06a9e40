"""An engine as a client in another process sees it: whatever is asked and answered goes through a socket."""

from __future__ import annotations

import socket

from console.engine.api import EngineApi
from console.engine.remote import RemoteEngine
from console.engine.server import EngineServer


def through_bytes(engine: EngineApi) -> EngineApi:
    """The same engine at the other end of a pair of sockets; it ends with its client."""
    ours, theirs = socket.socketpair()
    server = EngineServer(engine)
    server.adopt(ours, front=False)
    client = _OnlyClient.on(theirs)
    client.server = server
    return client


class _OnlyClient(RemoteEngine):
    """The one client of an engine in this process."""

    server: EngineServer

    async def close(self) -> None:
        """End the connection and the engine."""
        await super().close()
        await self.server.close()
        await self.server.engine.close()
