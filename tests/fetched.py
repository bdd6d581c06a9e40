"""The measurements of a recorder as a client fetches them."""

from __future__ import annotations

from collections.abc import Iterable

from console.engine.codec import decode, encode
from console.engine.series import Series
from console.monitor.series import Recorder
from console.records import WIDTHS, SeriesChunk


def fetched(recorder: Recorder, series: Series | None = None, widths: Iterable[float] = WIDTHS) -> Series:
    """All that is measured by now, in a series that was fetched before or in a new one."""
    series = Series() if series is None else series
    assert series.take(decode(encode(recorder.chunk(series.wanted(widths))), SeriesChunk))
    return series
