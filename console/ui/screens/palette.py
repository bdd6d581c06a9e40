"""Everything by name: the actions of the screen below, the models of the store, the themes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static
from textual.worker import WorkerCancelled

from console.records import Artifact
from console.safe_text import safe
from console.ui import states, text
from console.ui.keys import EVERYWHERE, Action, actions_at, shown_keys
from console.ui.paced import Paced
from console.ui.screens.base import ConsoleScreen
from console.ui.themes import THEMES
from console.ui.widgets.line_input import LineInput
from console.ui.widgets.line_list import Item, LineList

_MOST = 200
"""Lines the list takes; who looks for more types more."""
_AT_ONCE = 2_000
"""Names looked at in one turn of the event loop: about three milliseconds."""


class PaletteScreen(ModalScreen[Callable[[], None] | None], Paced[Callable[[], None] | None]):
    """A line to type on and what matches: words in any order, anywhere in the name."""

    BINDINGS = [
        Binding("escape,ctrl+c", "leave", show=False),
        Binding("down,ctrl+n", "move('down')", show=False),
        Binding("up,ctrl+p", "move('up')", show=False),
        Binding("pagedown", "move('page-down')", show=False),
        Binding("pageup", "move('page-up')", show=False),
    ]
    AUTO_FOCUS = "Input"

    def __init__(self) -> None:
        super().__init__()
        self._below: ConsoleScreen | None = None
        self._actions: dict[str, Action] = {}

    def begin(self, below: ConsoleScreen) -> None:
        """Offer what can be done on the screen below, with nothing typed yet."""
        self._below = below
        self._actions = {
            action.id: action
            for place in (below.PLACE, EVERYWHERE)
            for action in actions_at(place)
            if below.allowed(action.id) and action.id not in ("command", "back")
        }
        typed = self.query_one_optional(Input)
        if typed is not None:
            with typed.prevent(Input.Changed):
                typed.value = ""
            typed.focus()
            self._search("")

    def compose(self) -> ComposeResult:
        """The line, and the list below it."""
        with Vertical(classes="dialog palette"):
            yield LineInput(placeholder="an action, a model or a theme", classes="typed")
            yield LineList()
            yield Static(Content("nothing has that name"), classes="hint nothing")

    def on_mount(self) -> None:
        """Everything, to begin with."""
        self.query_one(LineList).can_focus = False
        self.query_one(".dialog").border_title = Content("command")
        self._search("")

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._search(event.value)

    @on(Input.Submitted)
    async def _submitted(self) -> None:
        await self._found()
        self._run()

    @on(LineList.Chosen)
    async def _clicked(self, message: LineList.Chosen) -> None:
        """Run what was clicked on, if what is typed by now still finds it."""
        await self._found()
        listed = self.query_one(LineList)
        listed.select(message.key)
        if listed.key == message.key:
            self._run()

    async def _found(self) -> None:
        """Wait until the list shows what was typed."""
        with suppress(WorkerCancelled):
            await self._searching.wait()

    def _search(self, wanted: str) -> None:
        self._searching = self.run_worker(self._fill(wanted), group="search", exclusive=True)

    async def _fill(self, wanted: str) -> None:
        """Show what matches; over a large store it takes several turns of the event loop."""
        words = wanted.casefold().split()
        items: list[Item] = []
        for number, (said, key, shown) in enumerate(self._all(), 1):
            known = said.casefold()
            if all(word in known for word in words):
                items.append((key, shown()))
                if len(items) >= _MOST:
                    break
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        found = self.query_one(LineList)
        found.show(items)
        found.action_do("top")
        self.query_one(".hint").set_class(bool(items), "nothing")

    def _all(self) -> Iterator[tuple[str, tuple[str, str], Callable[[], Content]]]:
        """What each is found by, what it is, and how its line is drawn."""
        for action in self._actions.values():
            keys = shown_keys(action, first=True)
            said = f"{keys} {action.label} {action.help}"
            yield said, ("action", action.id), partial(_action_line, keys, action)
        for name in THEMES:
            yield f"theme {name}", ("theme", name), partial(_line, "theme", name)
        if self._below is None:
            return
        for artifact in self._below.engine.artifacts.rows():
            said = f"model {artifact.path} {states.class_words(artifact)}"
            yield said, ("model", artifact.path), partial(_model_line, artifact)

    def _run(self) -> None:
        key = self.query_one(LineList).key
        below = self._below
        self.dismiss(None)
        if below is None or not isinstance(key, tuple):
            return
        app = below.console_app
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


def _action_line(keys: str, action: Action) -> Content:
    return Content.assemble((f"{keys:<6}", "bold $accent"), (f"{action.label:<16}", "bold"), (action.help, "$quiet"))


def _model_line(artifact: Artifact) -> Content:
    return _line("model", text.cut_middle(safe(artifact.path), 50), f"  {states.class_words(artifact)}")


def _line(kind: str, name: str, more: str = "") -> Content:
    return Content.assemble((f"{kind:<6}", "$quiet"), (name, "bold"), (more, "$quiet"))
