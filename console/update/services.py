"""What every change of an artifact is made with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from console.access.admission import Signers
from console.access.control import Book
from console.access.recipes import Recipes
from console.catalog.artifacts import Artifacts
from console.events import Bus
from console.inspection.decryption import Unsealing
from console.inspection.service import Facts
from console.serving.failures import Failures
from console.serving.loader import Starter
from console.serving.supervisor import Fleet
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
