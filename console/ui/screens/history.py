"""The versions of one artifact: who put what in place when and why, and the way back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual import on
from textual.containers import Container
from textual.content import Content
from textual.scroll_view import ScrollView
from textual.widget import Widget

from console.errors import ConsoleError
from console.records import Event
from console.safe_text import safe
from console.ui import text
from console.ui.keys import EVERYWHERE, bindings_at
from console.ui.screens.base import PathScreen
from console.ui.screens.columned import Columned
from console.ui.widgets.text_pane import TextPane
from console.ui.widgets.versions import VersionList, version_lines

_KINDS = ("update.promoted", "history.rolled-back", "artifact.changed")


class HistoryScreen(PathScreen, Columned):
    """Newest first, the one in place marked; the panel below says all about the one under the cursor."""

    PLACE = "history"
    BINDINGS = bindings_at("history", EVERYWHERE)
    AUTO_FOCUS = "VersionList"
    FOOTER = ("rollback", "copy", "events", "back")

    @property
    def columns(self) -> Sequence[ScrollView]:
        """The list and the panel."""
        listed = self.query_one(VersionList)
        return (listed, self.query_one(TextPane)) if listed.versions else ()

    def content(self) -> Iterable[Widget]:
        """The list and the panel."""
        yield Container(VersionList(), id="versions-frame", classes="frame")
        yield Container(TextPane(), id="version-frame", classes="frame")

    def on_mount(self) -> None:
        """Read the history."""
        self.query_one("#versions-frame").border_title = Content(f"versions of {text.cut_middle(safe(self._path), 60)}")
        self._read()

    def moments(self) -> Iterable[float]:
        """When each was put in place."""
        return (one.when for one in self.query_one(VersionList).versions)

    def times_passed(self) -> None:
        """The same versions, somewhat older."""
        listed = self.query_one(VersionList)
        listed.show_versions(listed.versions)
        self._explain()

    def engine_changed(self, events: Sequence[Event]) -> None:
        """Another version stands in place: read again."""
        if any(event.subject == self._path and event.kind in _KINDS for event in events):
            self._read()

    def _read(self) -> None:
        self.run_worker(self._load(), group="history", exclusive=True)

    async def _load(self) -> None:
        try:
            versions = await self.engine.updates.history(self._path)
        except ConsoleError as error:
            self.app.say_error(error)
            versions = ()
        self.query_one(VersionList).show_versions(versions)
        self.query_one("#versions-frame").set_class(not versions, "nothing")
        self._explain()
        self.refresh_frame()

    def can(self, action: str) -> bool:
        """Only an old version can be put back."""
        version = self.query_one(VersionList).version if self.is_built else None
        if action == "rollback":
            return version is not None and not version.current
        return super().can(action)

    def why_not(self, action: str) -> str:
        """There is nothing to go back to, or the cursor is on what stands there."""
        if action != "rollback":
            return super().why_not(action)
        return "it is the current version" if self.query_one(VersionList).version else "no version is kept"

    @on(VersionList.Moved)
    def _explain(self) -> None:
        version = self.query_one(VersionList).version
        self.query_one(TextPane).show(version_lines(version) if version is not None else NOTHING)
        self.refresh_frame()

    def do_copy(self) -> None:
        """The digest under the cursor."""
        version = self.query_one(VersionList).version
        if version is not None:
            self.app.copy(version.digest, "digest")

    def do_rollback(self) -> None:
        """Put the version under the cursor back in place."""
        version = self.query_one(VersionList).version
        if version is not None:
            self.app.operations.roll_back(self._path, version)


NOTHING = (
    Content.styled("no versions are kept yet", "bold"),
    Content(""),
    Content.styled("The first update or rollback keeps what stood there before.", "$quiet"),
)
