"""Measurements of one artifact over time, in pieces: what charts are drawn from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Marker:
    """A word at a moment of the series' clock: "load", "error", "update", "rollback"."""

    at: float
    word: str


@dataclass(frozen=True, slots=True)
class SeriesPosition:
    """How far a client has the bins of one width: `seconds` is the width, `last` the newest bin it has, -1 for none."""

    seconds: float
    last: int = -1


@dataclass(frozen=True, slots=True)
class SeriesBins:
    """Bins of one width, numbered so that bin `n` covers the seconds from `n` times the width on.

    `values` are float32, those of each metric of METRICS one after the other, of the finished bins `first` and later;
    NaN is a gap. `progress` is the one in progress, number `current`. Bins before `first` are the client's own, where
    it has them; those before `kept` nobody keeps.
    """

    seconds: float
    first: int
    current: int
    kept: int
    values: bytes
    progress: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class SeriesChunk:
    """The measurements of one artifact that a client does not have yet.

    `clock` is the moment it was made at, monotonic, its zero means nothing. `latest` are the readings that hold now, in
    the order of GAUGES; `ended` is when the worker ended that was measured. `serial` is another one where the
    series was begun anew.
    """

    serial: int
    clock: float
    calls: int
    ended: float | None
    latest: tuple[float | None, ...]
    markers: tuple[Marker, ...]
    bins: tuple[SeriesBins, ...]
