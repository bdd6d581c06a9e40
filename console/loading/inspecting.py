"""An inspector's word, or what its silence makes of a file."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable

from console.errors import ConsoleError
from console.loading.facts import CannotInspect
from console.records import Inspection, Verdict
from console.store.freezing import freeze, keep_opened, memory_to_open
from console.store.sealed import SealedBytes
from console.worker.inspector import Inspectors

_VERDICTS = dict.fromkeys(("unsupported", "unopened", "foreign-format", "not-loadable"), Verdict.UNSUPPORTED)


def plan_in(inspectors: Inspectors) -> Callable[[SealedBytes], Awaitable[Inspection]]:
    """A function that has bytes inspected so that they can be loaded: it gives them their plan, and a skeleton where
    they are not sealed; what is to be loaded at once also keeps what was in its compression."""

    async def plan(content: SealedBytes) -> Inspection:
        name = os.path.basename(content.name)
        found: list[Inspection] = []
        opened = memory_to_open(content)

        async def fill(memory: int | None, room: int) -> bytes:
            inspection, plan = await inspectors.plan(content.fd, name, memory=memory, room=room, opened=opened)
            found.append(inspection)
            return plan

        try:
            if content.sealed:
                content.plan = await fill(None, 0)
            else:
                await freeze(content, fill)
            if opened is not None:
                keep_opened(content, opened)
        except ConsoleError as error:
            raise _cannot_inspect(error) from None
        finally:
            if opened is not None:
                os.close(opened)
        return found[-1]

    return plan


def inspect_in(inspectors: Inspectors) -> Callable[[int, str], Awaitable[Inspection]]:
    """A function that has open bytes inspected; a file that ends or outlasts its inspector counts as damaged."""

    async def inspect(fd: int, name: str) -> Inspection:
        try:
            return await inspectors.inspect(fd, os.path.basename(name))
        except ConsoleError as error:
            raise _cannot_inspect(error) from None

    return inspect


def _cannot_inspect(error: ConsoleError) -> CannotInspect:
    return CannotInspect(_VERDICTS.get(error.code, Verdict.DAMAGED), error.code, error.message)
