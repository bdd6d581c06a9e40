"""The console on a large store: memory, key to paint while it filters, sorts and scrolls, and the look at the disk."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from console.catalog.catalog import Catalog
from tests.benchmarks import figures, stores
from tests.benchmarks.figures import Figure
from tests.benchmarks.programs import Program, console

PATTERNS = ("model-0", "project-41", "9", "!logistic", "safe")
KEY_REPEAT_S = 1 / 30
DOWN = "j"
PAGE_DOWN = "\x1b[6~"
ESCAPE = "\x1b"


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = figures.parser(__doc__)
    parser.add_argument("--store", type=Path, help="where the large store is, or is to be made (else it is made anew)")
    parser.add_argument("--artifacts", type=int, default=100_000)
    parser.add_argument("--directories", type=int, default=5_000)
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch:
        base = arguments.store or Path(scratch)
        root = stores.build(base / f"store-{arguments.artifacts}", arguments.artifacts, arguments.directories)
        stores.remember(root, base / "cache")
        found = measure(root, base / "cache", arguments.artifacts, arguments.runs)
    figures.show(found, as_json=arguments.json)


def measure(root: Path, cache: Path, artifacts: int, runs: int) -> list[Figure]:
    """Memory of `runs` consoles; the keys of all of them together."""
    taken: dict[str, list[float]] = {}
    for _ in range(runs):
        with Program(console(root), env={"XDG_CACHE_HOME": str(cache)}) as program:
            program.wait_for(Path(stores.place(0, artifacts, 1)).stem)
            program.rest()
            taken.setdefault("memory (PSS), at rest", []).append(pss_mb(program.pid))
            _keys(program, taken)
            program.rest()
            taken.setdefault("memory (PSS), after the keys", []).append(pss_mb(program.pid))
    figures_ = [Figure(name, "MB" if "PSS" in name else "ms", tuple(values)) for name, values in taken.items()]
    return [*figures_, Figure("a look at every file (one thread)", "ms", tuple(_scan(root) for _ in range(runs)))]


def _keys(program: Program, taken: dict[str, list[float]]) -> None:
    def note(name: str, value: float) -> None:
        taken.setdefault(name, []).append(value)

    for name, key in (("key to paint, next row", DOWN), ("key to paint, next page", PAGE_DOWN)):
        for _ in range(60):
            note(name, echo_ms(program, key))
            program.settle(KEY_REPEAT_S)
    for pattern in PATTERNS:
        program.press("/")
        program.settle(0.3)
        for letter in pattern:
            since = len(program.output)
            sent = program.press(letter)
            note("key to paint, while all rows are filtered", 1000 * (_grown(program, since) - sent))
            program.settle(KEY_REPEAT_S, KEY_REPEAT_S)
        program.press("\r")
        program.settle(0.3)
        program.press(ESCAPE)
        program.settle(0.4)
    for _ in range(8):
        since = len(program.output)
        sent = program.press("s")
        note("key to next picture, sort", 1000 * (_grown(program, since) - sent))
        note("key to paint, next row while sorting", echo_ms(program, DOWN))
        program.settle(0.5)


def echo_ms(program: Program, key: str) -> float:
    """Milliseconds from a key to the first byte drawn after it."""
    since = len(program.output)
    sent = program.press(key)
    return 1000 * (_grown(program, since) - sent)


def _grown(program: Program, since: int) -> float:
    end = time.perf_counter() + 20.0
    while len(program.output) == since and time.perf_counter() < end:
        program.read(0.5)
    return time.perf_counter()


def _scan(root: Path) -> float:
    catalog = Catalog(root)
    catalog.scan_all()
    begun = time.perf_counter()
    catalog.scan_all()
    return 1000 * (time.perf_counter() - begun)


def pss_mb(pid: int) -> float:
    """Proportional set size of one process in MB (10**6 bytes)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 / 1e6 if found else float("nan")


if __name__ == "__main__":
    main()
