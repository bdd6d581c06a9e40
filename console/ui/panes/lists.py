"""Two lists about one model: its failures, and the versions that stood in its place before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.scroll_view import ScrollView
from textual.widgets import Static

from console.errors import ConsoleError
from console.records import Failure, Version
from console.safe_text import safe
from console.ui import text
from console.ui.panes.pane import Pane
from console.ui.rows import Row
from console.ui.widgets.line_list import LineList
from console.ui.widgets.text_pane import TextPane
from console.ui.widgets.traceback import failure_lines, what_failed
from console.ui.widgets.versions import VersionList, version_lines

if TYPE_CHECKING:
    from console.engine.api import EngineApi
    from console.engine.mirror import Mirror

_PHASE = 12


class ListPane(Pane):
    """A list with the account of the line under its cursor, or a sentence where there is nothing to list."""

    DEFAULT_CSS = """
    ListPane {
        & > #nothing { height: 1fr; content-align: center middle; color: $quiet; }
        & > LineList { max-height: 40%; }
        & > .detail-text { margin-top: 1; border-top: solid $line; &:focus { border-top: solid $accent; } }
    }
    """

    def __init__(self, engine: EngineApi, mirror: Mirror, path: str, listed: LineList) -> None:
        super().__init__(engine, mirror, path)
        self._listed = listed
        self._detail = TextPane()
        self._detail.add_class("detail-text")
        self._nothing = Static(id="nothing")

    def compose(self) -> ComposeResult:
        """List and account, or the sentence."""
        yield self._listed
        yield self._detail
        yield self._nothing

    @property
    def columns(self) -> Sequence[ScrollView]:
        """List and account."""
        return (self._listed, self._detail)

    @property
    def chosen(self) -> object | None:
        """The item under the cursor."""
        raise NotImplementedError

    def can(self, action: str) -> bool | None:
        """There is something to open where the list is not empty."""
        return self.chosen is not None if action == "open" else super().can(action)

    def fit(self, count: int, nothing: str) -> None:
        """Make room for so many lines, or say that there is nothing."""
        self._listed.display = self._detail.display = bool(count)
        self._listed.styles.height = max(1, count)
        self._nothing.display = not count
        self._nothing.update(Content(nothing))


class ErrorsPane(ListPane):
    """The failures of one artifact, newest first."""

    NAME = "errors"

    def __init__(self, engine: EngineApi, mirror: Mirror, path: str) -> None:
        super().__init__(engine, mirror, path, LineList())
        self._failures: tuple[Failure, ...] = ()

    @property
    def chosen(self) -> int | None:
        """The failure under the cursor."""
        return self._listed.key if isinstance(self._listed.key, int) else None

    def revise(self, row: Row | None) -> None:
        """Bring the list up to date."""
        failures = [one for one in reversed(self._mirror.failures) if one.artifact == self._path]
        self._failures = tuple(failures)
        self.fit(len(failures), "Nothing has failed with this model since the console was opened.")
        phase = max((len(safe(one.phase, _PHASE)) for one in failures), default=0)
        self._listed.show([(one.id, failure_line(one, phase)) for one in failures])
        self._explain()

    @on(LineList.Moved)
    def _explain(self) -> None:
        found = next((one for one in self._failures if one.id == self._listed.key), None)
        self._detail.show(failure_lines(found) if found is not None else (), keep_place=True)


class VersionsPane(ListPane):
    """The retained contents of one artifact, newest first."""

    NAME = "versions"

    def __init__(self, engine: EngineApi, mirror: Mirror, path: str) -> None:
        self._versions = VersionList()
        super().__init__(engine, mirror, path, self._versions)
        self._read_for: tuple[str | None, float] | None = None

    @property
    def chosen(self) -> Version | None:
        """The version under the cursor."""
        return self._versions.version

    def can(self, action: str) -> bool | None:
        """Only an old version can be put back."""
        if action == "rollback":
            return self.chosen is not None and not self.chosen.current
        return super().can(action)

    def why_not(self, action: str) -> str:
        """The cursor is on what stands there."""
        return "it is the current version" if action == "rollback" else super().why_not(action)

    @property
    def moments(self) -> tuple[float, ...]:
        """When each was put in place."""
        return tuple(one.when for one in self._versions.versions)

    def revise(self, row: Row | None) -> None:
        """Read the history again when the file is another one."""
        now = (row.artifact.digest, row.artifact.modified) if row is not None else None
        if now is not None and now != self._read_for:
            self._read_for = now
            self.run_worker(self._read(), exclusive=True)
        elif self._versions.versions:
            self._versions.show_versions(self._versions.versions)
            self._explain()

    @on(LineList.Moved)
    def _explain(self) -> None:
        version = self._versions.version
        self._detail.show(version_lines(version) if version is not None else ())

    async def _read(self) -> None:
        words = "No older version is kept yet: the first update keeps the current one."
        versions: tuple[Version, ...] = ()
        try:
            versions = await self._engine.updates.history(self._path)
        except ConsoleError as error:
            words = safe(error.message)
        self.fit(len(versions), words)
        self._versions.show_versions(versions)
        self._explain()


def failure_line(failure: Failure, phase: int) -> Content:
    """When, in which phase (in so many cells), what."""
    return Content.assemble(
        (f"{text.ago(failure.latest):<9}", "$quiet"),
        (f"{safe(failure.phase, _PHASE):<{phase}}  ", "$error"),
        safe(what_failed(failure), 300),
        (f"  {failure.count:,} times" if failure.count > 1 else "", "$quiet"),
    )
