"""The room of models in service, wired from the parts it stands on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from console.access.control import AccessControl
from console.access.recipes import Recipes
from console.events import Bus
from console.records import Artifact, Report, Signature
from console.serving.answering import Answering
from console.serving.counting import Counting
from console.serving.endpoints import Endpoints
from console.serving.failures import Failures
from console.serving.histories import Histories
from console.serving.retained import Judging, Signers, retained_fleet
from console.serving.served_models import ServedModels
from console.serving.served_names import ServedNames
from console.serving.served_settings import ServedSettings
from console.serving.service import Serving
from console.serving.supervisor import Supervisor
from console.worker.launcher import Launcher


class Catalogue(Protocol):
    """The artifacts of the store."""

    @property
    def scanning(self) -> bool:
        """Whether the first scan still runs, or is to come."""
        ...

    def rows(self) -> tuple[Artifact, ...]:
        """All rows, in order of path."""
        ...

    def row(self, path: str) -> Artifact | None:
        """One row."""
        ...

    async def report(self, path: str) -> Report:
        """The report on one artifact, inspected when there is none. Raises InputError."""
        ...


def opened(
    fleet: Supervisor,
    judging: Judging,
    launcher: Launcher,
    access: AccessControl,
    recipes: Recipes,
    artifacts: Catalogue,
    failures: Failures,
    bus: Bus,
    *,
    root: Callable[[], Path],
    signed: Signers,
    signature: Callable[[str], Signature | None],
    end_driver: Callable[[str], Awaitable[object]],
    deadline_s: float,
    restarts: bool,
    counting: Counting,
) -> Serving:
    """The room; arguments are as those of what they are for."""
    settings = ServedSettings(recipes.written)
    names = ServedNames(artifacts.rows, artifacts.row, lambda: artifacts.scanning, settings)
    retained, told, loader = retained_fleet(
        judging, launcher, access, signed, recipes.python, deadline_s, failures, bus, restarts=restarts
    )
    histories = Histories(root)
    endpoints = Endpoints(
        histories, artifacts.row, lambda: artifacts.scanning, names, settings, fleet, retained, bus, told
    )
    return Serving(
        endpoints,
        Answering(endpoints, access, counting.record),
        ServedModels(endpoints, signature),
        access,
        artifacts.rows,
        artifacts.report,
        end_driver,
        counting,
        loader,
        told,
    )
