"""An inspector's word, or what its silence makes of a file."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable

from console.errors import ConsoleError
from console.loading.facts import CannotInspect
from console.records import Inspection, Verdict
from console.worker.inspector import Inspectors

_VERDICTS = {"unsupported": Verdict.UNSUPPORTED, "not-loadable": Verdict.UNSUPPORTED}


def inspect_in(inspectors: Inspectors) -> Callable[[int, str], Awaitable[Inspection]]:
    """A function that has open bytes inspected; a file that ends or outlasts its inspector counts as damaged."""

    async def inspect(fd: int, name: str) -> Inspection:
        try:
            return await inspectors.inspect(fd, os.path.basename(name))
        except ConsoleError as error:
            verdict = _VERDICTS.get(error.code, Verdict.DAMAGED)
            raise CannotInspect(verdict, error.code, error.message) from None

    return inspect
