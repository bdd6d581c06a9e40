"""Figures of repeated runs: median and spread, as a table for people or as JSON with machine, versions and date."""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

Record = dict[str, Any]
LIBRARIES = ("textual", "numpy", "scikit-learn", "joblib")


@dataclass(frozen=True)
class Figure:
    """One thing measured several times; `beside` is the figure it is compared with."""

    name: str
    unit: str
    values: tuple[float, ...]
    beside: str = ""

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    def quantile(self, share: float) -> float:
        """The value at or below which this share of all lies (nearest rank)."""
        ranked = sorted(self.values)
        return ranked[max(0, math.ceil(share * len(ranked)) - 1)]


def parser(words: str | None) -> argparse.ArgumentParser:
    """The arguments of every measurement."""
    made = argparse.ArgumentParser(description=(words or "").partition("\n")[0])
    made.add_argument("--json", action="store_true", help="write JSON to stdout")
    made.add_argument("--runs", type=int, default=7, help="how often each is measured, in turn")
    return made


def show(figures: Sequence[Figure], *, as_json: bool) -> None:
    """Print all of them."""
    records = [as_record(one, figures) for one in figures]
    if as_json:
        print(json.dumps({"machine": machine(), "figures": records}, indent=2))
    else:
        print("\n".join(table(records)))


def table(records: Sequence[Record]) -> Iterable[str]:
    """One line a figure: runs, median, least, p99, most, and the ratio to the one beside it."""
    width = max((len(str(one["name"])) for one in records), default=0)
    yield f"{'':{width}}  {'runs':>5} {'median':>9} {'min':>9} {'p99':>9} {'max':>9}  unit    ratio"
    for one in records:
        numbers = " ".join(f"{one[part]:9.2f}" for part in ("median", "min", "p99", "max"))
        ratio = "" if one["ratio"] is None else f"{one['ratio']:.2f}"
        yield f"{one['name']:{width}}  {one['runs']:5} {numbers}  {one['unit']:6}  {ratio}".rstrip()


def ratio_of(one: Figure, figures: Iterable[Figure]) -> float | None:
    """Its median by that of the figure beside it."""
    other = next((other for other in figures if other.name == one.beside), None)
    return None if other is None or not other.median else one.median / other.median


def as_record(one: Figure, figures: Iterable[Figure]) -> Record:
    """A figure as JSON."""
    return {
        "name": one.name,
        "unit": one.unit,
        "runs": len(one.values),
        "median": one.median,
        "min": min(one.values),
        "p99": one.quantile(0.99),
        "max": max(one.values),
        "beside": one.beside or None,
        "ratio": ratio_of(one, figures),
    }


def machine() -> dict[str, object]:
    """Where and when this was measured."""
    return {
        "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "governor": _governor(),
        "system": platform.platform(),
        "load": [round(one, 2) for one in os.getloadavg()],
        "python": platform.python_version(),
        "versions": {name: version(name) for name in LIBRARIES},
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as lines:
            return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    except OSError:
        return platform.machine()


def _governor() -> str | None:
    """How the first processor's clock is governed; None where the system does not say (a virtual machine's)."""
    try:
        return Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").read_text("ascii").strip()
    except OSError:
        return None
