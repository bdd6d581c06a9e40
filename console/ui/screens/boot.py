"""The screen while the store is being opened, or when it could not be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from console.safe_text import safe
from console.ui.keys import EVERYWHERE, bindings_at
from console.ui.screens.base import ConsoleScreen

if TYPE_CHECKING:
    from console.errors import ConsoleError

_BEFORE_OPEN = ("quit", "help")


class BootScreen(ConsoleScreen):
    """The first picture: it is there before anything is read."""

    PLACE = "boot"
    BINDINGS = bindings_at(EVERYWHERE)
    FOOTER = ("quit",)

    @property
    def crumbs(self) -> Sequence[str]:
        """None: everything else lies on top of this screen."""
        return ()

    def content(self) -> Iterable[Widget]:
        """One sentence in the middle."""
        yield Static(Content.assemble(("opening ", "$quiet"), safe(self.app.root)), id="notice")

    def allowed(self, action_id: str) -> bool:
        """Nothing but leaving makes sense yet."""
        return action_id in _BEFORE_OPEN

    def failed(self, error: ConsoleError) -> None:
        """Say why the store cannot be opened and what to do."""
        parts: list[str | tuple[str, str]] = [("cannot open this store\n\n", "bold $error"), safe(error.message)]
        if error.hint:
            parts.append((f"\n\n{safe(error.hint)}", "$quiet"))
        self.query_one("#notice", Static).update(Content.assemble(*parts))
