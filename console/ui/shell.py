"""The application as its screens see it."""

from __future__ import annotations

from typing import Protocol

from console.records import Event
from console.ui.framed import Outer
from console.ui.marked import Marked
from console.ui.operations import Operations


class Shell(Outer, Protocol):
    """A host that also has the operations and the way to the other screens."""

    theme: str

    @property
    def operations(self) -> Operations:
        """What the keys about one artifact do."""
        ...

    @property
    def marked(self) -> Marked:
        """What the keys about all that is marked do."""
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

    def show_home(self) -> None:
        """The table of all models."""
        ...

    def open_model(self, path: str, tab: str = "overview") -> None:
        """The screen of one model."""
        ...

    def show_charts(self) -> None:
        """Small charts of all loaded models."""
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

    def leave(self) -> None:
        """Quit."""
        ...

    def failed_by_itself(self, error: Exception) -> None:
        """A defect of ours in the background: end with one sentence."""
        ...
