"""The command line of `:`, and everything by name: actions, models, themes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from console.errors import ConsoleError, UsageError
from console.safe_text import safe
from console.ui.commands import SETTINGS
from console.ui.dialogs.picking import PickScreen
from console.ui.keys import BY_ID
from console.ui.screens.base import ConsoleScreen
from console.ui.screens.finding import Finder, Found, Key, completed, wrong
from console.ui.widgets.line_input import LineInput
from console.ui.widgets.line_list import LineList

_SETTINGS = {setting.word: setting for setting in SETTINGS}
_REMEMBERED = 100


class PaletteScreen(PickScreen[None]):
    """A line to type on, what it may mean, and beneath the line what is wrong with it.

    Words are found in any order, anywhere in a name; a command is followed by what it is about. Above the first line of
    the list lie the commands that were given before.
    """

    BINDINGS = [Binding("down", "down", show=False), Binding("up", "up", show=False)]

    _below: ConsoleScreen
    _finder: Finder

    def __init__(self) -> None:
        super().__init__("", "", placeholder="an action, a model, a theme or a command", keys="")
        self._found = Found()
        self._chosen = False
        self._given: list[str] = []
        self._recalled = 0

    def begin(self, below: ConsoleScreen) -> None:
        """Offer what can be done on the screen below, with nothing typed yet."""
        self._below = below
        self._finder = Finder(below)
        self._recalled = 0
        line = self.query_one_optional(LineInput)
        if line is not None:
            with line.prevent(LineInput.Changed):
                line.value = ""
            line.focus()
            self.search()

    def compose(self) -> ComposeResult:
        """The line, what is wrong with it, and the list."""
        with Vertical(classes="dialog palette") as dialog:
            dialog.border_title = Content("command")
            yield LineInput(placeholder=self._placeholder, classes="typed")
            yield Static("", classes="says")
            yield LineList()

    async def fill(self, wanted: str) -> None:
        """Show what matches; over a large store it takes several turns of the event loop."""
        if self._recalled and wanted != self._given[-self._recalled]:
            self._recalled = 0
        self._found = await self._finder.find(wanted)
        self.listed.show(self._found.items)
        self._choose(not self._found.problem)
        usage = self._finder.usage(wanted)
        if usage or self._found.items:
            self._say(usage or ("" if wanted or not self._given else "up: what was given before"))
        else:
            self._say(self._found.problem, wrong=True)

    def _say(self, words: str, *, wrong: bool = False) -> None:
        self.query_one(".says", Static).update(Content.styled(safe(words, 300), "$warning" if wrong else "$quiet"))

    def _choose(self, chosen: bool) -> None:
        """Whether the line under the cursor is what enter takes."""
        self._chosen = chosen
        if self.listed.has_class("unchosen") == chosen:
            self.listed.set_class(not chosen, "unchosen")
            self.listed.refresh()

    def point_at(self, key: Any) -> None:
        """Choose the line that is clicked on."""
        super().point_at(key)
        self._choose(True)

    def take(self, key: Any) -> None:
        """Do what the cursor is on, and leave; what cannot be done is said beneath the line, which stays."""
        below = self._below
        if self._found.problem and not self._chosen:
            self._say(self._found.problem, wrong=True)
            return
        if not isinstance(key, tuple):
            return
        if key[0] == "word":
            self.type(completed(key))
            return
        try:
            run = self._prepared(below, key)
        except ConsoleError as error:
            self._say(error.message if not isinstance(error, UsageError) else wrong(error, key[1]), wrong=True)
            return
        line = completed(key).strip()
        self._given = [*(one for one in self._given[-_REMEMBERED:] if one != line), line]
        self.dismiss(None)
        below.call_later(self._guarded, below, run)

    def _prepared(self, below: ConsoleScreen, key: Key) -> Callable[[], None]:
        """The action of a line of the list. Raises ConsoleError for what cannot be done now."""
        app = below.app
        match key:
            case ("action", action):
                return partial(below.action_do, action)
            case ("of", action, path):
                return self._of(below, action, path)
            case ("model", path):
                return partial(app.open_model, path)
            case ("theme", name):
                return _SETTINGS["theme"].prepare(app, None, name)
            case ("filter", pattern):
                return _SETTINGS["filter"].prepare(app, None, pattern)
            case (_, word, *rest):
                return _SETTINGS[word].prepare(app, below.subject, "".join(rest))
        raise UsageError("it cannot be done")

    def _of(self, below: ConsoleScreen, action: str, path: str) -> Callable[[], None]:
        """An action about a model, on its own screen where that lies below."""
        from console.ui.screens.about import AboutScreen

        here = below.PLACE == "model" and below.subject == path
        if here and action == "open":
            action = "tab-overview"
        about = below if here and below.allowed(action) else AboutScreen(path)
        objection = about.objection(action)
        if objection is not None:
            raise ConsoleError(objection)

        def run() -> None:
            if not below.go_to(path) and BY_ID[action].acts and below.subject != path:
                below.app.say(f"{BY_ID[action].label}: {path}")
            about.action_do(action)

        return run

    @staticmethod
    def _guarded(below: ConsoleScreen, run: Callable[[], None]) -> None:
        try:
            run()
        except ConsoleError as error:
            below.app.say_error(error)

    async def action_complete(self) -> None:
        """Write what the cursor is on into the line."""
        await self._settled()
        key = self.listed.key
        if isinstance(key, tuple):
            self._recalled = 0
            self.type(completed(key))

    def action_up(self) -> None:
        """Up in the list; above its first line, the command before."""
        if self._recalled or self.listed.at_top:
            self._recall(1)
        else:
            self.action_move("up")

    def action_down(self) -> None:
        """Down in the list; among the commands given before, the next one."""
        if self._recalled:
            self._recall(-1)
        elif not self._chosen:
            self._choose(True)
        else:
            self.action_move("down")

    def _recall(self, step: int) -> None:
        self._recalled = max(0, min(len(self._given), self._recalled + step))
        if self._recalled or step < 0:
            self.type(self._given[-self._recalled] if self._recalled else "")

    def action_move(self, step: str) -> None:
        """Move in the list without leaving the line."""
        self._choose(True)
        super().action_move(step)
