"""The failures: a list, and the whole account of one; both stay after the worker is gone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partialmethod

from textual import on
from textual.containers import Container
from textual.content import Content
from textual.scroll_view import ScrollView
from textual.widget import Widget

from console.config import state_dir
from console.records import Event, Failure
from console.safe_text import safe
from console.ui import text
from console.ui.keys import EVERYWHERE, bindings_at, key_for
from console.ui.saving import keep
from console.ui.screens.columned import Columned
from console.ui.widgets.filter_bar import SearchBar
from console.ui.widgets.line_list import LineList
from console.ui.widgets.text_pane import TextPane
from console.ui.widgets.traceback import failure_lines, failure_titles

NOTHING = (
    Content.styled("nothing has failed", "bold"),
    Content(""),
    Content.styled("What fails in a worker comes here within a second: the exception chain,", "$quiet"),
    Content.styled("the source lines, the last words of the process, and what to do about it.", "$quiet"),
)


class ErrorsScreen(Columned):
    """Newest first. With `path` that artifact's newest failure is opened, with `failure` the one of that number."""

    PLACE = "errors"
    BINDINGS = bindings_at("errors", EVERYWHERE)
    AUTO_FOCUS = "LineList"
    FOOTER = ("open", "search", "next-match", "copy", "save", "back")

    def __init__(self, path: str | None = None, failure: int | None = None) -> None:
        super().__init__()
        self._path = path
        self._wanted = failure

    @property
    def subject(self) -> str | None:
        """The artifact of the failure that is shown."""
        failure = self._shown()
        return failure.artifact if failure is not None else self._path

    @property
    def columns(self) -> Sequence[ScrollView]:
        """The list and the account."""
        return (self.query_one(LineList), self.query_one(TextPane)) if self.mirror.failures else ()

    def content(self) -> Iterable[Widget]:
        """The list, and the text of the one under its cursor."""
        account = TextPane(id="account")
        yield Container(
            Container(LineList(id="failures"), id="failures-frame", classes="frame"),
            Container(account, id="account-frame", classes="frame"),
            id="accounts",
        )
        yield SearchBar("find in this account", account)

    def on_mount(self) -> None:
        """Open the failure that was asked for."""
        failures = self.mirror.failures
        wanted = self._wanted
        if wanted is None and self._path is not None:
            wanted = next((one.id for one in reversed(failures) if one.artifact == self._path), None)
        self.engine_changed(())
        if wanted is not None:
            self.query_one(LineList).select(wanted)
        self.query_one("#failures-frame").border_title = Content("errors")
        self._open()

    def moments(self) -> Iterable[float]:
        """When each failed."""
        return (one.latest for one in self.mirror.failures)

    def engine_changed(self, events: Sequence[Event]) -> None:
        """A new failure comes on top; what is read stays where it is."""
        failures = self.mirror.failures
        listed = self.query_one(LineList)
        newest = failures[::-1]
        titles = failure_titles(newest, listed.text_width)
        listed.show([(one.id, title) for one, title in zip(newest, titles, strict=True)])
        self.query_one("#accounts").set_class(not failures, "nothing")
        self._open(keep_place=True)

    def on_resize(self) -> None:
        """The list has another width."""
        self.call_after_refresh(self.engine_changed, ())
        super().on_resize()

    def can(self, action: str) -> bool:
        """Nothing can be searched, copied or saved where nothing failed."""
        if action in ("open", "search", "copy", "save", "next-failure", "previous-failure"):
            return bool(self.mirror.failures)
        if action in ("next-match", "previous-match"):
            return bool(self.is_built and self.query_one(TextPane).where)
        return super().can(action)

    def why_not(self, action: str) -> str:
        """Nothing failed, or nothing was searched for."""
        if action == "other-column":
            return super().why_not(action)
        if not self.mirror.failures:
            return "nothing has failed"
        return "nothing was found" if self.query_one(SearchBar).pattern else f"search first, with {key_for('search')}"

    def _shown(self) -> Failure | None:
        if not self.is_built:
            return None
        key = self.query_one(LineList).key
        return next((one for one in self.mirror.failures if one.id == key), None)

    def _open(self, *, keep_place: bool = False) -> None:
        failure = self._shown()
        frame, pane = self.query_one("#account-frame"), self.query_one(TextPane)
        if failure is None:
            pane.show(NOTHING)
            return
        pane.show(failure_lines(failure), keep_place=keep_place)
        frame.border_title = Content(text.cut_middle(safe(failure.artifact), 60))
        frame.border_subtitle = Content(f"{text.ago(failure.latest)}")
        self.refresh_frame()

    @on(LineList.Moved)
    def _moved(self) -> None:
        self._open()

    def do_open(self) -> None:
        """Read: the keys move the text."""
        self.query_one(TextPane).focus()

    def do_back(self) -> None:
        """From a search to the text, from the text to the list, from the list to the screen before."""
        if self.query_one(SearchBar).drop():
            return
        if self.query_one(TextPane).has_focus and len(self.mirror.failures) > 1:
            self.query_one(LineList).focus()
        else:
            super().do_back()

    def do_search(self) -> None:
        """Type what to find."""
        self.query_one(SearchBar).open()

    def _go(self, step: int) -> None:
        self.query_one(SearchBar).go(step)

    do_next_match = partialmethod(_go, 1)
    do_previous_match = partialmethod(_go, -1)

    def _another(self, step: str) -> None:
        self.query_one(LineList).action_do(step)

    do_next_failure = partialmethod(_another, "down")
    do_previous_failure = partialmethod(_another, "up")

    def do_copy(self) -> None:
        """The whole account as text."""
        self.app.copy(self.query_one(TextPane).plain, "traceback")

    def do_save(self) -> None:
        """The whole account to a file of its own."""
        failure = self._shown()
        if failure is None:
            return
        plain = self.query_one(TextPane).plain + "\n"
        stem = f"{failure.id}-{failure.artifact}"
        keep(self.app, "traceback", lambda: state_dir() / "errors", stem, lambda: {".txt": plain})
