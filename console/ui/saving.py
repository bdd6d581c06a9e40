"""Files that the operator asked for: new, whole, readable by nobody else, and written while no key waits."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from console import os_errors
from console.config import state_dir
from console.durable import own_directory, put_new
from console.errors import ConsoleError, OperationError
from console.safe_text import in_utf8

if TYPE_CHECKING:
    from console.ui.running import ConsoleApp

_SLOW_SECONDS = 1.0
"""A disk that takes longer is told of."""
_MOST_NUMBER = 100


def exports() -> Path:
    """Where data and screens go: the user's own, writable for who may only look at a store. Raises OperationError."""
    return state_dir() / "exports"


def keep(
    app: ConsoleApp, what: str, folder: Callable[[], Path], stem: str, texts: Callable[[], Mapping[str, str]]
) -> None:
    """Write new files beside the screens, and say where they are.

    `texts` gives them by the end of their names, in a thread, as `folder` does; `stem` comes after the time.
    """
    app.run_worker(_keep(app, what, folder, f"{time.strftime('%Y%m%d-%H%M%S')}-{plain(stem)}", texts), group="save")


async def _keep(
    app: ConsoleApp, what: str, folder: Callable[[], Path], stem: str, texts: Callable[[], Mapping[str, str]]
) -> None:
    work = asyncio.ensure_future(asyncio.to_thread(lambda: write_new(folder(), stem, texts())))
    if not (await asyncio.wait((work,), timeout=_SLOW_SECONDS))[0]:
        app.say(f"{what}: being written, the disk is slow")
    try:
        first, *others = await work
    except ConsoleError as error:
        app.say_error(error)
    else:
        app.say(f"{what}: {first}{''.join(f' and {other.suffix}' for other in others)}")


def plain(name: str) -> str:
    """An artifact's path as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:60]


def write_new(folder: Path, stem: str, texts: Mapping[str, str]) -> list[Path]:
    """Write each text to a new file of this name with its ending, under a number where one is taken. Raises
    OperationError."""
    try:
        with own_directory(folder) as directory:
            for number in range(1, _MOST_NUMBER):
                name = stem if number == 1 else f"{stem}-{number}"
                with suppress(FileExistsError):
                    return _written(directory, folder / name, texts)
        raise FileExistsError
    except OSError as error:
        hint = os_errors.hint(error) or "set XDG_STATE_HOME to a directory that you may write"
        raise OperationError(f"cannot write into {folder}: {os_errors.why(error)}", hint=hint) from error


def _written(directory: int, path: Path, texts: Mapping[str, str]) -> list[Path]:
    """All of them, or none."""
    done: list[str] = []
    try:
        for ending, text in texts.items():
            put_new(directory, path.name + ending, in_utf8(text))
            done.append(path.name + ending)
    except OSError:
        for name in done:
            os.unlink(name, dir_fd=directory)
        raise
    return [path.with_name(name) for name in done]
