"""The memory that a model is expected to take, before it is loaded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MemoryForecast:
    """Private memory of a worker that would hold an artifact, in bytes: `expected`, and between which bounds.

    `free` is what this machine, or the control group of the engine, can still give out (None = nothing tells), `limit`
    what one worker may hold. It `fits` unless even the lower bound is more than one of them.
    """

    expected: int
    low: int
    high: int
    free: int | None
    limit: int
    fits: bool
