"""The models that an engine has loaded, kept on disk for the next one: after a crash, the same answer again."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from console import durable
from console.config import state_dir, store_key
from console.engine.local import Engine
from console.errors import ConsoleError
from console.os_errors import why
from console.records import Json, WorkerState, WorkerView

_AT_ONCE = 2
"""Models that are loaded side by side at the start."""
_MOST = 1 << 20
_MOST_COPIES = 1000
_WARM_S = 20.0
"""How long the process that workers are forked from is waited for, since each would import the libraries itself."""
_GATHER_S = 0.2
"""Changes within this time are written as one."""


@dataclass(frozen=True, slots=True, order=True)
class Loaded:
    """A loaded model: its artifact, the place in it, and how many copies answer."""

    path: str
    at: str = ""
    copies: int = 1


@dataclass(frozen=True, slots=True)
class Remembered:
    """The beginning of the next engine: the models that are loaded, and what the serving room keeps of its own."""

    models: tuple[Loaded, ...] = ()
    serving: Json = None


def loaded_of(views: Iterable[WorkerView]) -> tuple[Loaded, ...]:
    """Models that are to be loaded, whether they answer now or not."""
    wanted = (view for view in views if view.state not in (WorkerState.DRAINING, WorkerState.ENDED))
    return tuple(sorted(Loaded(view.path, view.at, max(1, view.copies)) for view in wanted))


class Kept:
    """The memory of one store, in a file of this user's. `say` hears of what cannot be written."""

    def __init__(self, root: Path, say: Callable[[str, str], None]) -> None:
        self._place = state_dir() / "served" / f"{store_key(root)}.json"
        self._say = say
        self._written: Remembered | None = None
        self._wanted = Remembered()
        self._writing: asyncio.Task[None] | None = None

    def read(self) -> Remembered:
        """The state that was kept last; an empty one where that is not known. For a thread."""
        with suppress(OSError, ValueError, TypeError, KeyError), open(self._place, "rb") as file:
            found = json.loads(file.read(_MOST))
            return Remembered(tuple(map(_entry, found["models"])), found.get("serving"))
        return Remembered()

    def keep(self, wanted: Remembered) -> None:
        """Have it written soon, if it is something else than was written last."""
        self._wanted = wanted
        if wanted != self._written and (self._writing is None or self._writing.done()):
            self._writing = asyncio.ensure_future(self._write())

    async def close(self) -> None:
        """Wait until it is written."""
        if self._writing is not None:
            await self._writing

    async def _write(self) -> None:
        while self._wanted != self._written:
            await asyncio.sleep(_GATHER_S)
            wanted = self._wanted
            try:
                await asyncio.to_thread(self._put, wanted)
            except OSError as error:
                self._say(f"{self._place} cannot be written: {why(error)}; a next start loads what it said", "failure")
            self._written = wanted

    def _put(self, wanted: Remembered) -> None:
        models = [[one.path, one.at, one.copies] for one in wanted.models]
        text = json.dumps({"models": models, "serving": wanted.serving}).encode("ascii")
        with durable.own_directory(self._place.parent) as directory:
            durable.put_bytes(directory, self._place.name, text, lambda fd: os.fchmod(fd, 0o600))


def _entry(value: Any) -> Loaded:
    """One entry of the file. Raises ValueError, TypeError for what is none."""
    path, at, copies = value
    if not (isinstance(path, str) and isinstance(at, str) and isinstance(copies, int) and 0 < copies <= _MOST_COPIES):
        raise ValueError(value)
    return Loaded(path, at, copies)


def is_gone(root: Path, path: str) -> bool:
    """Whether an artifact was removed; an empty store may rather be one that is not mounted. For a thread."""
    if os.path.lexists(root / path):
        return False
    try:
        with os.scandir(root) as entries:
            return any(entries)
    except OSError:
        return False


async def warmed(engine: Engine) -> None:
    """Wait until workers are forked, for a while: what is loaded before that takes twice as long."""
    with suppress(TimeoutError):
        await asyncio.wait_for(engine.warmed(), _WARM_S)


async def load_again(engine: Engine, wanted: Sequence[Loaded], say: Callable[[str, str], None]) -> int:
    """Load these, a few at a time; how many answer. One that fails is told of and ends nothing."""
    free = asyncio.Semaphore(_AT_ONCE)

    async def judge(one: Loaded) -> None:
        with suppress(ConsoleError):
            await engine.artifacts.report(one.path)

    async def load(one: Loaded) -> bool:
        async with free:
            try:
                await engine.models.load(one.path, at=one.at)
                if one.copies > 1:
                    await engine.models.set_copies(one.path, one.copies)
            except ConsoleError as error:
                say(f"{one.path} was loaded before, and is not now: {error.message}", "failure")
                return False
        return True

    if not wanted:
        return 0
    await asyncio.gather(warmed(engine), *map(judge, wanted[:_AT_ONCE]))
    return sum(await asyncio.gather(*map(load, wanted)))
