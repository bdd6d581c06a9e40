"""Everything that answers other programs: models with their versions, copies and requests."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from functools import partialmethod

from textual import on
from textual.containers import Container
from textual.content import Content
from textual.scroll_view import ScrollView
from textual.widget import Widget
from textual.widgets import Static

from console.errors import ConsoleError
from console.records import Event, ModelStatistics, ServedModel
from console.ui import text
from console.ui.key_words import key_words
from console.ui.keys import EVERYWHERE, bindings_at
from console.ui.rows import Row
from console.ui.screens.base import ArtifactScreen, ConsoleScreen
from console.ui.screens.columned import Columned
from console.ui.widgets.line_list import LineList
from console.ui.widgets.served import model_words, served_lines
from console.ui.widgets.text_pane import TextPane

_READ_S = 5.0
"""How old what is known of versions may be; their figures are renewed each second."""
_COUNT_S = 1.0
_OTHERWISE = ("worker.", "serving.", "history.", "artifact.", "update.promoted")


class ServingScreen(ArtifactScreen, Columned):
    """Models that answer or were asked come first; the panel tells of the one under the cursor."""

    PLACE = "serving"
    BINDINGS = bindings_at("serving", EVERYWHERE)
    AUTO_FOCUS = "LineList"
    FOOTER = ("open", "load", "unload", "copies", "worst", "back")
    CSS = """
    ServingScreen #served-titles { height: 1; padding: 0 2; }
    ServingScreen #served-frame { height: 1fr; min-height: 6; }
    ServingScreen #served-one-frame { height: auto; max-height: 12; min-height: 5; }
    ServingScreen #served-one-frame TextPane { height: auto; max-height: 10; }
    ServingScreen #nothing { height: 1fr; content-align: center middle; text-align: center; display: none; }
    ServingScreen.nothing #nothing { display: block; }
    ServingScreen.nothing .frame { display: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._models: tuple[ServedModel, ...] = ()
        self._statistics: tuple[ModelStatistics, ...] = ()
        self._known = False
        self._read_at = self._counted_at = 0.0

    @property
    def subject(self) -> str | None:
        """The artifact of the model under the cursor."""
        key = self.query_one(LineList).key if self.is_built else None
        return key if isinstance(key, str) else None

    @property
    def columns(self) -> Sequence[ScrollView]:
        """The list and the panel."""
        return (self.query_one(LineList), self.query_one(TextPane)) if self._models else ()

    @property
    def crumbs(self) -> Sequence[str]:
        """The screen."""
        return (self.PLACE,)

    def content(self) -> Iterable[Widget]:
        """Titles and list, the panel, and what stands there while there is nothing."""
        yield Container(Static(id="served-titles"), LineList(), id="served-frame", classes="frame")
        yield Container(TextPane(), id="served-one-frame", classes="frame")
        yield Static(_nothing(), id="nothing")

    def begin(self, below: ConsoleScreen) -> None:
        """All that is served by now, whatever was known before."""
        if self.is_built:
            self._read()

    def on_mount(self) -> None:
        """Read what is served."""
        self.query_one("#served-frame").border_title = Content("serving")
        self._read()

    def on_resize(self) -> None:
        """The lines have another width."""
        super().on_resize()
        self.call_after_refresh(self._show)

    def moments(self) -> Iterable[float]:
        """When each was asked last."""
        return (one.last for one in self.mirror.traffic.values())

    def engine_changed(self, events: Sequence[Event]) -> None:
        """Figures come by themselves; versions are read again where something may have changed them."""
        if not self.is_built or self.app.screen is not self:
            return
        now = time.monotonic()
        if now - self._read_at > _READ_S or any(event.kind.startswith(_OTHERWISE) for event in events):
            self._read()
        elif now - self._counted_at > _COUNT_S and self.subject in self.mirror.traffic:
            self._count()
        self._show()

    def _read(self) -> None:
        self._read_at = time.monotonic()
        self.run_worker(self._fetch_models(), group="served", exclusive=True)

    async def _fetch_models(self) -> None:
        try:
            self._models, self._known = await self.engine.serving.models(), True
        except ConsoleError as error:
            self.app.say_error(error)
        self._show()
        await self._fetch_counts()

    @on(LineList.Moved)
    def _count(self) -> None:
        self._counted_at = time.monotonic()
        self.run_worker(self._fetch_counts(), group="counts", exclusive=True)

    async def _fetch_counts(self) -> None:
        model = self._model
        if model is not None:
            try:
                self._statistics = await self.engine.serving.statistics(model.name)
            except ConsoleError:
                self._statistics = ()
        self._tell()

    @property
    def _model(self) -> ServedModel | None:
        path = self.subject
        return next((one for one in self._models if one.path == path), None)

    def _show(self) -> None:
        if not self.is_built:
            return
        listed = self.query_one(LineList)
        rows = self.app.rows.by_path
        models = sorted(((one, rows.get(one.path)) for one in self._models), key=_order)
        titles, lines = served_lines(models, listed.text_width)
        self.query_one("#served-titles", Static).update(titles)
        listed.show([(model.path, line) for (model, _row), line in zip(models, lines, strict=True)])
        ready = sum(model.loaded for model in self._models)
        asked = sum(row.rate or 0.0 for _model, row in models if row is not None)
        words = [text.count(len(models), "model"), f"{ready:,} ready", f"{text.rate(asked)} req/s" if asked else ""]
        told = text.joined(words) if self._known else text.sign("reading …")
        self.query_one("#served-frame").border_subtitle = Content(told)
        self.set_class(self._known and not self._models, "nothing")
        self._tell()

    def _tell(self) -> None:
        model, pane = self._model, self.query_one(TextPane)
        frame = self.query_one("#served-one-frame")
        if model is None:
            return
        counts = [one for one in self._statistics if one.name == model.name]
        frame.border_title = Content(text.cut_middle(text.one_line(model.name), 60))
        pane.show(model_words(model, counts, max(16, pane.text_width)), keep_place=True)
        self.refresh_frame()

    @on(LineList.Chosen)
    def do_open(self) -> None:
        """The model under the cursor, with its charts where it is asked."""
        path = self.subject
        if path is not None:
            self.app.open_model(path, "live" if path in self.mirror.traffic else "overview")

    do_copies = partialmethod(ArtifactScreen.operate, "copies")


def _order(one: tuple[ServedModel, Row | None]) -> tuple[bool, bool, bool, str]:
    """Those that fail, those that are asked, those that are loaded, and the others, each by name."""
    model, row = one
    failing = row is not None and bool(row.last_error)
    return not failing, row is None or row.traffic is None, row is None or row.worker is None, model.name


def _nothing() -> Content:
    """The words for a store without models."""
    return Content.assemble(
        ("there is no model to serve\n\n", "bold"),
        key_words("every model of the store that can be loaded answers other programs here"),
    )
