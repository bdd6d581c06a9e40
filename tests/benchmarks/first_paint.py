"""Start to first paint: textual's hello-world beside the console on a store with an index."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks import figures, stores
from tests.benchmarks.figures import Figure
from tests.benchmarks.programs import Program, console

HELLO = """
from textual.app import App
from textual.widgets import Static
class Hello(App):
    def compose(self):
        yield Static("Hello, world")
Hello().run()
"""
SIZES = ((20, 2), (100_000, 5_000))


def main(argv: Sequence[str] | None = None) -> None:
    """Measure in turn and print."""
    parser = figures.parser(__doc__)
    parser.add_argument("--store", type=Path, help="where the large store is, or is to be made (else it is made anew)")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch:
        base = arguments.store or Path(scratch)
        figures.show(measure(base, arguments.runs), as_json=arguments.json)


def measure(base: Path, runs: int) -> list[Figure]:
    """`runs` starts of each, one after the other; the first round is not counted."""
    cache = base / "cache"
    prepared = []
    for artifacts, directories in SIZES:
        root = stores.build(base / f"store-{artifacts}", artifacts, directories)
        stores.remember(root, cache)
        prepared.append((artifacts, root, Path(stores.place(0, artifacts, directories)).stem))
    hello: list[float] = []
    paint: dict[int, list[float]] = {artifacts: [] for artifacts, _, _ in prepared}
    rows: dict[int, list[float]] = {artifacts: [] for artifacts, _, _ in prepared}
    for _ in range(runs + 1):
        with Program([sys.executable, "-c", HELLO]) as program:
            hello.append(program.wait_for("Hello") - program.started)
        for artifacts, root, first in prepared:
            with Program(console(root), env={"XDG_CACHE_HOME": str(cache)}) as program:
                paint[artifacts].append(program.wait_for("model-console") - program.started)
                rows[artifacts].append(program.wait_for(first) - program.started)
    name = "textual's hello-world"
    found = [_figure(name, hello)]
    for artifacts, _, _ in prepared:
        found.append(_figure(f"first paint, {artifacts:,} artifacts", paint[artifacts], name))
        found.append(_figure(f"first rows, {artifacts:,} artifacts", rows[artifacts], name))
    return found


def _figure(name: str, seconds: list[float], beside: str = "") -> Figure:
    return Figure(name, "ms", tuple(1000 * one for one in seconds[1:]), beside)


if __name__ == "__main__":
    main()
