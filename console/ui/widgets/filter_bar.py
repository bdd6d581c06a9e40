"""Lines to type on: a filter of a table, and a search in a text."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from console.ui.running import screen_of
from console.ui.widgets.line_input import LineInput
from console.ui.widgets.lines_pane import LinesPane


class FilterBar(Horizontal):
    """Hidden until it is opened; tells each change at once, and whether it was kept (`enter`) or dropped (`esc`).

    It starts empty; `up` brings the last pattern back.
    """

    BINDINGS = [
        Binding("escape", "drop", show=False),
        Binding("down", "keep", show=False),
        Binding("up", "recall", show=False),
    ]
    DEFAULT_CSS = """
    FilterBar {
        height: 1; display: none; padding: 0 1; background: $panel;
        & > .prompt { width: auto; color: $accent; text-style: bold; }
        & > .note { width: auto; color: $quiet; padding: 0 0 0 2; }
        & > Input, & > Input:focus { height: 1; border: none; padding: 0; background: $panel; width: 1fr; }
    }
    FilterBar.open { display: block; }
    """

    class Changed(Message):
        """The pattern is another one."""

        def __init__(self, pattern: str) -> None:
            super().__init__()
            self.pattern = pattern

    class Closed(Message):
        """Typing is over; `kept` tells whether the pattern stays."""

        def __init__(self, kept: bool) -> None:
            super().__init__()
            self.kept = kept

    def __init__(self, placeholder: str) -> None:
        super().__init__()
        self._placeholder = placeholder
        self._last = ""

    def compose(self) -> ComposeResult:
        """The sign, the line, and what the pattern found."""
        yield Static(Content("/ "), classes="prompt")
        yield LineInput(placeholder=self._placeholder, select_on_focus=False)
        yield Static("", classes="note", markup=False)

    @property
    def pattern(self) -> str:
        """The typed text."""
        return self.query_one(Input).value

    @property
    def typing_keys(self) -> tuple[tuple[str, str], ...]:
        """The keys and their words while one types, for the footer."""
        recall = (("up", "last pattern"),) if self._last and not self.pattern else ()
        return (("enter", "keep"), *recall, ("esc", "drop"))

    def open(self, *, last: str = "") -> None:
        """Start typing, with an empty line; `last` is a pattern that was set without being typed here."""
        self.add_class("open")
        line = self.query_one(Input)
        self._last = line.value or last or self._last
        line.placeholder = f"{self._placeholder}; up: {self._last}" if self._last else self._placeholder
        line.value = ""
        line.focus()

    def close(self, *, forget: bool = True, last: str = "") -> None:
        """Put the line away; `last` as in `open`."""
        self.remove_class("open")
        self._last = self.pattern or last or self._last
        if not forget:
            return
        with self.query_one(Input).prevent(Input.Changed):
            self.query_one(Input).value = ""
        self.note("")

    def note(self, words: str) -> None:
        """Say at the end of the line what the pattern found."""
        self.query_one(".note", Static).update(Content(words))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(event.value))

    @on(Input.Submitted)
    def _kept(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_keep()

    def action_keep(self) -> None:
        """Done typing, the pattern stays."""
        self.post_message(self.Closed(bool(self.pattern)))

    def action_recall(self) -> None:
        """The last pattern, where nothing is typed yet; else done typing."""
        line = self.query_one(Input)
        if line.value or not self._last:
            self.action_keep()
        else:
            line.value = self._last
            line.cursor_position = len(line.value)

    def action_drop(self) -> None:
        """Done typing, the pattern goes."""
        self.post_message(self.Closed(False))


class SearchBar(FilterBar):
    """The line of a search in a text; while the search is kept it `stays`, and says which match is in sight."""

    def __init__(self, placeholder: str, pane: LinesPane, *, stays: bool = True) -> None:
        super().__init__(placeholder)
        self._pane = pane
        self._stays = stays

    def go(self, step: int) -> None:
        """The next match, or the one before."""
        self.note(self._pane.go(step))

    def drop(self) -> bool:
        """Put the search away; whether there was one."""
        was_open = self.has_class("open")
        if was_open:
            self._end(kept=False)
        return was_open

    @on(FilterBar.Changed)
    def _search(self, message: FilterBar.Changed) -> None:
        self._pane.search(message.pattern)
        self.note(self._pane.where)

    @on(FilterBar.Closed)
    def _over(self, message: FilterBar.Closed) -> None:
        self._end(kept=message.kept)

    def _end(self, *, kept: bool) -> None:
        if not kept:
            self._pane.search("")
        if not (kept and self._stays):
            self.close()
        self._pane.focus()
        screen_of(self).refresh_frame()
