"""Libraries loaded once for all engines of a session: what is safe is forked from there, as in a running console.

Whoever uses it runs in the session's event loop, the one the zygote was started in.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from console.config import Settings
from console.engine.local import Engine
from console.worker.launcher import Launcher
from console.worker.zygote import Zygote

__all__ = ["Opening", "opening", "zygote"]

Opening = Callable[..., Awaitable[Engine]]


class _Lent(Zygote):
    """Somebody else's zygote: whoever borrows it does not end it."""

    def __init__(self, zygote: Zygote) -> None:
        self.__dict__: dict[str, Any] = zygote.__dict__

    async def close(self) -> None:
        """It is not the borrower's."""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def zygote() -> AsyncIterator[Zygote]:
    """Libraries loaded, ready to fork."""
    launcher = Launcher()
    found = launcher.warm()
    await found.warmed()
    yield found
    await launcher.close()


@pytest.fixture(scope="session")
def opening(zygote: Zygote) -> Opening:
    """Opens engines that fork from the common zygote."""

    async def opened(root: Path, settings: Settings | None = None, **options: Any) -> Engine:
        engine = await Engine.open(root, settings or Settings(warm=False), **options)
        engine._launcher._zygotes[sys.executable] = _Lent(zygote)
        return engine

    return opened
