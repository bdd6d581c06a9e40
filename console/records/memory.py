"""The memory that a model is expected to take, before it is loaded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MemoryForecast:
    """Private memory of a worker that would hold an artifact, in bytes: `expected`, and between which bounds.

    `least` is what it has to hold at least with all that it shares with others, `limit` what one worker may; `free` is
    what this machine, or the control group of the engine, can still give out (None = nothing tells). It `fits` unless
    `least` is over `limit`, or `low` over `free`.
    """

    expected: int
    low: int
    high: int
    least: int
    free: int | None
    limit: int
    fits: bool
