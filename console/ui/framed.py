"""Screen and application as the lines around a screen see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from console.records import Layer
from console.ui.host import Host


class Outer(Host, Protocol):
    """A host that knows what the status line tells of the whole store."""

    root: Path

    @property
    def is_open(self) -> bool:
        """Whether the store is open."""
        ...

    def sandbox_layers(self) -> Mapping[str, Layer]:
        """The layers of the worker with the fewest active ones."""
        ...


class Framed(Protocol):
    """A screen as the widgets of its frame see it."""

    @property
    def console_app(self) -> Outer:
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

    def label(self, action: str) -> str:
        """An action's word in the footer."""
        ...

    def allowed(self, action: str) -> bool:
        """Whether an action is there at all: read-only mode takes some away."""
        ...

    def action_do(self, action: str) -> None:
        """Do it."""
        ...
