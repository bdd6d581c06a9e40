"""Writing an artifact in another format: loaded, saved, read back, compared, judged; only then does a file appear."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from console.errors import BadInput, ConsoleError, Failed
from console.loading.facts import Facts
from console.loading.questions import open_data_file
from console.loading.starting import Starter
from console.records import Json
from console.store.recipe import Recipe
from console.store.sealed import SealedBytes, digest_of, identity_of, write_all
from console.worker.model import Saved, Worker

_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
_CHUNK = 1 << 20


class Converting:
    """Converts artifacts of one store; `recipe` tells which rows the two are compared on."""

    def __init__(self, facts: Facts, starter: Starter, recipe: Callable[[str], Recipe]) -> None:
        self._facts = facts
        self._starter = starter
        self._recipe = recipe

    async def convert(self, path: str, to: str, out: Path, *, at: str, accept: str | None) -> dict[str, Json]:
        """Write the model in `path` to the new file `out` as format `to`.

        Raises NeedsReview, Refused, BadInput (a format that cannot hold it, a file that is there), Failed (different
        answers, a full disk).
        """
        if await asyncio.to_thread(os.path.lexists, out):
            raise BadInput(f"{out} is there already", hint="name another file with --out")
        started = await self._starter.start(path, at, accept)
        memory = os.memfd_create("converted", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            saved = await self._save(started.worker, path, to, memory)
            await started.worker.end()
            if saved.differences:
                raise Failed(f"{path} answers differently as {to}: {'; '.join(saved.differences)}; nothing was written")
            fcntl.fcntl(memory, fcntl.F_ADD_SEALS, _SEALS)
            content = SealedBytes(memory, identity_of(os.fstat(memory)), os.fstat(memory).st_size, None, True, out.name)
            judged = await self._facts.judge_bytes(content)
            digest = await asyncio.to_thread(digest_of, content)
            await asyncio.to_thread(_write_new, out, content)
        finally:
            os.close(memory)
            await started.worker.end()
        return {
            "path": str(out),
            "format": to,
            "size": content.size,
            "digest": digest,
            "verdict": str(judged.judgement.verdict),
            "compared": list(saved.compared),
            "rows": saved.rows,
        }

    async def _save(self, worker: Worker, path: str, to: str, memory: int) -> Saved:
        return await worker.save(memory, to, data=await self._rows(worker, path))

    async def _rows(self, worker: Worker, path: str) -> int | None:
        """The recipe's rows open in the worker, None where it names none that fit."""
        data = self._recipe(path).data
        named = data.holdout or data.train
        if named is None:
            return None
        try:
            fd = await asyncio.to_thread(open_data_file, named)
        except ConsoleError:
            return None
        try:
            handle, _file = await worker.open_data(fd, os.path.basename(named), target=data.target)
        finally:
            os.close(fd)
        return handle


def _write_new(out: Path, content: SealedBytes) -> None:
    """A new file with these bytes, durable; nothing is left where that fails. Raises BadInput, Failed."""
    try:
        fd = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    except FileExistsError:
        raise BadInput(f"{out} is there already", hint="name another file with --out") from None
    except OSError as error:
        raise BadInput(f"{out} cannot be written: {error.strerror}") from None
    try:
        for offset in range(0, content.size, _CHUNK):
            write_all(fd, os.pread(content.fd, _CHUNK, offset))
        os.fsync(fd)
    except OSError as error:
        os.unlink(out)
        raise Failed(f"{out} could not be written: {error.strerror}; nothing was left") from None
    finally:
        os.close(fd)
