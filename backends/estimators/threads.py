"""Fitted objects kept to one thread and one process, as the limits of a worker want it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

Change = tuple[str, Any, int]
"""A part's place, the part, and the n_jobs it had."""


def quieten(model: Any) -> list[Change]:
    """Keep the model to one thread and one process, as the limits want it; returns what was changed."""
    changes: list[Change] = []
    for path, part in _parts(model):
        jobs = getattr(part, "__dict__", {}).get("n_jobs")
        if isinstance(jobs, int) and jobs not in (0, 1):
            part.n_jobs = 1
            changes.append((path, part, jobs))
    return changes


def notes_of(changes: list[Change]) -> list[str]:
    """The changes in words."""
    return [f"{path or 'the model'}: n_jobs={jobs} runs as n_jobs=1 in a worker" for path, _part, jobs in changes]


@contextmanager
def as_trained(changes: list[Change]) -> Iterator[None]:
    """While the model is saved, it is again what the file said."""
    for _path, part, jobs in changes:
        part.n_jobs = jobs
    try:
        yield
    finally:
        for _path, part, _jobs in changes:
            part.n_jobs = 1


def _parts(model: Any, path: str = "", depth: int = 0) -> list[Any]:
    """The model and what it is built of, where scikit-learn keeps it: steps, estimator, transformers."""
    if depth > 8 or not hasattr(model, "__dict__"):
        return []
    found = [(path, model)]
    for name in ("estimator", "base_estimator", "best_estimator_", "estimator_", "final_estimator_", "regressor_"):
        part = vars(model).get(name)
        if part is not None and hasattr(part, "get_params") and not isinstance(part, type):
            found += _parts(part, f"{path}.{name}".lstrip("."), depth + 1)
    for name in ("steps", "transformers_", "transformer_list", "estimators_"):
        parts = vars(model).get(name)
        for part in parts if isinstance(parts, list) and len(parts) <= 200 else ():
            if isinstance(part, tuple) and len(part) >= 2 and hasattr(part[1], "get_params"):
                found += _parts(part[1], f"{path}.{part[0]}".lstrip("."), depth + 1)
    return found
