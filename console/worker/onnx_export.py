"""The export of a worker's model to ONNX, seen from the console."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from console.records import OnnxComparison
from console.worker.decode_records import Malformed, decoded
from console.worker.failures import version_texts
from console.worker.model import Worker
from console.worker.wire import Head

DEADLINE = 900.0
_FIELDS = ("dtype", "rows", "differing", "largest", "timings", "versions", "size")
"""Fields of a comparison that the worker tells; the others are the console's."""


async def export_onnx(
    worker: Worker, fd: int, data: int, origin: Mapping[str, str], on_phase: Callable[[str], None]
) -> OnnxComparison:
    """Have the loaded model converted into the empty file `fd` and compared on rows like those of the open table.

    `origin` is told in the file; `on_phase` hears what is being done. Raises ChildRefused with code `no-export` where
    no export answers alike, `missing` without the converter.
    """

    def on_event(head: Head) -> None:
        on_phase(str(head.get("phase", ""))[:100])

    head, _body = await worker.child.request(
        "export_onnx", {"data": data, "origin": dict(origin)}, fds=(fd,), deadline=DEADLINE, on_event=on_event
    )
    return worker.child.checked(_comparison, head, "accelerate")


def _comparison(head: Head) -> OnnxComparison:
    found = decoded({name: head.get(name) for name in _FIELDS}, OnnxComparison)
    if found.dtype not in ("float32", "float64"):
        raise Malformed("an unknown dtype")
    timings = tuple(replace(one, method=one.method[:40]) for one in found.timings[:100])
    return replace(found, timings=timings, versions=version_texts(found.versions))
