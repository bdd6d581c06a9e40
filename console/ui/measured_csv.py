"""Measurements of a model as csv: a row for each step of time, an empty cell where nothing was measured."""

from __future__ import annotations

import csv
import io
import math
import time
from array import array
from dataclasses import dataclass
from datetime import UTC, datetime

from console.engine.series import Series
from console.records import METRICS
from console.records.metrics import TABLE, Unit

_WRITTEN: dict[Unit, str] = {"ms": ".4f", "percent": ".4f", "bytes": ".0f", "per second": ".6g", "": ".6g"}
_MEASURED = {metric.column: (metric.name, _WRITTEN[metric.unit]) for metric in TABLE if metric.column}
_COUNTED = tuple(metric.name for metric in TABLE if metric.kind == "rate" and not metric.column)
COLUMNS = ("time_utc", "epoch_s", "step_s", *_COUNTED, "rate_per_s", "batch_rows", *_MEASURED, "marks")
"""Calls are those that were answered, counted in each step as rows and errors are; `batch_rows` is rows by call."""


@dataclass(frozen=True, slots=True)
class Kept:
    """All finished steps of one width as they were kept at one moment, to be written at leisure.

    `first` is the number of the step that the columns begin with, `zero` the time of the epoch at which steps and the
    moments of `marks` begin to count, `steps` are those from the first to the last that have something to tell.
    """

    seconds: float
    first: int
    columns: dict[str, array[float]]
    marks: dict[int, list[str]]
    zero: float
    steps: range

    @classmethod
    def of(cls, measured: Series, seconds: float) -> Kept:
        """The measurements in steps of this width; no steps where nothing was measured."""
        last, columns = measured.kept(seconds)
        calls = columns.get("calls", array("f"))
        first = last + 1 - len(calls)
        told = [first + place for place, value in enumerate(calls) if not math.isnan(value)]
        marks: dict[int, list[str]] = {}
        for mark in measured.markers(first * seconds, math.inf) if told else ():
            marks.setdefault(int(mark.at // seconds), []).append(mark.word)
        telling = [*told[:1], *told[-1:], *marks]
        steps = range(min(telling), max(telling) + 1) if told else range(0)
        return cls(seconds, first, columns, marks, time.time() - measured.clock(), steps)

    def csv(self) -> str:
        """The table, with a header."""
        written = io.StringIO()
        writer = csv.writer(written, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(map(self._row, self.steps))
        return written.getvalue()

    def _row(self, step: int) -> list[str]:
        at = self.zero + step * self.seconds
        now = {metric: value for metric in METRICS if (value := self._value(metric, step)) is not None}
        calls, rows = now.get("calls"), now.get("rows")
        return [
            datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            f"{at:.3f}",
            f"{self.seconds:g}",
            *(str(round(now[metric] * self.seconds)) if metric in now else "" for metric in _COUNTED),
            f"{calls:.6g}" if calls is not None else "",
            f"{rows / calls:.6g}" if calls and rows is not None else "",
            *(format(now[metric], written) if metric in now else "" for metric, written in _MEASURED.values()),
            " ".join(self.marks.get(step, ())),
        ]

    def _value(self, metric: str, step: int) -> float | None:
        place = step - self.first
        value = self.columns[metric][place] if place < len(self.columns[metric]) else math.nan
        return None if math.isnan(value) else value
