"""The running application, typed: the one place below it that names its class."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from textual.widget import Widget

    from console.ui.app import ConsoleApp
    from console.ui.screens.base import ConsoleScreen

__all__ = ["ConsoleApp", "screen_of"]


def screen_of(widget: Widget) -> ConsoleScreen:
    """The full screen that a widget is on."""
    return cast("ConsoleScreen", widget.screen)
