"""The first screen: the whole store in one table, with a live preview of the row under the cursor."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress

from textual import on
from textual.containers import Container
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from console.errors import ConsoleError, EngineGoneError
from console.records import Artifact, Event, FileIdentity
from console.safe_text import safe
from console.ui import installed, text
from console.ui.key_words import key_words
from console.ui.keys import EVERYWHERE, bindings_at, key_for
from console.ui.rows import SORTS, Filter
from console.ui.screens.marking import MarkingScreen
from console.ui.widgets.artifact_table import ArtifactTable
from console.ui.widgets.columns import COLUMNS
from console.ui.widgets.filter_bar import FilterBar
from console.ui.widgets.preview import SPARK_SECONDS, Preview
from console.ui.widgets.preview_line import PreviewLine, preview_words

_FLASHING = ("worker.ready", "update.promoted", "history.rolled-back", "artifact.changed", "artifact.added")
_REST_SECONDS = 0.15
"""Whoever moves on within this time only passed by."""
_LATER_SECONDS = 0.5
"""The delay of work that is of no use in the first moment."""
_NEEDS_PERSON = 3
"""Rows up to this rank of status need a person: failing, error, changed, removed, skipped, blocked or damaged."""


class HomeScreen(MarkingScreen):
    """Table, filter line and preview."""

    PLACE = "home"
    BINDINGS = bindings_at("home", EVERYWHERE)
    AUTO_FOCUS = "ArtifactTable"

    def __init__(self) -> None:
        super().__init__()
        self._said_of_filter = Content("")
        self._asked: tuple[str, FileIdentity | None] | None = None

    @property
    def crumbs(self) -> Sequence[str]:
        """None: everything else lies on top of this screen."""
        return ()

    def content(self) -> Iterable[Widget]:
        """The table in its frame, what stands there when it is empty, and the preview."""
        yield Container(ArtifactTable(self.app.rows), Static(id="empty"), id="frame")
        yield FilterBar("pattern, ! inverts")
        yield Preview()
        yield PreviewLine()

    def on_mount(self) -> None:
        """Start with what is there."""
        self.engine_changed(())
        self.run_worker(self._look_at_versions(), group="versions")

    async def _look_at_versions(self) -> None:
        """Know the versions of the libraries here, which a preview tells beside those of a file."""
        await asyncio.sleep(_LATER_SECONDS)
        await asyncio.to_thread(installed.look)
        if self.is_built:
            self._describe()

    @property
    def is_built(self) -> bool:
        """The same for the table, which goes before the frame does."""
        return super().is_built and self.query_one_optional(ArtifactTable) is not None

    @property
    def table(self) -> ArtifactTable:
        """The table."""
        return self.query_one(ArtifactTable)

    @property
    def subject(self) -> str | None:
        """The row under the cursor."""
        row = self.table.selected if self.is_built else None
        return row.path if row is not None else None

    def can(self, action: str) -> bool:
        """Where nothing is listed there is nothing to filter or sort."""
        if action in ("filter", "sort", "reverse", "next-problem"):
            return bool(self.app.rows.by_path)
        return super().can(action)

    def why_not(self, action: str) -> str:
        """Where nothing is listed that is why."""
        return super().why_not(action) if self.app.rows.by_path else "there are no models here"

    def footer_actions(self) -> Sequence[str]:
        """The actions that the row under the cursor asks for."""
        row = self.table.selected if self.is_built else None
        if self.marks:
            return ("stop", "load", "unload", "probe", "back", "inspect", "seal")
        if row is None:
            return ("filter", "events", "errors", "quit")
        match row.status.word:
            case "failing":
                return ("errors", "open", "probe", "unload", "reload")
            case "ready" | "probing" | "serving":
                return ("open", "probe", "unload", "update", "history")
            case "changed":
                return ("reload", "open", "probe", "unload", "history")
            case "removed":
                return ("open", "unload", "next-problem", "filter", "events")
            case "error":
                return ("errors", "reload", "open", "history", "filter")
            case "blocked" | "damaged" | "skipped" | "unknown":
                return ("open", "trust", "next-problem", "filter", "events")
        return ("open", "load", "probe", "update", "history")

    def engine_changed(self, events: Sequence[Event]) -> None:
        """Repaint what differs; light up what has just been finished."""
        if not self.is_built:
            return
        for event in events:
            if event.kind in _FLASHING:
                self.table.flash(event.subject)
        self.table.revise()
        self._say_empty()
        self._frame_words()
        self._preview()

    async def fetch(self) -> None:
        """The facts and measurements of the row under the cursor; those in sight are inspected before others."""
        await self.engine.artifacts.prioritize(tuple(self.table.visible_paths))
        await self._look_at_selected()

    async def _look_at_selected(self) -> None:
        path = self.subject
        if path is not None:
            with suppress(EngineGoneError):
                await self.engine.artifacts.prefetch(path)
            await self.mirror.know(path)
            await self.mirror.measure(path, (SPARK_SECONDS,))

    def _preview(self) -> None:
        selected = self.table.selected
        self._describe()
        if selected is not None:
            self._ask_facts(selected.artifact)

    def _ask_facts(self, artifact: Artifact) -> None:
        """Have the facts read of a row that an earlier session judged, once the cursor rests on it."""
        wanted = (artifact.path, artifact.identity)
        known = artifact.verdict is None or self.mirror.report(artifact.path) is not None
        if not known and self._asked != wanted:
            self._asked = wanted
            self.run_worker(self._read_facts(artifact.path), group="facts", exclusive=True)

    async def _read_facts(self, path: str) -> None:
        await asyncio.sleep(_REST_SECONDS)
        why = ""
        try:
            await self.engine.artifacts.report(path)
            await self.mirror.know(path)
        except ConsoleError as error:
            why = error.message
        if self.is_built:
            if why:
                self.query_one(Preview).unread[path] = why
            self._describe()
            self.refresh_frame()

    def _tick(self) -> None:
        super()._tick()
        if self.is_built:
            self.table.revise()

    def times_passed(self) -> None:
        """Renew the relative times about the row under the cursor; the table renews its own."""
        self._describe()

    def _describe(self) -> None:
        panel, row = self.query_one(Preview), self.table.selected
        panel.show(self.mirror, row)
        self.query_one(PreviewLine).show(preview_words(self.mirror, row, panel.unread.get(row.path, "") if row else ""))

    def _frame_words(self) -> None:
        rows = self.app.rows
        frame = self.query_one("#frame")
        shown, total = len(rows), len(rows.by_path)
        parts = [*self.marked_words]
        if rows.filter:
            parts.append(f"filter {safe(rows.filter.pattern, 40)}: {shown} of {total}")
        if rows.filter.literal:
            parts.append("taken literally")
        if rows.filter and rows.filter is rows.restored:
            parts.append(f"kept from last time, {key_for('back')} drops it")
        if rows.sort not in self.table.shown_columns:
            parts.append(f"sorted by {rows.sort}{text.sign(' ↓' if rows.reverse else ' ↑')}")
        title = Content(text.joined(parts))
        if self._said_of_filter != title:
            frame.border_title = self._said_of_filter = title
        bar = self.query_one(FilterBar)
        if bar.has_class("open"):
            bar.note(f"{shown} of {total}")

    def _say_empty(self) -> None:
        """An empty table says why, and what to do."""
        rows, status = self.app.rows, self.mirror.status
        filtered = bool(rows.filter and rows.by_path)
        words = empty_words(self.app.root, status.offline, status.scanning, filtered)
        empty = not len(rows)
        self.query_one("#empty", Static).display = empty
        self.table.display = not empty
        self.query_one(Preview).set_class(empty, "folded")
        self.query_one(PreviewLine).set_class(empty, "folded")
        if empty:
            self.query_one("#empty", Static).update(words)

    @on(ArtifactTable.Moved)
    async def _moved(self) -> None:
        await self._look_at_selected()
        self._preview()
        self.refresh_frame()

    @on(ArtifactTable.Chosen)
    def _chosen(self) -> None:
        self.do_open()

    @on(ArtifactTable.Seen)
    async def _seen(self, message: ArtifactTable.Seen) -> None:
        with suppress(EngineGoneError):
            await self.engine.artifacts.prioritize(tuple(message.paths))

    @on(ArtifactTable.SortWanted)
    def _sort_wanted(self, message: ArtifactTable.SortWanted) -> None:
        asked = self.app.rows.asked
        self.app.arrange(sort=message.column, reverse=message.column == asked.sort and not asked.reverse)

    @on(FilterBar.Changed)
    def _filter_typed(self, message: FilterBar.Changed) -> None:
        self.app.arrange(wanted=Filter(message.pattern))

    @on(FilterBar.Closed)
    def _filter_closed(self, message: FilterBar.Closed) -> None:
        self.query_one(FilterBar).close(forget=not message.kept)
        if not message.kept:
            self.app.arrange(wanted=Filter())
        self.table.focus()

    def go_to(self, path: str) -> bool:
        """Put the cursor on a model that the filter does not hide."""
        self.table.select(path)
        return self.subject == path

    def do_open(self) -> None:
        """The model under the cursor."""
        if self.subject is not None:
            self.app.open_model(self.subject)

    def do_back(self) -> None:
        """Nothing lies behind this screen: the marks are dropped, and where there are none, the filter."""
        if not self.drop_marks() and (wanted := self.app.rows.asked.wanted):
            self.query_one(FilterBar).close(last=wanted.pattern)
            self.app.arrange(wanted=Filter())

    def do_mark(self) -> None:
        """Mark the row under the cursor, or take its mark away, and move down."""
        super().do_mark()
        self.table.action_do("down")

    def do_filter(self) -> None:
        """Type a filter."""
        self.query_one(FilterBar).open(last=self.app.rows.asked.wanted.pattern)

    def do_sort(self) -> None:
        """The next column to the right that is shown."""
        asked = self.app.rows.asked
        shown = self.table.shown_columns
        order = [column.name for column in COLUMNS if column.name in SORTS and column.name in (*shown, asked.sort)]
        place = order.index(asked.sort)
        following = next(name for name in (*order[place + 1 :], *order[: place + 1]) if name in shown)
        self.app.arrange(sort=following, reverse=False)

    def do_reverse(self) -> None:
        """The other way round."""
        self.app.arrange(reverse=not self.app.rows.asked.reverse)

    def do_next_problem(self) -> None:
        """The next row that needs a person, from the top again after the last."""
        rows, here = self.app.rows, self.table.index
        start = -1 if here is None else here
        started = time.perf_counter()
        for step in range(1, len(rows) + 1):
            row = rows.at((start + step) % len(rows))
            if row.status.rank <= _NEEDS_PERSON or row.artifact.changed:
                self.table.select(row.path)
                return
            if time.perf_counter() - started > 0.5:
                break
        self.app.say("No model needs a person.")


def empty_words(root: object, offline: str | None, scanning: bool, filtered: bool) -> Content:
    """The words of an empty table."""
    if offline is not None:
        return Content.assemble(
            ("the store is not there\n\n", "bold $error"),
            safe(offline),
            ("\n\nLoaded models go on answering. The console looks again by itself.", "$quiet"),
        )
    if filtered:
        return Content("nothing matches\n\n") + key_words("{back} drops the filter")
    if scanning:
        return Content.assemble(("looking through ", "$quiet"), safe(root))
    return Content.assemble(
        ("no models here\n\n", "bold"),
        ("looked through ", "$quiet"),
        safe(root),
        (
            "\nfor pickle, joblib, PyTorch, HDF5, Keras, ONNX,\nsafetensors and numpy files, whatever their names\n\n",
            "$quiet",
        ),
        ("model-console demo", "bold $accent"),
        (" builds a store to try things on", "$quiet"),
    )
