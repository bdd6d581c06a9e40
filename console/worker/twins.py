"""A worker's ONNX twin, seen from the console: having one made and compared, and having one used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from console.records import Twinned, TwinTiming
from console.worker.failures import error_of, new_failure
from console.worker.model import Worker
from console.worker.wire import Head

__all__ = ["make_twin", "use_twin"]

DEADLINE = 900.0


async def make_twin(worker: Worker, fd: int, data: int, on_phase: Callable[[str], None]) -> Twinned:
    """Have the loaded model converted into the empty file `fd` and compared on rows like those of the open table.

    `on_phase` hears what is being done.
    Raises ChildRefused with code `no-twin` where no twin answers alike, `missing` without the converter.
    """

    def on_event(head: Head) -> None:
        on_phase(str(head.get("phase", ""))[:100])

    head, _body = await worker.child.request(
        "make_twin", {"data": data}, fds=(fd,), deadline=DEADLINE, on_event=on_event
    )
    try:
        return _twinned(head)
    except (KeyError, TypeError, ValueError) as error:
        worker.child.kill("protocol", "sent an answer that is malformed and was killed")
        message = f"the worker's answer is malformed: {type(error).__name__}"
        raise error_of(new_failure(worker.child.label, "accelerate", "protocol", message)) from None


async def use_twin(worker: Worker, fd: int, routes: dict[str, tuple[tuple[int, int], ...]]) -> None:
    """Have the twin in the sealed bytes of `fd` answer these ranges of rows. Raises ChildRefused where it cannot."""
    await worker.child.request("use_twin", {"routes": routes}, fds=(fd,), deadline=60.0)


def _twinned(head: dict[str, Any]) -> Twinned:
    timings = tuple(
        TwinTiming(str(one["method"])[:40], int(one["rows"]), float(one["model_ms"]), float(one["twin_ms"]))
        for one in head["timings"][:100]
    )
    routes = {
        str(name)[:40]: tuple((int(low), int(high)) for low, high in ranges[:20])
        for name, ranges in list(head["routes"].items())[:8]
    }
    if head["dtype"] not in ("float32", "float64"):
        raise ValueError("an unknown dtype")
    versions = {str(name)[:40]: str(version)[:40] for name, version in list(head["versions"].items())[:20]}
    return Twinned(
        str(head["dtype"]),
        int(head["rows"]),
        int(head["differing"]),
        float(head["largest"]),
        timings,
        routes,
        versions,
        int(head["size"]),
    )
