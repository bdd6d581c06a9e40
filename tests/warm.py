"""Libraries loaded once for all engines of a session: what is safe is forked from there, as in a running console."""

from __future__ import annotations

import sys
from typing import Any

from console.engine import Engine
from console.worker.launcher import Launcher
from console.worker.zygote import Zygote

__all__ = ["Lent", "lend"]


class Lent(Zygote):
    """Somebody else's zygote: whoever borrows it does not end it."""

    def __init__(self, zygote: Zygote) -> None:
        self.__dict__: dict[str, Any] = zygote.__dict__

    async def close(self) -> None:
        """It is not the borrower's."""


def lend(zygote: Zygote, to: Engine | Launcher) -> None:
    """Have an engine's safe models forked from here. It must run in the event loop the zygote was started in."""
    launcher = to._launcher if isinstance(to, Engine) else to
    launcher._zygotes[sys.executable] = Lent(zygote)
