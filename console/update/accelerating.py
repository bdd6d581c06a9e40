"""Having a model answer faster: an ONNX twin is made and compared in a worker, and kept when the operator says yes."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from console.errors import BadInput, ConsoleError, Failed, Refused, Usage
from console.loading.questions import open_data_file
from console.records import ReadOptions, Target, Twinned
from console.store import twins
from console.store.opening import identity_of
from console.store.roots import user_name
from console.store.sealed import SealedBytes, digest_of, frozen, new_memory
from console.update.workshop import Workshop
from console.worker.model import Worker
from console.worker.twins import make_twin

__all__ = ["Accelerating"]


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A twin that waits for the operator's word."""

    digest: str
    at: str
    content: SealedBytes
    found: Twinned


class Accelerating:
    """Makes and keeps the twins of one store; the recipe tells which rows they are compared on."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        self._waiting: dict[str, _Waiting] = {}

    async def compare(
        self,
        path: str,
        *,
        data: str | None = None,
        at: str = "",
        accept: str | None = None,
        on_phase: Callable[[str], None] = lambda phase: None,
    ) -> Twinned:
        """Make a twin of the artifact and compare it; it waits for `keep` or `discard`. `on_phase` hears what is done.

        Raises Usage without rows, NeedsReview, Refused, BadInput, Failed (no twin answers alike).
        """
        await self._shop.book.allow("accelerate", path, writes=True)
        recipe = self._shop.recipes.or_default(path).data
        named = data or recipe.holdout or recipe.train
        if named is None:
            raise Usage(f"no rows to compare {path} on", hint="name some with --data, or in the recipe's [data]")
        on_phase("loading")
        started = await self._shop.starter.start(path, at, accept)
        memory = new_memory("twin")
        try:
            if started.encrypted:
                raise Refused(f"{path} is sealed, and a twin would lie open in the store", hint="`unseal` it first")
            digest = started.digest or await self._later(started.later, path)
            handle = await _rows(started.worker, named, recipe.target, recipe.options)
            made = await self._made(path, make_twin(started.worker, memory, handle, on_phase))
            found = replace(made, warnings=started.loaded.warnings)
            await started.worker.end()
            content = await _frozen(memory)
        finally:
            os.close(memory)
            await started.worker.end()
        await self.discard(path)
        self._waiting[path] = _Waiting(digest, started.at, content, found)
        return found

    async def keep(self, path: str) -> None:
        """Record the twin that waits: from the next load on it answers where it is faster. Raises Refused, Failed."""
        await self._shop.book.allow("accelerate", path, writes=True)
        waiting = self._waiting.pop(path, None)
        if waiting is None:
            raise Failed(f"no twin of {path} waits", hint="make one with `model-console accelerate`")
        with waiting.content as content:
            await asyncio.to_thread(
                twins.keep, self._shop.root, waiting.digest, waiting.at, content, waiting.found, user_name()
            )
        await self._shop.book.note("accelerate", path, waiting.digest, f"twin {content.digest}")

    async def discard(self, path: str) -> None:
        """Let go of the twin that waits, if one does."""
        waiting = self._waiting.pop(path, None)
        if waiting is not None:
            waiting.content.close()

    async def drop(self, path: str) -> bool:
        """Remove the twin of what an artifact holds now; whether there was one. Raises Refused, BadInput, Failed."""
        await self._shop.book.allow("accelerate", path, writes=True)
        digest = (await self._shop.artifacts.report(path, digest=True)).artifact.digest or ""
        gone = await asyncio.to_thread(twins.remove, self._shop.root, digest)
        if gone:
            await self._shop.book.note("accelerate", path, digest, "twin removed")
        return gone

    async def close(self) -> None:
        """Let go of all that wait."""
        for path in list(self._waiting):
            await self.discard(path)

    async def _made(self, path: str, making: Awaitable[Twinned]) -> Twinned:
        try:
            return await making
        except ConsoleError as error:
            if error.failure is not None and error.failure.code == "missing":
                raise BadInput(
                    f"{path} cannot be accelerated: {error.failure.message}",
                    hint=f"{shlex.quote(sys.executable)} -m pip install 'model-console[accelerate]'",
                ) from None
            if error.failure is not None and error.failure.code == "no-twin":
                raise Failed(f"{path} cannot be accelerated: {error.failure.message}") from None
            raise

    async def _later(self, later: asyncio.Task[str | None] | None, path: str) -> str:
        digest = await asyncio.shield(later) if later is not None else None
        if digest is None:
            raise Failed(f"the digest of {path} is not known, so that a twin cannot be bound to it")
        return digest


async def _rows(worker: Worker, named: str, target: Target | None, options: ReadOptions) -> int:
    """The data file of this name, open in the worker. Raises BadInput, ChildRefused."""
    fd = await asyncio.to_thread(open_data_file, named)
    try:
        handle, _file = await worker.open_data(fd, os.path.basename(named), target=target, options=options)
    finally:
        os.close(fd)
    return handle


async def _frozen(memory: int) -> SealedBytes:
    """What a child has written into memory of ours, read-only from here on, with its digest."""
    made = os.fstat(memory)
    content = SealedBytes(frozen(memory, "twin"), identity_of(made), made.st_size, None, True, "twin")
    try:
        content.digest = await asyncio.to_thread(digest_of, content)
    except BaseException:
        content.close()
        raise
    return content
