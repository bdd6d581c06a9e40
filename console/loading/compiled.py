"""Giving a worker the ONNX twin that was recorded for just the content it holds."""

from __future__ import annotations

import asyncio
from pathlib import Path

from console.errors import ConsoleError
from console.store import twins
from console.worker.model import Worker
from console.worker.twins import use_twin

__all__ = ["Compiled"]


class Compiled:
    """The twins of one store."""

    def __init__(self, root: Path) -> None:
        self.root = root

    async def give(self, worker: Worker, digest: str, at: str) -> bool:
        """Have the worker use the twin of this content, where there is one, and take down what came of it."""
        try:
            twin = await asyncio.to_thread(twins.find, self.root, digest, at)
            if twin is None:
                return False
            with twin.bytes:
                await use_twin(worker, twin.bytes.fd, twin.found.routes)
        except ConsoleError as error:
            worker.child.note(f"its ONNX twin is not used: {error.message}")
            return False
        ranges = [ends for routes in twin.found.routes.values() for ends in routes]
        if ranges:
            low, high = min(low for low, _high in ranges), max(high for _low, high in ranges)
            worker.child.note(f"its ONNX twin ({twin.found.dtype}) answers calls of {low:,} to {high:,} rows")
        return bool(ranges)
