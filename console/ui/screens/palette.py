"""The command line of `:`, and everything by name: actions, models, themes."""

from __future__ import annotations

from collections.abc import Callable
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

from console.errors import ConsoleError, Usage
from console.safe_text import safe
from console.ui.commands import SETTINGS
from console.ui.keys import BY_ID
from console.ui.paced import Paced
from console.ui.screens.base import ConsoleScreen
from console.ui.screens.finding import Finder, Found, Key, completed, wrong
from console.ui.widgets.line_input import LineInput
from console.ui.widgets.line_list import LineList

_SETTINGS = {setting.word: setting for setting in SETTINGS}
_REMEMBERED = 100


class PaletteScreen(ModalScreen[Callable[[], None] | None], Paced[Callable[[], None] | None]):
    """A line to type on, what it may mean, and beneath the line what is wrong with it.

    Words are found in any order, anywhere in a name; a command is followed by what it is about. Above the first line of
    the list lie the commands that were given before.
    """

    BINDINGS = [
        Binding("escape,ctrl+c", "leave", show=False),
        Binding("tab", "complete", show=False),
        Binding("down", "down", show=False),
        Binding("up", "up", show=False),
        Binding("ctrl+n", "move('down')", show=False),
        Binding("ctrl+p", "move('up')", show=False),
        Binding("pagedown", "move('page-down')", show=False),
        Binding("pageup", "move('page-up')", show=False),
    ]
    AUTO_FOCUS = "Input"

    def __init__(self, below: ConsoleScreen, given: list[str]) -> None:
        """`given` are the commands of before, to which this one is added."""
        super().__init__()
        self._below = below
        self._finder = Finder(below)
        self._found = Found()
        self._chosen = False
        self._given = given
        self._recalled = 0

    def compose(self) -> ComposeResult:
        """The line, what is wrong with it, and the list."""
        with Vertical(classes="dialog palette"):
            yield LineInput(placeholder="an action, a model, a theme or a command", classes="typed")
            yield Static("", classes="says")
            yield LineList()

    def on_mount(self) -> None:
        """Everything, to begin with."""
        self.query_one(LineList).can_focus = False
        self.query_one(".dialog").border_title = Content("command")
        self._search("")

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        if self._recalled and event.value != self._given[-self._recalled]:
            self._recalled = 0
        self._search(event.value)

    @on(Input.Submitted)
    async def _submitted(self) -> None:
        await self._settled()
        if self._found.problem and not self._chosen:
            self._say(self._found.problem, wrong=True)
        else:
            self._run()

    @on(LineList.Chosen)
    async def _clicked(self, message: LineList.Chosen) -> None:
        """Run what was clicked on, if what is typed by now still finds it."""
        await self._settled()
        listed = self.query_one(LineList)
        listed.select(message.key)
        if listed.key == message.key:
            self._run()

    async def _settled(self) -> None:
        """Wait until the list shows what was typed."""
        with suppress(WorkerCancelled):
            await self._searching.wait()

    def _search(self, wanted: str) -> None:
        self._searching = self.run_worker(self._fill(wanted), group="search", exclusive=True)

    async def _fill(self, wanted: str) -> None:
        """Show what matches; over a large store it takes several turns of the event loop."""
        self._found = await self._finder.find(wanted)
        listed = self.query_one(LineList)
        listed.show(self._found.items)
        listed.action_do("top")
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
        listed = self.query_one(LineList)
        if listed.has_class("unchosen") == chosen:
            listed.set_class(not chosen, "unchosen")
            listed.refresh()

    def _run(self) -> None:
        """Do what the cursor is on, and leave; what cannot be done is said beneath the line, which stays."""
        key, below = self.query_one(LineList).key, self._below
        if not isinstance(key, tuple):
            return
        if key[0] == "word":
            self._put(completed(key))
            return
        try:
            run = self._prepared(below, key)
        except ConsoleError as error:
            self._say(error.message if not isinstance(error, Usage) else wrong(error, key[1]), wrong=True)
            return
        line = completed(key).strip()
        self._given[:] = [*(one for one in self._given[-_REMEMBERED:] if one != line), line]
        self.dismiss(None)
        below.call_later(self._guarded, below, run)

    def _prepared(self, below: ConsoleScreen, key: Key) -> Callable[[], None]:
        """What a line of the list does. Raises ConsoleError for what cannot be done now."""
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
        raise Usage("it cannot be done")

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

    def _put(self, line: str) -> None:
        typed = self.query_one(Input)
        typed.value = line
        typed.cursor_position = len(line)

    async def action_complete(self) -> None:
        """Write what the cursor is on into the line."""
        await self._settled()
        key = self.query_one(LineList).key
        if isinstance(key, tuple):
            self._recalled = 0
            self._put(completed(key))

    def action_up(self) -> None:
        """Up in the list; above its first line, the command before."""
        if self._recalled or self.query_one(LineList).at_top:
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
            self._put(self._given[-self._recalled] if self._recalled else "")

    def action_move(self, step: str) -> None:
        """Move in the list without leaving the line."""
        self._choose(True)
        self.query_one(LineList).action_do(step)

    def action_leave(self) -> None:
        """Nothing."""
        self.dismiss(None)
