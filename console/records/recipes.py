"""Recipes, as far as a client shows or follows them."""

from __future__ import annotations

from dataclasses import dataclass

from console.records.updates import Mode
from console.records.workers import Target


@dataclass(frozen=True, slots=True)
class RecipeFacts:
    """The recipe of one artifact. `path` is its file, None where there is none and everything is a default.

    `notes` are sentences about what it sets and nothing acts on.
    """

    path: str | None = None
    holdout: str | None = None
    train: str | None = None
    target: Target | None = None
    retrain: Mode = Mode.FIT
    metric: str | None = None
    at_least: float | None = None
    not_worse_by: float | None = None
    max_latency_ratio: float | None = None
    on_change: str = "ask"
    reload_policy: str = "availability"
    python: str | None = None
    notes: tuple[str, ...] = ()
