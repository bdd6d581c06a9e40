"""Why the verdict: everything that is known about one artifact's trust, and what is new since the last version."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual.containers import Container
from textual.content import Content
from textual.widget import Widget

from console.errors import ConsoleError
from console.records import Event
from console.safe_text import safe
from console.ui import states, text
from console.ui.keys import EVERYWHERE, bindings_at
from console.ui.screens.base import PathScreen
from console.ui.widgets.explained import full_lines
from console.ui.widgets.text_pane import TextPane


class TrustScreen(PathScreen):
    """The explanation in full; an earlier version in the history is read for it."""

    PLACE = "trust"
    BINDINGS = bindings_at("trust", EVERYWHERE)
    AUTO_FOCUS = "TextPane"
    FOOTER = ("copy", "events", "back")

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._unread = ""

    def content(self) -> Iterable[Widget]:
        """The text."""
        yield Container(TextPane(), id="trust-frame", classes="frame")

    async def on_mount(self) -> None:
        """Show what is known, and look up what the history knows."""
        await self.fetch()
        self._read()

    def moments(self) -> Iterable[float]:
        """When the version before was put in place."""
        told = self.mirror.explanation(self._path)
        return () if told is None or told.since is None else (told.since.when,)

    def times_passed(self) -> None:
        """Nothing is read anew for it."""
        self._show()

    def engine_changed(self, events: Sequence[Event]) -> None:
        """Another content, another explanation."""
        if any(event.subject == self._path and event.kind.startswith(("artifact.", "trust.")) for event in events):
            self._read()
        self._show()

    def on_resize(self) -> None:
        """Wrap for another width."""
        self._show()

    def _read(self) -> None:
        self.run_worker(self._load(), group="trust", exclusive=True)

    async def _load(self) -> None:
        try:
            await self.engine.artifacts.explain(self._path)
            await self.fetch()
            self._unread = ""
        except ConsoleError as error:
            self._unread = error.message
        self._show()

    def _show(self) -> None:
        if not self.is_built:
            return
        frame, pane = self.query_one("#trust-frame"), self.query_one(TextPane)
        width = pane.text_width
        row, told = self.app.rows.by_path.get(self._path), self.mirror.explanation(self._path)
        if row is None or told is None or width <= 0:
            pane.show([Content.styled(safe(self._unread) or text.sign("reading …"), "$quiet")])
            return
        status = states.trust(row.artifact)
        title = Content.styled(str(status), f"bold {text.role_style(status.role)}")
        if frame.border_title != title:
            frame.border_title = title
            frame.border_subtitle = Content(text.cut_middle(safe(row.path), 60))
        pane.show(full_lines(told, width), keep_place=True)

    def do_trust(self) -> None:
        """The same key closes it."""
        self.do_back()

    def do_copy(self) -> None:
        """The line for a policy, where there is one; else all of the text."""
        told = self.mirror.explanation(self._path)
        if told is not None and told.policy:
            self.app.copy(told.policy, "line for policy.toml")
        else:
            self.app.copy(self.query_one(TextPane).plain, "explanation")
