"""A line to type on and a list of what matches, in a dialog: one of the lines is taken, or none."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from textual import on
from textual.binding import Binding
from textual.content import Content
from textual.screen import ScreenResultType
from textual.widget import Widget
from textual.widgets import Input, Static
from textual.worker import Worker, WorkerCancelled

from console.safe_text import safe
from console.ui import text
from console.ui.dialogs.dialog import Dialog
from console.ui.widgets.keyvalue import paragraph
from console.ui.widgets.line_input import LineInput
from console.ui.widgets.line_list import LineList

_WORDS_LINES = 3


class PickScreen(Dialog[ScreenResultType]):
    """A subclass fills the list for what is typed, and takes the line under the cursor with `enter`."""

    BINDINGS = [
        Binding("escape,ctrl+c", "dismiss", show=False),
        Binding("tab", "complete", show=False),
        Binding("down,ctrl+n", "move('down')", show=False),
        Binding("up,ctrl+p", "move('up')", show=False),
        Binding("pagedown", "move('page-down')", show=False),
        Binding("pageup", "move('page-up')", show=False),
    ]
    AUTO_FOCUS = "Input"
    SHAPE = "wide pick"
    _searching: Worker[None] | None = None

    def __init__(self, question: str, detail: str, *, placeholder: str, keys: str) -> None:
        super().__init__(question)
        self._detail = Content(detail)
        self._placeholder = placeholder
        self._keys = Content(keys)

    def body(self) -> Iterable[Widget]:
        """The reason, the line, the list, and a sentence about the line under the cursor."""
        if self._detail:
            yield Static(self._detail, classes="detail")
        yield LineInput(placeholder=self._placeholder, classes="typed", select_on_focus=False)
        yield LineList()
        yield Static(id="words")
        yield Static(self._keys, classes="hint")

    def on_mount(self) -> None:
        """Everything, to begin with."""
        self.query_one(LineList).can_focus = False
        self.search()

    @property
    def typed(self) -> str:
        """The typed text."""
        return self.query_one(Input).value

    @property
    def listed(self) -> LineList:
        """The list."""
        return self.query_one(LineList)

    def say(self, words: str, style: str = "$quiet", glyph: str = "") -> None:
        """A sentence below the list; outside text in it is made harmless here."""
        said = safe(f"{glyph} {words}" if glyph else words, 400)
        lines = paragraph(text.sign(said), self.text_width, style=style)[:_WORDS_LINES]
        self.query_one("#words", Static).update(Content("\n").join(lines))

    def type(self, words: str) -> None:
        """Have this on the line, with the cursor behind it."""
        line = self.query_one(Input)
        line.value = words
        line.cursor_position = len(words)

    def search(self, *, top: bool = True) -> None:
        """Fill the list anew, with the cursor on its first line or where it was."""
        self._searching = self.run_worker(partial(self._fill, self.typed, top), group="search", exclusive=True)

    async def _fill(self, wanted: str, top: bool) -> None:
        await self.fill(wanted)
        if top:
            self.listed.action_do("top")
        self.describe(self.listed.key)

    async def fill(self, wanted: str) -> None:
        """Show what matches."""
        raise NotImplementedError

    def describe(self, key: Any) -> None:
        """Say what is to be said of the line under the cursor."""

    def take(self, key: Any) -> None:
        """Take this line; None where nothing matches."""
        raise NotImplementedError

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.search()

    @on(Input.Submitted)
    async def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        await self._settled()
        self.take(self.listed.key)

    @on(LineList.Chosen)
    async def _clicked(self, message: LineList.Chosen) -> None:
        message.stop()
        await self._settled()
        self.point_at(message.key)
        if self.listed.key == message.key:
            self.take(message.key)

    def point_at(self, key: Any) -> None:
        """Put the cursor on a line that was clicked on, if what is typed by now still finds it."""
        self.listed.select(key)

    @on(LineList.Moved)
    def _moved(self, message: LineList.Moved) -> None:
        message.stop()
        self.describe(self.listed.key)

    async def _settled(self) -> None:
        """Wait until the list shows what is typed."""
        while (searching := self._searching) is not None and not searching.is_finished:
            with suppress(WorkerCancelled):
                await searching.wait()

    def action_move(self, step: str) -> None:
        """Move in the list without leaving the line."""
        self.listed.action_do(step)

    async def action_complete(self) -> None:
        """Nothing to complete."""
