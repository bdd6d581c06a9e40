"""Families of metrics as text: Prometheus' format 0.0.4, and OpenMetrics 1.0."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Literal

from console.monitor.counts import Buckets, Exemplar

__all__ = ["Family", "Labels", "trace_id", "written"]

Labels = tuple[tuple[str, str], ...]
"""Names and values of the labels of one series."""
Kind = Literal["counter", "gauge", "histogram", "info"]
_Sample = tuple[str, Labels, float, Exemplar | None]
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_HELP_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})


@dataclass(slots=True)
class Family:
    """A metric with its series. `name` is without the suffix of its kind; `factor` brings values to the base unit."""

    name: str
    kind: Kind
    help: str
    factor: float = 1.0
    _series: dict[Labels, float | Buckets] = field(default_factory=dict)

    def add(self, labels: Labels, value: float | Buckets) -> None:
        """One series; a second one of the same labels is left out, which no scraper would take."""
        self._series.setdefault(tuple((name, _clean(text)) for name, text in labels), value)

    def __bool__(self) -> bool:
        return bool(self._series)

    def samples(self) -> Iterator[_Sample]:
        """All of its samples: suffix, labels, value, and the request that is an example of it."""
        suffix = {"counter": "_total", "info": "_info"}.get(self.kind, "")
        for labels, value in self._series.items():
            if isinstance(value, Buckets):
                yield from self._histogram(labels, value)
            else:
                yield suffix, labels, value * self.factor if self.factor != 1 else value, None

    def _histogram(self, labels: Labels, buckets: Buckets) -> Iterator[_Sample]:
        bounds = (*buckets.bounds, math.inf)
        for place, (bound, count) in enumerate(zip(bounds, accumulate(buckets.counts), strict=True)):
            example = buckets.exemplars.get(place)
            if example is not None:
                example = (example[0], example[1] * self.factor, example[2])
            yield "_bucket", (*labels, ("le", number(bound * self.factor))), count, example
        yield "_sum", labels, buckets.total * self.factor, None
        yield "_count", labels, sum(buckets.counts), None


def written(families: list[Family], *, openmetrics: bool) -> str:
    """A page of metrics."""
    lines = [line for family in families if family for line in _lines(family, openmetrics)]
    return "".join(f"{line}\n" for line in (*lines, *(("# EOF",) if openmetrics else ())))


def trace_id(traceparent: str) -> str:
    """The trace's id in a W3C traceparent; "" where it has none."""
    parts = traceparent.split("-")
    good = len(parts) >= 4 and len(parts[1]) == 32 and set(parts[1]) <= set("0123456789abcdef")
    return parts[1] if good else ""


def number(value: float) -> str:
    """A value as both formats write it."""
    if isinstance(value, int):
        return str(value)
    if math.isinf(value) or math.isnan(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    return repr(float(f"{value:.12g}"))


def _lines(family: Family, openmetrics: bool) -> Iterator[str]:
    name, kind = family.name, family.kind
    suffix = {"counter": "_total", "info": "_info"}.get(kind, "")
    shown = name if openmetrics else name + suffix
    yield f"# HELP {shown} {family.help.translate(_ESCAPES if openmetrics else _HELP_ESCAPES)}"
    yield f"# TYPE {shown} {kind if openmetrics or kind != 'info' else 'gauge'}"
    for end, labels, value, example in family.samples():
        told = ",".join(f'{label}="{text.translate(_ESCAPES)}"' for label, text in labels)
        line = f"{name}{end}{{{told}}} {number(value)}" if told else f"{name}{end} {number(value)}"
        trace = trace_id(example[0]) if openmetrics and example is not None else ""
        if example is not None and trace:
            line += f' # {{trace_id="{trace}"}} {number(example[1])} {example[2]:.3f}'
        yield line


def _clean(text: str) -> str:
    """Text that UTF-8 can hold; what a name has of other bytes is written out."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
