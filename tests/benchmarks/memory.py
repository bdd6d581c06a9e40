"""The memory that is forecast for models, beside what their workers take: of all formats that run here.

Each is loaded as the console loads it, by forks of a process that has the libraries imported where its verdict allows
it; with `--alone` as a command does, in a process that shares nothing. A figure is the measured private memory by the
forecast: 1 is right.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from console.config import Settings
from console.engine.local import Engine
from console.records import MemoryForecast
from tests.benchmarks import figures
from tests.benchmarks.figures import Figure
from tests.benchmarks.memory_models import MODELS

NEAR = 0.25
"""A forecast is near where the measured memory differs from it by at most this share."""


@dataclass(frozen=True)
class Seen:
    """One model: its forecast, and the private bytes of the worker that holds it."""

    name: str
    format: str
    told: MemoryForecast
    private: int

    @property
    def ratio(self) -> float:
        """Measured by forecast."""
        return self.private / self.told.expected

    @property
    def is_near(self) -> bool:
        """Whether they differ by at most a quarter."""
        return abs(self.ratio - 1) <= NEAR

    @property
    def is_within(self) -> bool:
        """Whether it lies in the range that is told."""
        return self.told.low <= self.private <= self.told.high


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = figures.parser(__doc__)
    parser.add_argument("--alone", action="store_true", help="as commands load: no process is there to fork from")
    parser.add_argument("--torch", metavar="PYTHON", help="an interpreter that has PyTorch")
    parser.add_argument("--keras", metavar="PYTHON", help="an interpreter that has Keras with PyTorch")
    parser.add_argument("--models", metavar="DIR", type=Path, help="where the models are kept, if they are")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch:
        root = arguments.models or Path(scratch)
        root.mkdir(parents=True, exist_ok=True)
        named = {"torch": arguments.torch, "keras": arguments.keras}
        others = [f"{name}={python}" for name, python in named.items() if python]
        command = [sys.executable, "-W", "ignore", "-m", f"{__package__}.memory_models", str(root), *others]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seen, missed = asyncio.run(measured(root, warm=not arguments.alone))
    notes = [*missed, summary(seen)]
    if arguments.json:
        told = [Figure(f"{one.name}: measured by forecast", "", (one.ratio,)) for one in seen]
        records = [figures.as_record(one, told) for one in told]
        print(json.dumps({"machine": figures.machine(), "figures": records, "notes": notes}, indent=2))
    else:
        print("\n".join([*table(seen), *notes]))


async def measured(root: Path, *, warm: bool) -> tuple[list[Seen], list[str]]:
    """Each of the models that are there, and why one could not be loaded."""
    seen, missed = [], []
    engine = await Engine.open(root, Settings(), watch=False)
    try:
        standby = engine._launcher.stand_by() if warm else None
        for made in MODELS:
            if not (root / made.name).exists():
                continue
            if standby is not None:
                await standby.ready()
            report = await engine.artifacts.report(made.name)
            told = await engine.artifacts.forecast(made.name)
            models = report.inspection.models if report.inspection is not None else ()
            try:
                await engine.models.load(made.name, at=models[0].at if models else "", accept="it was made here")
            except Exception as error:
                missed.append(f"{made.name} was not loaded: {error}")
                continue
            memory = await engine.monitor.memory(made.name)
            await engine.models.unload(made.name)
            if told is None or memory is None or memory.private is None:
                missed.append(f"{made.name}: nothing is forecast, or nothing could be measured")
            else:
                seen.append(Seen(made.name, report.artifact.format or "", told, memory.private))
    finally:
        await engine.close()
    return seen, missed


def table(seen: Sequence[Seen]) -> list[str]:
    """A line for each, in megabytes."""
    width = max((len(one.name) for one in seen), default=0)
    lines = [f"{'MB':{width}}  {'format':<13} {'forecast':>8} {'range':>13} {'measured':>8}  ratio"]
    for one in seen:
        told = one.told
        span = f"{told.low / 1e6:.0f} to {told.high / 1e6:.0f}"
        numbers = f"{told.expected / 1e6:8.1f} {span:>13} {one.private / 1e6:8.1f}  {one.ratio:5.2f}"
        marks = ("" if one.is_near else "  off") + ("" if one.is_within else "  out of range")
        lines.append(f"{one.name:{width}}  {one.format:<13} {numbers}{marks}")
    return lines


def summary(seen: Sequence[Seen]) -> str:
    """How many forecasts are near, and how many ranges hold."""
    near, within = sum(one.is_near for one in seen), sum(one.is_within for one in seen)
    return f"{near} of {len(seen)} within 25 % of the forecast, {within} of {len(seen)} within the range"


if __name__ == "__main__":
    main()
