"""The end of what was started: one part that cannot end well keeps no other from it."""

from __future__ import annotations

from contextlib import suppress
from typing import Protocol

from console.errors import ConsoleError


class Part(Protocol):
    """A resource that has something to end."""

    async def close(self) -> None:
        """End it."""


async def close_each(*parts: Part) -> None:
    """Close each, in this order; what cannot be written or asked any more at the end is nobody's trouble."""
    for part in parts:
        with suppress(ConsoleError, OSError):
            await part.close()
