"""The screen: what live charts cost, how soon a key shows while a model is driven, and what a slow terminal gets."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import joblib
import numpy

from tests.benchmarks import figures, models
from tests.benchmarks.figures import Figure
from tests.benchmarks.programs import Program, console

SECONDS = 4.0
SLOW = 5000.0
"""Bytes a second of a slow line."""
ESCAPE = "\x1b"
FED = "churn/rf.joblib"
RECIPE = """
[data]
holdout = "rows.csv"
target = "label"
"""
Taken = dict[str, list[float]]


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = figures.parser(__doc__)
    parser.set_defaults(runs=5)
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        build(root / "store")
        found = measure(root, arguments.runs)
    figures.show(found, as_json=arguments.json)


def build(store: Path) -> None:
    """Two models of 30 inputs with the rows to drive them."""
    X, y = models.inputs()
    for name in ("first", "second"):
        (store / name).mkdir(parents=True)
        joblib.dump(models.logistic_regression(), store / name / "lr.joblib")
        (store / name / "lr.recipe.toml").write_text(RECIPE)
        names = ",".join([*(f"x{number}" for number in range(X.shape[1])), "label"])
        numpy.savetxt(store / name / "rows.csv", numpy.c_[X, y], delimiter=",", header=names, comments="")


def measure(root: Path, runs: int) -> list[Figure]:
    """All of it, `runs` times in turn, each time in consoles of its own."""
    taken: Taken = defaultdict(list)
    for _ in range(runs):
        with Program([sys.executable, "-m", "tests.benchmarks.fed_console", "50"]) as program:
            _fed(program, taken)
        env = {f"XDG_{name}_HOME": str(root / name.lower()) for name in ("CONFIG", "CACHE", "STATE", "DATA")}
        with Program(console(root / "store"), env=env) as program:
            _driven(program, taken)
    return [Figure(name, _unit(name), tuple(values)) for name, values in taken.items()]


def _unit(name: str) -> str:
    return "kB/s" if "output" in name else "ms" if "key" in name else "%"


def _fed(program: Program, taken: Taken) -> None:
    """Charts of made-up measurements: in sight, behind another screen, on a slow line, and afterwards."""
    program.wait_for(FED)
    program.settle(0.5, 3.0)
    for keys in ("/", "rf.job", "\r", "\r", "2"):
        program.press(keys)
        program.settle(0.4, 1.5)
    _pass(program, 4.0)
    _window(program, taken, "four charts")
    program.press("v")
    program.settle(0.5, 2.0)
    _window(program, taken, "four charts behind another screen")
    program.press(ESCAPE)
    program.settle(0.5, 1.0)
    line = "four charts on a line of 5 kB/s"
    program.sip(4.0, SLOW)
    _window(program, taken, line, lambda: program.sip(SECONDS, SLOW))
    sent, since = program.press("v"), len(program.output)
    while program.output.find(b"artifacts found", since) < 0 and time.perf_counter() < sent + 20:
        program.sip(0.02, SLOW)
    taken[f"{line}: key to another screen"].append(1000 * (time.perf_counter() - sent))
    program.press(ESCAPE)
    _pass(program, 8.0)
    _window(program, taken, "four charts after the slow line")


def _driven(program: Program, taken: Taken) -> None:
    """Charts of a model that is driven, and keys while it is driven as fast as it goes."""
    program.wait_for("first/lr")
    program.rest(20.0)
    program.press("\r")
    program.settle(0.4, 2.0)
    since = len(program.output)
    program.press("p")
    program.wait_for("reached", since)
    program.press(">")
    _pass(program, 2.0)
    _window(program, taken, "four charts, driven at 50/s")
    program.press(">>>>>")
    _pass(program, 2.0)
    _window(program, taken, "four charts, driven as fast as it goes")
    for _ in range(12):
        for key, words in (("1", "parameters"), ("2", "throughput"), ("4", "failed")):
            _key(program, taken, "key to another tab", key, words)
    program.press(ESCAPE)
    program.settle(0.4, 1.0)
    for _ in range(12):
        for key, words in (("j", "▌"), ("k", "▌")):
            _key(program, taken, "key to the next row", key, words)
    for _ in range(6):
        for key, words in (("v", "is being probed"), ("?", "Move down")):
            _key(program, taken, "key to another screen", key, words)
            _key(program, taken, "key esc back to the table", ESCAPE, "MODEL")
        _key(program, taken, "key to the palette", ":", "Go to the next model")
        program.press(ESCAPE)
        _pass(program, 0.4)
        program.press("/")
        _pass(program, 0.4)
        for key, words in (("l", "filter l:"), ("r", "filter lr:"), ("\x7f", "filter l:")):
            _key(program, taken, "key typed into the filter", key, words)
        program.press(ESCAPE)
        _pass(program, 0.4)


def _key(program: Program, taken: Taken, name: str, key: str, words: str) -> None:
    """From a key to the words that it must bring."""
    _pass(program, random.uniform(0.1, 0.3))
    since, sent = len(program.output), program.press(key)
    try:
        came = program.wait_for(words, since, 3.0)
    except TimeoutError:
        came = sent + 3.0
    taken[f"{name}, driven as fast as it goes"].append(1000 * (came - sent))


def _window(program: Program, taken: Taken, name: str, read: Callable[[], None] | None = None) -> None:
    """Processor and output over some seconds."""
    spent, written, begun = program.processor_seconds(), len(program.output), time.perf_counter()
    if read is None:
        _pass(program, SECONDS)
    else:
        read()
    seconds = time.perf_counter() - begun
    taken[f"{name}: processor"].append(100 * (program.processor_seconds() - spent) / seconds)
    taken[f"{name}: output"].append((len(program.output) - written) / seconds / 1000)


def _pass(program: Program, seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        program.read(0.02)


if __name__ == "__main__":
    main()
