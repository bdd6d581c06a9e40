"""From a change on the disk to the changed row on the screen."""

from __future__ import annotations

import os
import pickle
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks import figures, stores
from tests.benchmarks.figures import Figure
from tests.benchmarks.programs import Program, console

WAYS = ("written in place", "moved into place")
LEAST = 300
"""Bytes of the smallest file written; every change has a size of its own, which is what the screen must show."""


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = figures.parser(__doc__)
    parser.add_argument("--store", type=Path, help="where the store is, or is to be made (else it is made anew)")
    parser.add_argument("--artifacts", type=int, default=2_000)
    parser.add_argument("--directories", type=int, default=100)
    parser.set_defaults(runs=200)
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch:
        base = arguments.store or Path(scratch)
        root = stores.build(base / f"store-{arguments.artifacts}", arguments.artifacts, arguments.directories)
        stores.remember(root, base / "cache")
        first = root / stores.place(0, arguments.artifacts, arguments.directories)
        before = first.read_bytes()
        try:
            found = measure(root, base / "cache", first, arguments.runs)
        finally:
            first.write_bytes(before)
    figures.show(found, as_json=arguments.json)


def measure(root: Path, cache: Path, artifact: Path, runs: int) -> list[Figure]:
    """`runs` changes of the artifact in the first row, at random moments; each way in turn."""
    taken: dict[str, list[float]] = {way: [] for way in WAYS}
    sizes = random.sample(range(LEAST, 999), runs)
    with Program(console(root), env={"XDG_CACHE_HOME": str(cache)}) as program:
        program.wait_for(artifact.stem)
        program.rest()
        for number, size in enumerate(sizes):
            way = WAYS[number % len(WAYS)]
            since = len(program.output)
            written = _change(artifact, size, way)
            taken[way].append(1000 * (program.wait_for(f"{size}B", since) - written))
            program.settle(0.05, random.uniform(0.1, 0.9))
    return [Figure(f"changed on disk to changed on screen, {way}", "ms", tuple(taken[way])) for way in WAYS]


def _change(artifact: Path, size: int, way: str) -> float:
    data = pickle.dumps(b"x" * size, 4)
    data = pickle.dumps(b"x" * (2 * size - len(data)), 4)
    assert len(data) == size
    if way == WAYS[0]:
        artifact.write_bytes(data)
    else:
        beside = artifact.with_name(".new")
        beside.write_bytes(data)
        os.replace(beside, artifact)
    return time.perf_counter()


if __name__ == "__main__":
    main()
