"""The end of what was started: descriptors that are closed, and parts none of which keeps another from its end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from console.errors import ConsoleError


@contextmanager
def closing_fd(fd: int) -> Iterator[int]:
    """The descriptor, which is closed at the end."""
    try:
        yield fd
    finally:
        os.close(fd)


class Part(Protocol):
    """A resource that has something to end."""

    async def close(self) -> None:
        """End it."""


async def close_each(*parts: Part) -> None:
    """Close each, in this order; what cannot be written or asked any more at the end is nobody's trouble."""
    for part in parts:
        with suppress(ConsoleError, OSError):
            await part.close()
