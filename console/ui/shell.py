"""The application as its screens see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from console.records import Event, Layer
from console.ui.host import Host
from console.ui.operations import Operations


class Framed(Protocol):
    """A screen as the widgets of its frame see it."""

    @property
    def console_app(self) -> Shell:
        """The application."""
        ...

    @property
    def crumbs(self) -> Sequence[str]:
        """Where the operator is, after the store's name."""
        ...

    def footer_actions(self) -> Sequence[str]:
        """The ids of the actions that matter here and now."""
        ...

    def can(self, action: str) -> bool:
        """Whether an action makes sense now."""
        ...

    def allowed(self, action: str) -> bool:
        """Whether an action is there at all: read-only mode takes some away."""
        ...

    def action_do(self, action: str) -> None:
        """Do it."""
        ...


class Shell(Host, Protocol):
    """A host that also has the operations, the way to the other screens, and the frame around them all."""

    root: Path
    theme: str

    @property
    def operations(self) -> Operations:
        """What the keys about one artifact do."""
        ...

    def arrange(self, **order: object) -> None:
        """Sort or filter anew, in the background."""
        ...

    def spread(self, events: tuple[Event, ...]) -> None:
        """Tell the screens that something changed."""
        ...

    def copy(self, what: str, name: str) -> None:
        """Put text where the operator can paste it."""
        ...

    def sandbox_layers(self) -> Mapping[str, Layer]:
        """The layers of the worker with the fewest active ones."""
        ...

    def open_model(self, path: str) -> None:
        """The screen of one model."""
        ...

    def show_errors(self, path: str | None = None, failure: int | None = None) -> None:
        """The failures."""
        ...

    def show_events(self) -> None:
        """What happened."""
        ...

    def show_update(self, path: str) -> None:
        """Retraining one model."""
        ...

    def show_history(self, path: str) -> None:
        """The versions of one model."""
        ...

    def show_trust(self, path: str) -> None:
        """Why the verdict on one model."""
        ...

    def show_sandbox(self, path: str | None = None) -> None:
        """What holds a worker."""
        ...

    def show_help(self, place: str) -> None:
        """All keys, those of `place` first."""
        ...

    def show_palette(self) -> None:
        """Everything by name."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether the store is open."""
        ...

    def leave(self) -> None:
        """Quit."""
        ...

    def failed_by_itself(self, error: Exception) -> None:
        """A defect of ours in the background: end with one sentence."""
        ...
