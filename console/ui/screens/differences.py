"""How two artifacts differ: what they are and declare, what they take, and their arrays by the norms of the numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual.containers import Container
from textual.content import Content
from textual.widget import Widget

from console.errors import ConsoleError
from console.records import Differences, Event
from console.safe_text import safe
from console.ui import text
from console.ui.keys import EVERYWHERE, bindings_at
from console.ui.screens.base import PathScreen
from console.ui.widgets.artifact_differences import lines
from console.ui.widgets.text_pane import TextPane


class DifferencesScreen(PathScreen):
    """The differences from the older of two artifacts to the newer one."""

    PLACE = "diff"
    BINDINGS = bindings_at("diff", EVERYWHERE)
    AUTO_FOCUS = "TextPane"
    FOOTER = ("copy", "events", "back")

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._pair: tuple[str, ...] = ()
        self._found: Differences | None = None
        self._unread = ""

    @property
    def crumbs(self) -> Sequence[str]:
        """The text names both."""
        return (self.PLACE,)

    def content(self) -> Iterable[Widget]:
        """The text."""
        yield Container(TextPane(), id="diff-frame", classes="frame")

    def on_mount(self) -> None:
        """Compare what was marked as the screen was opened."""
        self._pair = self.app.rows.pair(self._path)
        self.query_one("#diff-frame").border_title = Content("differences, from the older to the newer")
        self._read()

    def engine_changed(self, events: Sequence[Event]) -> None:
        """One of them is another content now."""
        if any(event.subject in self._pair and event.kind == "artifact.changed" for event in events):
            self._read()

    def on_resize(self) -> None:
        """Lay it out for another width."""
        self._show()

    def _read(self) -> None:
        self.run_worker(self._load(), group="diff", exclusive=True)

    async def _load(self) -> None:
        if len(self._pair) != 2:
            self._unread = "it takes two models: mark two on the first screen"
        else:
            try:
                self._found = await self.engine.artifacts.differ(*self._pair)
                self._unread = ""
            except ConsoleError as error:
                self._unread = error.message
        self._show()

    def _show(self) -> None:
        if not self.is_built:
            return
        pane = self.query_one(TextPane)
        if pane.text_width <= 0:
            return
        if self._found is None or self._unread:
            pane.show([Content.styled(safe(self._unread) or text.sign("reading both …"), "$quiet")])
            return
        pane.show(lines(self._found, pane.text_width), keep_place=True)

    def do_diff(self) -> None:
        """The same key closes it."""
        self.do_back()

    def do_copy(self) -> None:
        """All of the text."""
        self.app.copy(self.query_one(TextPane).plain, "differences")
