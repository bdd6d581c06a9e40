"""What every change of an artifact is made with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from console.events import Bus
from console.loading.admission import Signers
from console.loading.artifacts import Artifacts
from console.loading.facts import Facts
from console.loading.failures import Failures
from console.loading.fleet import Fleet
from console.loading.recipes import Recipes
from console.loading.record import Book
from console.loading.starting import Starter
from console.loading.unsealing import Unsealing
from console.worker.launcher import Launcher

__all__ = ["Workshop"]


@dataclass(slots=True)
class Workshop:
    """The rooms of one store's engine that updates, conversions and replacements work in; none of them owns one."""

    root: Path
    artifacts: Artifacts
    facts: Facts
    starter: Starter
    recipes: Recipes
    book: Book
    launcher: Launcher
    fleet: Fleet
    unsealing: Unsealing
    signed: Signers
    bus: Bus
    failures: Failures
