"""Writing an artifact in another format: loaded, saved, read back, compared, judged; only then does a file appear."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from console.errors import AccessDeniedError, InputError, OperationError
from console.files.new_file import write_new
from console.files.snapshot import digest_of, from_memory, new_memory
from console.records import Json
from console.serving.inference import open_rows
from console.serving.loader import Started
from console.update import tensors
from console.update.services import UpdateServices
from console.worker.failures import ChildRefused
from console.worker.model import Worker


class Converting:
    """Converts artifacts of one store; the recipe tells which rows the two are compared on."""

    def __init__(self, services: UpdateServices) -> None:
        self._services = services

    async def convert(self, path: str, to: str, out: Path, *, at: str, accept: str | None) -> dict[str, Json]:
        """Write the model in `path` to the new file `out` as format `to`.

        Raises NeedsReviewError, AccessDeniedError (also where a sealed artifact would be written open into the store),
        InputError (a format that cannot hold it, a file that is there), OperationError (different answers, a full
        disk).
        """
        if await asyncio.to_thread(os.path.lexists, out):
            raise InputError(f"{out} is there already", hint="name another file with --out")
        if to == tensors.FORMAT:
            return await tensors.written_tensors(self._services, path, out)
        started = await self._services.loader.start(path, at, accept)
        memory = new_memory("converted")
        try:
            if started.encrypted:
                self._check_outside(path, out)
            saved = await started.worker.save(memory, to, data=await self._rows(started.worker, path))
            await started.worker.end()
            if saved.differences:
                raise OperationError(
                    f"{path} answers differently as {to}: {'; '.join(saved.differences)}; nothing was written"
                )
            content = from_memory(memory, out.name)
        finally:
            os.close(memory)
            await started.worker.end()
        with content:
            judged = await self._services.inspections.judge_bytes(content)
            if started.encrypted:
                await self._services.access.record("unseal", path, started.digest, f"converted, open, to {out}")
            digest = None if started.encrypted else await asyncio.to_thread(digest_of, content)
            await asyncio.to_thread(write_new, out, content, 0o600 if started.encrypted else None)
        return {
            "path": str(out),
            "format": to,
            "size": content.size,
            "digest": digest,
            "verdict": str(judged.judgement.verdict),
            "compared": list(saved.compared),
            "rows": saved.rows,
            "warnings": list(dict.fromkeys((*started.loaded.warnings, *_forgotten(started), *saved.warnings))),
        }

    def _check_outside(self, path: str, out: Path) -> None:
        """Raise AccessDeniedError where a file would lie open in the store that holds it sealed."""
        if Path(os.path.realpath(out.parent)).is_relative_to(os.path.realpath(self._services.root)):
            raise AccessDeniedError(
                f"{path} is sealed, and converting it would write it open into the store",
                hint="name a place outside of the store with --out, or `unseal` it and convert that",
            )

    async def _rows(self, worker: Worker, path: str) -> int | None:
        """The recipe's rows open in the worker, None where it names none that fit."""
        data = self._services.recipes.or_default(path).data
        named = data.holdout or data.train
        if named is None:
            return None
        try:
            return await open_rows(worker, named, data.target, data.options)
        except ChildRefused:
            raise
        except InputError:
            return None


def _forgotten(started: Started) -> list[str]:
    """That scikit-learn puts its own version on what it writes, so that nothing tells the difference any more."""
    found = (one for one in started.worker.child.versions.differences if one.library == "scikit-learn")
    return [
        f"the file written says {one.library} {one.now}, and nothing in it says {one.was} any more" for one in found
    ]
