"""The console on made-up measurements of one model, so that what drawing costs can be told from what asking costs.

Run: python -m tests.benchmarks.fed_console [CALLS_PER_SECOND]
"""

from __future__ import annotations

import asyncio
import math
import os
import sys

os.environ.setdefault("TEXTUAL_FPS", "20")

from console.config import Settings
from console.monitor.series import Recorder
from console.records import Memory
from console.ui.app import ConsoleApp
from tests.ui.demo_records import demo
from tests.ui.fed_engine import fed

READINGS_PER_SECOND = 10


async def feed(recorder: Recorder, rate: float) -> None:
    """Calls whose times wander, and readings of memory, until the console ends."""
    step = 0
    while True:
        await asyncio.sleep(1 / READINGS_PER_SECOND)
        step += 1
        for call in range(round(rate / READINGS_PER_SECOND)):
            ms = 2 + 0.8 * math.sin(step / 60) + 0.1 * ((7 * step + call) % 11)
            recorder.call(1, ms * (4 if (step + call) % 61 == 0 else 1), ms + 0.3)
        grown = int(2**20 * (180 + 20 * math.sin(step / 200)))
        recorder.reading(Memory(grown, grown * 2 // 3, grown // 2), 20 + 8 * math.sin(step / 30))


def main() -> None:
    """Open it."""
    rate = float(sys.argv[1]) if len(sys.argv) > 1 else 50.0
    feeder = demo()
    path = next(path for path, view in feeder.views.items() if feeder.recorders.get(path) is not None)
    recorder = feeder.recorders[path] = Recorder()

    feeding: list[asyncio.Task[None]] = []

    def begin() -> None:
        feeding.append(asyncio.ensure_future(feed(recorder, rate)))

    ConsoleApp(feeder.root, fed(feeder, begin), Settings()).run()


if __name__ == "__main__":
    main()
