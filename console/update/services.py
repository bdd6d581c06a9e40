"""Services that every change of an artifact is made with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from console.access.admission import Signers
from console.access.control import AccessControl
from console.access.recipes import Recipes
from console.catalog.artifacts import Artifacts
from console.events import Bus
from console.inspection.decryption import Unsealing
from console.inspection.service import InspectionService
from console.serving.failures import Failures
from console.serving.loader import ModelLoader
from console.serving.supervisor import Supervisor
from console.worker.inspector import Inspectors
from console.worker.launcher import Launcher


@dataclass(slots=True)
class UpdateServices:
    """The rooms of one store's engine that updates, conversions and replacements work in; none of them owns one."""

    root: Path
    artifacts: Artifacts
    inspections: InspectionService
    loader: ModelLoader
    recipes: Recipes
    access: AccessControl
    launcher: Launcher
    inspectors: Inspectors
    supervisor: Supervisor
    unsealing: Unsealing
    signed: Signers
    bus: Bus
    failures: Failures
