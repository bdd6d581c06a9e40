"""Drawing in cells of text: vertical runs of dots become braille characters, or plain ASCII where there is no braille.

A cell is two dots wide and four high. Pure functions: the same values give the same cells, so that a finished column
can be kept and never changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from console.ui.widgets.axis import Scale

DOTS_WIDE = 2
DOTS_HIGH = 4
_LEFT = (0x40, 0x04, 0x02, 0x01)
_RIGHT = (0x80, 0x20, 0x10, 0x08)
_BLANK = 0x2800


class Ink(IntEnum):
    """Styles of drawn cells; where several meet in a cell the highest wins."""

    NONE = 0
    FAINT = 1
    FILL = 2
    OTHER_FAINT = 3
    LINE = 4
    OTHER = 5
    ALARM = 6
    BEYOND = 7
    MARK = 8


_PLAIN = {
    Ink.NONE: " ",
    Ink.FAINT: ".",
    Ink.FILL: ":",
    Ink.OTHER_FAINT: "'",
    Ink.LINE: "*",
    Ink.OTHER: "o",
    Ink.ALARM: "x",
    Ink.BEYOND: "^",
}
_BEYOND = "▲"

Cell = tuple[str, Ink]


@dataclass(frozen=True, slots=True)
class Trace:
    """One thing to draw, from the metrics of a moment.

    `line` joins the values of `metric`; `area` fills up to them; `band` fills from `metric` up to `to`, `sparse` with
    half the dots so that two bands can be told apart without colour.
    """

    kind: Literal["line", "area", "band"]
    metric: str
    ink: Ink
    to: str = ""
    sparse: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """Dots from `low` to `high` (both included, counted from the bottom) in one column of dots."""

    ink: Ink
    low: int
    high: int
    sparse: bool = False


def runs(
    traces: Sequence[Trace],
    values: dict[str, float | None],
    before: dict[str, float | None],
    scale: Scale,
    rows: int,
) -> list[Run]:
    """The runs of one column of dots; `before` holds the values of the column to its left."""
    found = []
    for trace in traces:
        value = values[trace.metric]
        if value is None:
            continue
        here = _height(value, scale, rows)
        if scale.share(value) > 1:
            found.append(Run(Ink.BEYOND, rows * DOTS_HIGH - 1, rows * DOTS_HIGH - 1))
        if trace.kind == "line":
            found.append(Run(trace.ink, *_joined(here, before[trace.metric], scale, rows)))
        elif trace.kind == "area":
            if value > 0 or trace.ink is not Ink.ALARM:
                edge = Ink.LINE if trace.ink is Ink.FILL else trace.ink
                found.append(Run(trace.ink, 0, here))
                found.append(Run(edge, here, here))
        else:
            end = values[trace.to]
            if end is not None:
                if scale.share(end) > 1 and scale.share(value) <= 1:
                    found.append(Run(Ink.BEYOND, rows * DOTS_HIGH - 1, rows * DOTS_HIGH - 1))
                found.append(Run(trace.ink, here, max(here, _height(end, scale, rows)), trace.sparse))
    return found


def braille_column(left: Sequence[Run], right: Sequence[Run], rows: int) -> list[Cell]:
    """The cells of one column, top first."""
    bits = [0] * rows
    inks = [Ink.NONE] * rows
    for half, column, masks in ((0, left, _LEFT), (1, right, _RIGHT)):
        for run in column:
            for dot in range(run.low, run.high + 1):
                if run.sparse and (dot + half) % 2 and dot != run.high:
                    continue
                row = rows - 1 - dot // DOTS_HIGH
                bits[row] |= masks[dot % DOTS_HIGH]
                if run.ink > inks[row]:
                    inks[row] = run.ink
    return [_cell(mask, ink) for mask, ink in zip(bits, inks, strict=True)]


def ascii_column(left: Sequence[Run], right: Sequence[Run], rows: int) -> list[Cell]:
    """The same in plain characters, one for what covers most of the cell's meaning."""
    inks = [Ink.NONE] * rows
    for run in (*left, *right):
        for row in range(rows - 1 - run.high // DOTS_HIGH, rows - run.low // DOTS_HIGH):
            inks[row] = max(inks[row], run.ink)
    return [(_PLAIN[ink], ink) for ink in inks]


def inked_runs(cells: Iterable[Cell]) -> list[Cell]:
    """The cells in as few pieces as can be: a blank has no ink and joins what stands before it."""
    found: list[Cell] = []
    text, now = "", Ink.NONE
    for char, ink in cells:
        if ink not in (now, Ink.NONE) and text.strip(" "):
            found.append((text, now))
            text = ""
        now = now if ink is Ink.NONE else ink
        text += char
    return [*found, (text, now)]


def _cell(mask: int, ink: Ink) -> Cell:
    if ink is Ink.BEYOND:
        return _BEYOND, ink
    return chr(_BLANK + mask) if mask else " ", ink


def _height(value: float, scale: Scale, rows: int) -> int:
    dots = rows * DOTS_HIGH
    return min(dots - 1, max(0, round(scale.share(value) * (dots - 1))))


def _joined(here: int, before: float | None, scale: Scale, rows: int) -> tuple[int, int]:
    """The dots that join a value to the one before it: up to its neighbour's height, its own dot included."""
    if before is None:
        return here, here
    there = _height(before, scale, rows)
    if there < here:
        return there + 1, here
    return here, max(here, there - 1)
