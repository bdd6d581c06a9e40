"""What failed with one model, and what stood in its place before: two lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.scroll_view import ScrollView
from textual.widgets import Static

from console.errors import ConsoleError
from console.records import Failure, Version
from console.safe_text import safe
from console.ui import text
from console.ui.rows import Row
from console.ui.widgets.line_list import LineList
from console.ui.widgets.text_pane import TextPane
from console.ui.widgets.traceback import failure_lines, what_failed
from console.ui.widgets.versions import VersionList, version_lines

if TYPE_CHECKING:
    from console.engine.api import EngineApi
    from console.engine.mirror import Mirror

_PHASE = 12
_LIST_CSS = """
    & > #nothing { height: 1fr; content-align: center middle; color: $quiet; }
    & > LineList { max-height: 40%; }
    & > .detail-text { margin-top: 1; border-top: solid $line; &:focus { border-top: solid $accent; } }
"""


class ErrorsPane(Vertical):
    """The failures of one artifact, newest first."""

    DEFAULT_CSS = "ErrorsPane { height: 1fr;" + _LIST_CSS + "}"

    def __init__(self, mirror: Mirror, path: str) -> None:
        super().__init__(id="errors")
        self._mirror = mirror
        self._path = path
        self._failures: tuple[Failure, ...] = ()
        self._list = LineList()
        self._detail = TextPane()
        self._detail.add_class("detail-text")
        self._nothing = Static("Nothing has failed with this model since the console was opened.", id="nothing")

    def compose(self) -> ComposeResult:
        """The list with the account of the one under its cursor, or that there is nothing to list."""
        yield self._list
        yield self._detail
        yield self._nothing

    @property
    def columns(self) -> Sequence[ScrollView]:
        """List and account."""
        return (self._list, self._detail)

    @property
    def chosen(self) -> int | None:
        """The failure under the cursor."""
        return self._list.key if isinstance(self._list.key, int) else None

    def revise(self, row: Row | None) -> None:
        """Bring the list up to date."""
        failures = [one for one in reversed(self._mirror.failures) if one.artifact == self._path]
        self._failures = tuple(failures)
        self._list.display = self._detail.display = bool(failures)
        self._nothing.display = not failures
        self._list.styles.height = max(1, len(failures))
        phase = max((len(safe(one.phase, _PHASE)) for one in failures), default=0)
        self._list.show([(one.id, failure_line(one, phase)) for one in failures])
        self._explain()

    @on(LineList.Moved)
    def _explain(self) -> None:
        found = next((one for one in self._failures if one.id == self._list.key), None)
        self._detail.show(failure_lines(found) if found is not None else (), keep_place=True)


class VersionsPane(Vertical):
    """The retained contents of one artifact, newest first, and all about the one under the cursor."""

    DEFAULT_CSS = "VersionsPane { height: 1fr; " + _LIST_CSS + "}"

    def __init__(self, engine: EngineApi, path: str) -> None:
        super().__init__(id="versions")
        self._engine = engine
        self._path = path
        self._read_for: tuple[str | None, float] | None = None
        self._list = VersionList()
        self._detail = TextPane()
        self._detail.add_class("detail-text")
        self._nothing = Static(id="nothing")

    def compose(self) -> ComposeResult:
        """List and detail, or that there is none."""
        yield self._list
        yield self._detail
        yield self._nothing

    @property
    def columns(self) -> Sequence[ScrollView]:
        """List and account."""
        return (self._list, self._detail)

    @property
    def chosen(self) -> Version | None:
        """The version under the cursor."""
        return self._list.version

    @property
    def moments(self) -> tuple[float, ...]:
        """When each was put in place."""
        return tuple(one.when for one in self._list.versions)

    def revise(self, row: Row | None) -> None:
        """Read the history again when the file is another one."""
        now = (row.artifact.digest, row.artifact.modified) if row is not None else None
        if now is not None and now != self._read_for:
            self._read_for = now
            self.run_worker(self._read(), exclusive=True)
        elif self._list.versions:
            self._list.show_versions(self._list.versions)
            self._explain()

    @on(LineList.Moved)
    def _explain(self) -> None:
        version = self._list.version
        self._detail.show(version_lines(version) if version is not None else ())

    async def _read(self) -> None:
        words = "No older version is kept yet: the first update keeps the current one."
        versions: tuple[Version, ...] = ()
        try:
            versions = await self._engine.updates.history(self._path)
        except ConsoleError as error:
            words = safe(error.message)
        self._list.display = self._detail.display = bool(versions)
        self._nothing.display = not versions
        self._nothing.update(Content(words))
        self._list.styles.height = max(1, len(versions))
        self._list.show_versions(versions)
        self._explain()


def failure_line(failure: Failure, phase: int) -> Content:
    """When, in which phase (in so many cells), what."""
    return Content.assemble(
        (f"{text.ago(failure.latest):<9}", "$quiet"),
        (f"{safe(failure.phase, _PHASE):<{phase}}  ", "$error"),
        safe(what_failed(failure), 300),
        (f"  {failure.count:,} times" if failure.count > 1 else "", "$quiet"),
    )
