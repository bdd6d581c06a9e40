"""Writing the tensors of an artifact as safetensors: read and written by an inspector, so that nothing of it runs."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from console.errors import AccessDeniedError, InputError, OperationError
from console.files.new_file import write_new
from console.files.opening import open_artifact
from console.files.snapshot import digest_of, from_memory, new_memory
from console.records import Artifact, Json, Verdict
from console.update.services import UpdateServices
from console.worker.failures import ChildRefused

FORMAT = "safetensors"
_NEVER = (None, Verdict.BLOCKED, Verdict.DAMAGED, Verdict.UNSUPPORTED)


async def written_tensors(services: UpdateServices, path: str, out: Path) -> dict[str, Json]:
    """Write the tensors in `path` to the new file `out`, and compare both number by number.

    Raises InputError for what holds no tensors that can be read, AccessDeniedError for what is blocked or sealed,
    OperationError for numbers that differ or a full disk.
    """
    report = await services.artifacts.report(path)
    _check(path, report.artifact, report.judgement.verdict)
    memory = new_memory("tensors")
    try:
        with await asyncio.to_thread(open_artifact, services.root, path, links=True) as opened:
            name = os.path.basename(path)
            try:
                count = await services.inspectors.tensors(opened.fd, name, memory)
            except ChildRefused as error:
                raise InputError(f"{path} cannot be written as {FORMAT}: {error.message}") from None
            before = await services.inspectors.norms(opened.fd, name)
        if not count:
            raise InputError(f"{path} holds no tensors that are read here: {FORMAT} is written of PyTorch's archives")
        if before != await services.inspectors.norms(memory, out.name):
            raise OperationError(f"the numbers of {path} differ as {FORMAT}; nothing was written")
        content = from_memory(memory, out.name)
    finally:
        os.close(memory)
    with content:
        judged = await services.inspections.judge_bytes(content)
        digest = await asyncio.to_thread(digest_of, content)
        await asyncio.to_thread(write_new, out, content, None)
    return {
        "path": str(out),
        "format": FORMAT,
        "size": content.size,
        "digest": digest,
        "verdict": str(judged.judgement.verdict),
        "compared": ["numbers"],
        "tensors": count,
        "warnings": [],
    }


def _check(path: str, row: Artifact, verdict: Verdict | None) -> None:
    if row.sealed:
        raise AccessDeniedError(f"{path} is sealed, and its tensors would be written open", hint="unseal it first")
    if row.members:
        raise InputError(f"{path} is a directory: convert one file in it")
    if verdict in _NEVER:
        raise AccessDeniedError(f"{path} is {verdict or 'not judged'}: {row.why}")
