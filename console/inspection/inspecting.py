"""An inspector's word, or what its end makes of a file; the machine's failures make nothing of it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from backends.core.compression import compression_of
from console.errors import ConsoleError, OperationError
from console.files.directories import OpenedDirectory
from console.files.snapshot import Snapshot, frozen, new_memory
from console.free_memory import free_memory
from console.inspection.service import CannotInspect
from console.records import ArrayNorm, Inspection, Verdict
from console.worker.inspector import Inspectors, NotInspected

_LEAST = 256 << 20

Fill = Callable[[int, int], Awaitable[bytes]]
"""Has the file read into the memory at this descriptor, at most so many bytes of it; answers with the load plan."""


async def freeze(content: Snapshot, fill: Fill) -> None:
    """Give `content`, a file that is not sealed, its skeleton and plan. Raises OperationError, and what `fill`
    raises."""
    memory = new_memory(os.path.basename(content.name))
    try:
        os.ftruncate(memory, content.size)
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
        plan = await fill(memory, room())
        if content.skeleton >= 0:
            os.close(content.skeleton)
        content.skeleton, content.plan = frozen(memory, content.name), plan
    finally:
        os.close(memory)


def memory_to_open(content: Snapshot) -> int | None:
    """Empty memory for what a compression in `content` holds, the caller's to close; None where none is needed or to
    be had."""
    if content.to_load:
        with suppress(OperationError, OSError):
            if compression_of(os.pread(content.fd, 16, 0)) is not None:
                return new_memory(f"opened {os.path.basename(content.name)}")
    return None


def keep_opened(content: Snapshot, memory: int) -> None:
    """Give `content` what its inspector put there, sealed.

    It goes without where that is nothing, too much, or memory that somebody could still write to.
    """
    if os.fstat(memory).st_size == 0:
        return
    with suppress(OperationError):
        sealed = frozen(memory, content.name)
        if os.fstat(sealed).st_size <= room():
            content.decompressed_fd = sealed
        else:
            os.close(sealed)


def room() -> int:
    """The most bytes of one file to seal: half of what memory is available now."""
    return max(_LEAST, (free_memory() or 0) >> 1)


VERDICTS = {
    "not-inspected": None,
    **dict.fromkeys(
        ("foreign-format", "no-model", "not-loadable", "out-of-memory", "unopened", "unsupported"), Verdict.UNSUPPORTED
    ),
}
"""What an error makes of the file; any other makes it damaged."""
_ENDED = ("died", "hang", "out-of-memory", "protocol", "cpu-limit", "file-limit")
"""How an inspector ends over a file, or by chance while it has that file: a second, new one tells which."""

_Told = TypeVar("_Told")


def plan_in(inspectors: Inspectors) -> Callable[[Snapshot], Awaitable[Inspection]]:
    """A function that has bytes inspected so that they can be loaded: it gives them their plan, and a skeleton where
    they are not sealed; what is to be loaded at once also keeps what was in its compression."""

    async def plan(content: Snapshot) -> Inspection:
        return await _twice(lambda anew: once(content, anew))

    async def once(content: Snapshot, anew: bool) -> Inspection:
        name = os.path.basename(content.name)
        found: list[Inspection] = []
        opened = memory_to_open(content)

        async def fill(memory: int | None, room: int) -> bytes:
            inspection, plan = await inspectors.plan(
                content.fd, name, memory=memory, room=room, opened=opened, anew=anew
            )
            found.append(inspection)
            return plan

        try:
            if content.sealed:
                content.plan = await fill(None, 0)
            else:
                await freeze(content, fill)
            if opened is not None:
                keep_opened(content, opened)
        finally:
            if opened is not None:
                os.close(opened)
        return found[-1]

    return plan


def inspect_in(inspectors: Inspectors) -> Callable[[int, str], Awaitable[Inspection]]:
    """A function that has open bytes inspected; a file that ends or outlasts two inspectors counts as damaged."""

    async def inspect(fd: int, name: str) -> Inspection:
        return await _twice(lambda anew: inspectors.inspect(fd, os.path.basename(name), anew=anew))

    return inspect


def norms_in(inspectors: Inspectors) -> Callable[[int, str], Awaitable[dict[str, ArrayNorm]]]:
    """A function that has the norms of a file's arrays taken; none of one that its inspector cannot read to its end."""

    async def norms(fd: int, name: str) -> dict[str, ArrayNorm]:
        try:
            return await inspectors.norms(fd, os.path.basename(name))
        except ConsoleError:
            return {}

    return norms


def inspect_directory_in(inspectors: Inspectors) -> Callable[[OpenedDirectory], Awaitable[Inspection]]:
    """The same of an artifact that is a directory."""

    async def inspect(opened: OpenedDirectory) -> Inspection:
        members = {name: member.fd for name, member in opened.members.items()}
        name = os.path.basename(opened.name)
        return await _twice(lambda anew: inspectors.inspect_directory(members, name, anew=anew))

    return inspect


async def _twice(ask: Callable[[bool], Awaitable[_Told]]) -> _Told:
    """Ask an inspector, and where it ended over the file or by chance, a new one. Raises CannotInspect."""
    try:
        return await ask(False)
    except ConsoleError as error:
        if error.code not in (*_ENDED, NotInspected.code):
            raise _cannot_inspect(error) from None
    try:
        return await ask(True)
    except ConsoleError as error:
        raise _cannot_inspect(error) from None


def _cannot_inspect(error: ConsoleError) -> CannotInspect:
    message = error.message
    if error.code in _ENDED:
        message += "; a second inspector, started for this file alone, ended like that as well"
    elif error.code == NotInspected.code:
        message = f"not inspected, because {message}" + (f"; {error.hint}" if error.hint else "")
    return CannotInspect(VERDICTS.get(error.code, Verdict.DAMAGED), error.code, message)
