"""The value axis of a chart: nice ends and ticks, and units that fit what is shown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

_NICE = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
_TALL = 11
_FLAT = 5
_AIR = 1.04


class Unit(Enum):
    """The unit of a value: (suffix, how many of the base unit) from fine to coarse."""

    DURATION = (("µs", 1e-3), ("ms", 1.0), ("s", 1e3), ("min", 6e4))
    BYTES = (("KB", 2.0**10), ("MB", 2.0**20), ("GB", 2.0**30), ("TB", 2.0**40))
    RATE = (("/s", 1.0), ("k/s", 1e3), ("M/s", 1e6))
    PERCENT = (("%", 1.0),)


_LEAST = {Unit.DURATION: 0.001, Unit.BYTES: 1024.0, Unit.RATE: 2.0, Unit.PERCENT: 10.0}


@dataclass(frozen=True, slots=True)
class Scale:
    """From 0 to `top` (in base units: ms, bytes, per second, percent) in `parts` equal parts, written in `suffix`."""

    top: float
    parts: int
    suffix: str
    factor: float

    @classmethod
    def fit(cls, highest: float, unit: Unit, rows: int) -> Scale:
        """The smallest nice scale of `rows` rows of cells that holds `highest` with a little air above."""
        parts = 4 if rows >= _TALL else 2 if rows >= _FLAT else 1
        highest = max(highest * _AIR, _LEAST[unit])
        suffix, factor = next((pair for pair in reversed(unit.value) if highest >= pair[1]), unit.value[0])
        step = highest / factor / parts
        power = 10.0 ** math.floor(math.log10(step))
        nice = next(step_size for step_size in _NICE if step_size * power >= step * (1 - 1e-9))
        return cls(nice * power * parts * factor, parts, suffix, factor)

    def share(self, value: float) -> float:
        """Where `value` stands between bottom (0) and top (1); it may lie beyond."""
        return value / self.top

    def labels(self, rows: int) -> dict[int, str]:
        """The tick labels by row of cells, counted from the top."""
        found = {}
        for part in range(self.parts + 1):
            row = round((rows - 1) * (1 - part / self.parts))
            found[row] = f"{self.top / self.factor * part / self.parts:g}"
        return found

    def amount(self, value: float) -> str:
        """`value` in the axis' unit with two or three digits."""
        scaled = value / self.factor
        if scaled < 0.995:
            return f"{scaled:.2f}" if scaled >= 0.005 else "0"
        return f"{scaled:.1f}" if scaled < 9.95 else f"{scaled:.0f}"


def highest_shown(values: list[float]) -> float:
    """How high an axis must reach for these values: a few outliers far above all others are left to be clipped."""
    if not values:
        return 0.0
    ordered = sorted(values)
    usual = ordered[int(0.95 * (len(ordered) - 1))]
    return ordered[-1] if len(ordered) < _ENOUGH or ordered[-1] <= _FAR * usual else 2 * usual


_ENOUGH = 20
_FAR = 3.0
