"""Exporting a model to ONNX: made and compared in a worker, written beside it as an artifact on the operator's word."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from console.errors import AccessDeniedError, ConsoleError, InputError, OperationError, UsageError
from console.files.opening import open_artifact
from console.files.snapshot import Snapshot, digest_of, from_memory, new_memory
from console.records import ExportProgress, OnnxComparison, Version
from console.reporting import reported
from console.serving.inference import open_rows
from console.update.promoter import Replacing
from console.update.services import UpdateServices
from console.worker.onnx_export import export_onnx

_SUFFIX = ".onnx"
_COMPRESSIONS = (".gz", ".bz2", ".xz", ".lzma", ".lz4", ".zlib")


@dataclass(frozen=True, slots=True)
class _Waiting:
    """An export that waits for the operator's word."""

    digest: str
    content: Snapshot
    found: OnnxComparison


class Accelerating:
    """Exports the models of one store to ONNX; the recipe tells which rows they are compared on."""

    def __init__(self, services: UpdateServices) -> None:
        self._services = services
        self._waiting: dict[str, _Waiting] = {}

    async def compare(
        self, path: str, *, data: str | None = None, at: str = "", accept: str | None = None
    ) -> AsyncIterator[ExportProgress]:
        """Export the artifact as `export` does, telling of each phase; the last progress has the comparison."""

        async def compared(tell: Callable[[ExportProgress], None]) -> ExportProgress:
            def hear(phase: str) -> None:
                tell(ExportProgress(phase))

            return ExportProgress("compared", await self.export(path, data=data, at=at, accept=accept, on_phase=hear))

        async for progress in reported(compared):
            yield progress

    async def export(
        self,
        path: str,
        *,
        data: str | None = None,
        at: str = "",
        accept: str | None = None,
        on_phase: Callable[[str], None] = lambda phase: None,
    ) -> OnnxComparison:
        """Export the artifact and compare; it waits for `write` or `discard`. `on_phase` hears what is done.

        Raises UsageError without rows, NeedsReviewError, AccessDeniedError, InputError, OperationError (no export
        answers alike).
        """
        await self._services.access.authorize("accelerate", path, writes=True)
        target = export_path(path)
        replaces = await asyncio.to_thread(_digest_at, self._services.root, target)
        recipe = self._services.recipes.or_default(path).data
        named = data or recipe.holdout or recipe.train
        if named is None:
            raise UsageError(f"no rows to compare {path} on", hint="name some with --data, or in the recipe's [data]")
        on_phase("loading")
        started = await self._services.loader.start(path, at, accept)
        memory = new_memory("export")
        try:
            if started.encrypted:
                raise AccessDeniedError(
                    f"{path} is sealed, and its export would lie open in the store", hint="`unseal` it first"
                )
            digest = started.digest or await self._later(started.later, path)
            handle = await open_rows(started.worker, named, recipe.target, recipe.options)
            origin = {"origin": digest, "origin_path": path, "origin_place": started.at}
            exporting = export_onnx(started.worker, memory, handle, origin, on_phase)
            made = await self._made(path, exporting)
            found = replace(made, path=target, replaces=replaces, warnings=started.loaded.warnings)
            await started.worker.end()
            content = await _frozen(memory)
        finally:
            os.close(memory)
            await started.worker.end()
        self._drop(path)
        self._waiting[path] = _Waiting(digest, content, found)
        return found

    async def write(self, path: str) -> Version:
        """Put the export that waits beside its model; what was there under its name is kept as a version.

        Raises ConflictError where that changed meanwhile, AccessDeniedError, OperationError.
        """
        await self._services.access.authorize("accelerate", path, writes=True)
        waiting = self._waiting.pop(path, None)
        if waiting is None:
            raise OperationError(f"no export of {path} waits", hint="make one with `model-console accelerate`")
        found = waiting.found
        with waiting.content as content:
            await self._services.access.record("accelerate", path, waiting.digest, f"exported to {found.path}")
            return await Replacing(self._services).promote(
                found.path,
                content,
                at="",
                replaces=found.replaces,
                why=f"exported from {path} ({waiting.digest})",
                metrics={},
                replaced_metrics={},
            )

    async def discard(self, path: str) -> None:
        """Let go of the export that waits, if one does. Raises AccessDeniedError."""
        if path in self._waiting:
            await self._services.access.authorize("accelerate", path)
            self._drop(path)

    def _drop(self, path: str) -> None:
        waiting = self._waiting.pop(path, None)
        if waiting is not None:
            waiting.content.close()

    async def close(self) -> None:
        """Let go of all that wait."""
        for path in list(self._waiting):
            self._drop(path)

    async def _made(self, path: str, making: Awaitable[OnnxComparison]) -> OnnxComparison:
        try:
            return await making
        except ConsoleError as error:
            if error.failure is not None and error.failure.code == "missing":
                raise InputError(
                    f"{path} cannot be accelerated: {error.failure.message}",
                    hint=f"{shlex.quote(sys.executable)} -m pip install 'model-console[accelerate]'",
                ) from None
            if error.failure is not None and error.failure.code == "no-export":
                raise OperationError(f"{path} cannot be accelerated: {error.failure.message}") from None
            raise

    async def _later(self, later: asyncio.Task[str | None] | None, path: str) -> str:
        digest = await asyncio.shield(later) if later is not None else None
        if digest is None:
            raise OperationError(
                f"the digest of {path} is not known, so that its export could not say what it was made of"
            )
        return digest


def export_path(path: str) -> str:
    """Where the export of an artifact is written: beside it, under its name. Raises InputError for an ONNX model."""
    place = PurePosixPath(path)
    stem = place.with_suffix("") if place.suffix.lower() in _COMPRESSIONS else place
    target = stem.with_suffix(_SUFFIX)
    if place.suffix.lower() == _SUFFIX:
        raise InputError(f"{path} is an ONNX model already")
    return str(target)


def _digest_at(root: Path, path: str) -> str | None:
    """The digest of the file there; None where none is. Raises InputError for what is no plain file."""
    if not os.path.lexists(root / path):
        return None
    with open_artifact(root, path) as opened:
        return digest_of(opened)


async def _frozen(memory: int) -> Snapshot:
    """The snapshot of bytes that a child wrote into memory of ours, read-only from here on, with its digest."""
    content = from_memory(memory, "export")
    try:
        content.digest = await asyncio.to_thread(digest_of, content)
    except BaseException:
        content.close()
        raise
    return content
