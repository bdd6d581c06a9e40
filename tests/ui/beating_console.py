"""The console on made-up records, with a heart that beats into a file: it shows whether the event loop is alive.

Run under a pseudo-terminal: python -m tests.ui.beating_console FILE
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from console.ui.app import ConsoleApp
from tests.ui.demo_records import demo
from tests.ui.fed_engine import fed


async def beat(file: Path) -> None:
    """A byte every 20 ms."""
    with file.open("ab", buffering=0) as out:
        while True:
            out.write(b".")
            await asyncio.sleep(0.02)


def main() -> None:
    """Open it."""
    feeder = demo()
    beating: list[asyncio.Task[None]] = []

    def begin() -> None:
        beating.append(asyncio.ensure_future(beat(Path(sys.argv[1]))))

    ConsoleApp(feeder.root, fed(feeder, begin)).run()


if __name__ == "__main__":
    main()
