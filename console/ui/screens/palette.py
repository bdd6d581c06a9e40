"""Everything by name: the actions of the screen below, the models of the store, the themes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from console.safe_text import safe
from console.ui import text
from console.ui.keys import EVERYWHERE, Action, actions_at, shown_keys
from console.ui.screens.base import ConsoleScreen
from console.ui.screens.paced import Paced
from console.ui.themes import THEMES
from console.ui.widgets.line_input import LineInput
from console.ui.widgets.line_list import Item, LineList

_MOST = 200
"""Lines the list takes; who looks for more types more."""


class PaletteScreen(ModalScreen[Callable[[], None] | None], Paced[Callable[[], None] | None]):
    """A line to type on and what matches: words in any order, anywhere in the name."""

    BINDINGS = [
        Binding("escape", "leave", show=False),
        Binding("down,ctrl+n", "move('down')", show=False),
        Binding("up,ctrl+p", "move('up')", show=False),
        Binding("pagedown", "move('page-down')", show=False),
        Binding("pageup", "move('page-up')", show=False),
    ]
    AUTO_FOCUS = "Input"

    def __init__(self, below: ConsoleScreen) -> None:
        super().__init__()
        self._below = below
        self._actions: dict[str, Action] = {
            action.id: action
            for place in (below.PLACE, EVERYWHERE)
            for action in actions_at(place)
            if below.allowed(action.id) and action.id not in ("command", "back")
        }

    def compose(self) -> ComposeResult:
        """The line, and the list below it."""
        with Vertical(classes="dialog palette"):
            yield LineInput(placeholder="an action, a model or a theme", classes="typed")
            yield LineList()
            yield Static("", classes="hint", markup=False)

    def on_mount(self) -> None:
        """Everything, to begin with."""
        self.query_one(LineList).can_focus = False
        self.query_one(".dialog").border_title = Content("command")
        self._fill("")

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._fill(event.value)

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self._run()

    @on(LineList.Chosen)
    def _clicked(self) -> None:
        self._run()

    def _fill(self, wanted: str) -> None:
        words = wanted.casefold().split()
        items: list[Item] = []
        for item in self._all():
            said = item[1].plain.casefold()
            if all(word in said for word in words):
                items.append(item)
                if len(items) >= _MOST:
                    break
        found = self.query_one(LineList)
        found.show(items)
        found.action_do("top")
        self.query_one(".hint", Static).update(Content("" if items else "nothing has that name"))

    def _all(self) -> Iterator[Item]:
        for action in self._actions.values():
            keys = shown_keys(action, first=True)
            yield (
                ("action", action.id),
                Content.assemble(
                    (f"{keys:<6}", "bold $accent"), (f"{action.label:<16}", "bold"), (action.help, "$quiet")
                ),
            )
        for name in THEMES:
            yield ("theme", name), Content.assemble(("theme ".ljust(6), "$quiet"), (name, "bold"))
        for path, row in self._below.console_app.rows.by_path.items():
            yield (
                ("model", path),
                Content.assemble(
                    ("model ".ljust(6), "$quiet"),
                    (text.cut_middle(safe(path), 50), "bold"),
                    (f"  {text.class_words(row.artifact)}", "$quiet"),
                ),
            )

    def _run(self) -> None:
        key = self.query_one(LineList).key
        app, below = self._below.console_app, self._below
        self.dismiss(None)
        if not isinstance(key, tuple):
            return
        kind, what = key
        if kind == "action":
            below.call_later(below.action_do, what)
        elif kind == "theme":
            app.theme = what
        else:
            app.open_model(what)

    def action_move(self, step: str) -> None:
        """Move in the list without leaving the line."""
        self.query_one(LineList).action_do(step)

    def action_leave(self) -> None:
        """Nothing."""
        self.dismiss(None)
