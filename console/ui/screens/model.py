"""One model: what it is, how it does, what it says, what went wrong with it, and what stood here before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partialmethod

from textual import on
from textual.containers import Container
from textual.scroll_view import ScrollView
from textual.widget import Widget

from console.errors import ConsoleError, EngineGoneError
from console.records import Event, Verdict
from console.ui.keys import BY_ID, EVERYWHERE, bindings_at
from console.ui.panes.lists import ErrorsPane, VersionsPane
from console.ui.panes.live import LivePane, stepped_batch, stepped_rate
from console.ui.panes.output import OutputPane
from console.ui.panes.overview import OverviewPane
from console.ui.panes.pane import Pane
from console.ui.panes.try_it import TryPane
from console.ui.rows import Row
from console.ui.screens.base import ArtifactScreen
from console.ui.screens.columned import Columned
from console.ui.widgets.line_list import LineList
from console.ui.widgets.model_header import ModelHeader
from console.ui.widgets.tab_line import TabLine

_KINDS: tuple[type[Pane], ...] = (OverviewPane, LivePane, TryPane, ErrorsPane, VersionsPane, OutputPane)
_PANES = {kind.NAME: kind for kind in _KINDS}
TABS = {name: f"tab-{name}" for name in _PANES}
"""Tabs from left to right, with the actions that open them."""
TAB_OF = {action: name for name, action in TABS.items()}

_ONLY_IN = {action: name for name, kind in _PANES.items() for action in kind.ACTIONS}
_OTHER_DATA = ("data.chosen", "recipe.written")
"""Events after which a model may be driven with other data."""
_PROBING = ("faster", "slower", "larger", "smaller")


class Panes(Container):
    """Where the open tab stands."""


class ModelScreen(Columned, ArtifactScreen):
    """Header, tabs, and the open tab's pane; a pane is made when it is first looked at."""

    PLACE = "model"
    BINDINGS = bindings_at("model", EVERYWHERE)
    CSS = """
    ModelScreen #panes { height: 1fr; & > * { padding: 1 1 0 1; } }
    ModelScreen.-short #live { padding: 0 1; &.refused { padding: 1 1 0 1; } }
    """

    def __init__(self, path: str, tab: str = "overview") -> None:
        super().__init__()
        self._about = path
        self._tab = tab
        self._panes: dict[str, Pane] = {}
        self._header = ModelHeader()
        self._tabs = TabLine(TABS)
        self._place = Panes(id="panes")

    @property
    def subject(self) -> str | None:
        """The path this screen is about."""
        return self._about

    @property
    def crumbs(self) -> Sequence[str]:
        """The model's path."""
        return (self._about,)

    @property
    def tab(self) -> str:
        """The open tab."""
        return self._tab

    @property
    def row(self) -> Row | None:
        """The row of the artifact now."""
        return self.app.rows.by_path.get(self._about)

    @property
    def columns(self) -> Sequence[ScrollView]:
        """The parts of the open tab that scroll."""
        return self._pane.columns if self._pane is not None else ()

    @property
    def _pane(self) -> Pane | None:
        """The open tab, once it is there."""
        return self._panes.get(self._tab)

    def content(self) -> Iterable[Widget]:
        """The widgets between status line and footer."""
        yield self._header
        yield self._tabs
        yield self._place

    async def on_mount(self) -> None:
        """Open the first tab, and make sure that the facts are there."""
        with suppress(EngineGoneError):
            await self.engine.artifacts.prioritize((self._about,))
            await self.engine.artifacts.prefetch(self._about)
        await self._open(self._tab)
        self.run_worker(self._explain(), group="explain", exclusive=True)

    async def fetch(self) -> None:
        """The facts, and what the open pane reads."""
        await super().fetch()
        if self._pane is not None:
            await self._pane.fetch()

    async def _explain(self) -> None:
        """Have the history looked at for what is new; a file that cannot be read says so itself."""
        try:
            await self.engine.artifacts.explain(self._about)
        except ConsoleError as error:
            if isinstance(pane := self._panes.get("overview"), OverviewPane):
                pane.unread = error.message
        await self.fetch()
        self.engine_changed(())

    def on_screen_suspend(self) -> None:
        """Another screen is on top: nothing moves."""
        for pane in self._panes.values():
            pane.rest()

    def engine_changed(self, events: Sequence[Event]) -> None:
        """Bring header and open pane up to date."""
        if not self.is_attached or self._tab not in self._panes:
            return
        row = self.row
        self._header.show(row, self._about)
        failed = sum(failure.artifact == self._about for failure in self.mirror.failures)
        self._tabs.show(self._tab, {"errors": failed})
        if isinstance(pane := self._panes.get("try"), TryPane) and any(
            event.kind in _OTHER_DATA and event.subject == self._about for event in events
        ):
            pane.renew()
        self._panes[self._tab].revise(row)

    def moments(self) -> Iterable[float]:
        """Those of the artifact, and of the versions where they are listed."""
        yield from super().moments()
        if self._pane is not None:
            yield from self._pane.moments

    def own_actions(self) -> tuple[str, ...]:
        """The actions of the open tab, then those that the model's state asks for."""
        state = self.row.status.word if self.row is not None else ""
        refused = self.row is not None and self.row.is_refused
        match self._tab:
            case "live" | "try" if refused:
                return ("trust", "events", "back")
            case "live" if state == "error":
                return ("errors", "reload", "probe", "back")
            case "live" if state in ("probing", "failing"):
                return ("probe", "faster", "slower", "larger", "pause", "zoom-out")
            case "live":
                return ("load", "probe", "pause", "zoom-in", "zoom-out", "export-data")
            case "try":
                if isinstance(pane := self._pane, TryPane) and pane.lacks_data:
                    return ("load", "data", "edit-row", "probe", "back")
                return ("load", "previous-row", "next-row", "edit-row", "probe")
            case "errors":
                return ("open", "reload", "copy", "back")
            case "versions":
                return ("open", "rollback", "back")
            case "output":
                return ("load", "search", "next-match", "copy", "save-output", "back")
        if state in ("error", "failing"):
            return ("errors", "reload", "probe", "unload", "history")
        if self.row is not None and self.row.artifact.verdict is not Verdict.SAFE:
            if self.row.is_refused:
                return ("trust", "errors", "events", "history", "back")
            return ("trust", "load", "reload", "probe", "unload", "history")
        return ("load", "reload", "probe", "unload", "update", "history")

    def can(self, action: str) -> bool:
        """Some actions belong to one tab, some to a running probe."""
        if action in _ONLY_IN and _ONLY_IN[action] != self._tab:
            return False
        if self._pane is not None and (able := self._pane.can(action)) is not None:
            return able
        if action in _PROBING:
            probe = self.mirror.probes.get(self._about)
            return probe is not None and probe.running
        return super().can(action)

    def why_not(self, action: str) -> str:
        """The tab it belongs to, the probe it needs, or what the artifact's state has against it."""
        if _ONLY_IN.get(action, self._tab) != self._tab:
            return f"only under {BY_ID[TABS[_ONLY_IN[action]]].label}"
        if self._pane is not None and self._pane.can(action) is False:
            return self._pane.why_not(action)
        if action in _PROBING:
            return "it is not being driven"
        return super().why_not(action)

    async def _open(self, tab: str) -> None:
        self._tab = tab
        if tab not in self._panes:
            self._panes[tab] = _PANES[tab](self.engine, self.mirror, self._about)
            self._panes[tab].display = False
            await self._place.mount(self._panes[tab])
        for name, pane in self._panes.items():
            pane.display = name == tab
            if name != tab:
                pane.rest()
        focusable = next((one for one in self._panes[tab].query("*") if one.focusable and one.display), None)
        self.set_focus(focusable)
        await self.fetch()
        self.engine_changed(())
        self.refresh_frame()
        self.call_after_refresh(self.refresh_frame)

    def _show(self, tab: str) -> None:
        if tab != self._tab:
            self.app.clear_notifications()
            self.run_worker(self._open(tab), group="tabs", exclusive=True)

    @classmethod
    def _has(cls, action_id: str) -> bool:
        return action_id in TAB_OF or action_id in _ONLY_IN or super()._has(action_id)

    def _do(self, action_id: str) -> None:
        if action_id in TAB_OF:
            self._show(TAB_OF[action_id])
        elif action_id not in _ONLY_IN:
            super()._do(action_id)
        elif self._pane is not None:
            getattr(self._pane, f"do_{action_id.replace('-', '_')}")()

    def do_back(self) -> None:
        """Put the typed line away, else back to the table."""
        if self._pane is None or not self._pane.close_line():
            super().do_back()

    def do_probe(self) -> None:
        """Start or stop driving the model, with the charts in sight."""
        super().do_probe()
        if self._tab == "overview":
            self._show("live")

    do_copies = partialmethod(ArtifactScreen.operate, "copies")
    do_accelerate = partialmethod(ArtifactScreen.operate, "accelerate")

    def _change(self, rate: int, batch: int) -> None:
        self.app.operations.run(self._about, self._changed(rate, batch), "")

    do_faster = partialmethod(_change, 1, 0)
    do_slower = partialmethod(_change, -1, 0)
    do_larger = partialmethod(_change, 0, 1)
    do_smaller = partialmethod(_change, 0, -1)

    def do_copy(self) -> None:
        """The output where that is looked at, else the path."""
        if isinstance(pane := self._pane, OutputPane):
            self.app.copy(pane.log_pane.plain, "output")
        else:
            super().do_copy()

    @on(TryPane.Lacking)
    @on(LineList.Moved)
    def _moved(self) -> None:
        """Renew the actions: those of one line of a list need not be those of the next."""
        self.refresh_frame()

    @on(LineList.Chosen)
    def do_open(self) -> None:
        """The failure's whole account, the history with what can be done there, or all about the verdict."""
        pane = self._pane
        if isinstance(pane, ErrorsPane) and pane.chosen is not None:
            self.app.show("errors", self._about, failure=pane.chosen)
        elif isinstance(pane, VersionsPane) and pane.chosen is not None:
            self.app.show("history", self._about)
        elif isinstance(pane, OverviewPane):
            self.app.show("trust", self._about)

    def do_rollback(self) -> None:
        """Put the version under the cursor back, after asking."""
        pane = self._panes.get("versions")
        if isinstance(pane, VersionsPane) and pane.chosen is not None:
            self.app.operations.roll_back(self._about, pane.chosen)

    async def _changed(self, rate: int, batch: int) -> None:
        """Change what the probe does by so many steps."""
        probe = await self.engine.monitor.probe(self._about)
        if probe is None or not probe.running:
            return
        if rate:
            await self.engine.monitor.set(self._about, rate=stepped_rate(probe.plan.rate, rate))
        if batch:
            await self.engine.monitor.set(self._about, batch=stepped_batch(probe.plan.batch, batch))
