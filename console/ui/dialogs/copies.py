"""How many workers of one model there are to be."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from console.safe_text import safe
from console.ui import text
from console.ui.throttled_screen import Paced
from console.ui.widgets.line_list import LineList

CHOICES = (1, 2, 3, 4, 6, 8)


class CopiesScreen(ModalScreen[int | None], Paced[int | None]):
    """Numbers to choose from; answers with the chosen one, None for none. A digit chooses at once."""

    BINDINGS = [
        Binding("escape,q,ctrl+c", "leave", show=False),
        Binding("enter", "choose", show=False),
        *(Binding(str(number), f"take({number})", show=False) for number in range(1, 10)),
    ]
    AUTO_FOCUS = "LineList"

    def __init__(self, path: str, now: int) -> None:
        super().__init__()
        self._path = path
        self._now = now

    def compose(self) -> ComposeResult:
        """The question and the numbers."""
        with Vertical(classes="dialog"):
            yield Static(Content(f"How many workers shall answer for {safe(self._path)}?"), classes="question")
            yield LineList()
            yield Static(
                Content("Processes of their own that share large arrays; enter or a digit takes it, esc leaves it"),
                classes="hint",
            )

    def on_mount(self) -> None:
        """Fill the list, with the cursor on what is now."""
        numbers = self.query_one(LineList)
        choices = sorted({*CHOICES, self._now})
        lines = []
        for number in choices:
            words = text.count(number, "worker")
            lines.append((str(number), Content.assemble((words, "bold"), "  as now" if number == self._now else "")))
        numbers.show(lines)
        numbers.select(str(self._now))
        numbers.styles.height = len(choices)

    def action_take(self, number: int) -> None:
        """This number."""
        self.dismiss(number)

    def action_choose(self) -> None:
        """Take the one under the cursor."""
        self.dismiss(int(str(self.query_one(LineList).key)))

    @on(LineList.Chosen)
    def _clicked(self) -> None:
        self.action_choose()

    def action_leave(self) -> None:
        """As it is."""
        self.dismiss(None)
