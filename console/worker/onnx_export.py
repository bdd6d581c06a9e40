"""The export of a worker's model to ONNX, seen from the console."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from console.records import OnnxComparison, OnnxTiming
from console.worker.failures import error_of, new_failure
from console.worker.model import Worker
from console.worker.wire import Head

__all__ = ["export_onnx"]

DEADLINE = 900.0


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
    try:
        return _comparison(head)
    except (KeyError, TypeError, ValueError) as error:
        worker.child.kill("protocol", "sent an answer that is malformed and was killed")
        message = f"the worker's answer is malformed: {type(error).__name__}"
        raise error_of(new_failure(worker.child.label, "accelerate", "protocol", message)) from None


def _comparison(head: dict[str, Any]) -> OnnxComparison:
    timings = tuple(
        OnnxTiming(str(one["method"])[:40], int(one["rows"]), float(one["model_ms"]), float(one["onnx_ms"]))
        for one in head["timings"][:100]
    )
    if head["dtype"] not in ("float32", "float64"):
        raise ValueError("an unknown dtype")
    versions = {str(name)[:40]: str(version)[:40] for name, version in list(head["versions"].items())[:20]}
    rows, differing, size = int(head["rows"]), int(head["differing"]), int(head["size"])
    return OnnxComparison(str(head["dtype"]), rows, differing, float(head["largest"]), timings, versions, size)
