"""The live charts, and the line of the probe that feeds them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partialmethod
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from console.records import Failure, ProbeState, WorkerState
from console.records.words import growth_words, rate_words
from console.safe_text import safe
from console.ui import text
from console.ui.exports import export_data
from console.ui.keys import key_for
from console.ui.panes.pane import Pane
from console.ui.panes.refused import DATA_CODES, refused_lines
from console.ui.rows import Row
from console.ui.running import screen_of
from console.ui.states import again_words, failing_words
from console.ui.widgets.charts_panel import ChartsPanel
from console.ui.widgets.data_line import file_words
from console.ui.widgets.keyvalue import paragraph
from console.ui.widgets.request_lines import most_of, quantiles, request_lines
from console.ui.widgets.text_pane import TextPane
from console.ui.widgets.warned import warned_lines, warnings_of
from console.ui.widgets.window import DOT_WIDTHS

if TYPE_CHECKING:
    from console.engine.api import EngineApi
    from console.engine.mirror import Mirror

_ALIVE = (WorkerState.LOADING, WorkerState.WARMING, WorkerState.READY, WorkerState.DRAINING)
RATES = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
"""Rates the keys step through, in requests a second; 0 is as fast as it goes and comes after the last."""


class LivePane(Pane):
    """Charts above, three lines about the probe and its data below; why, in place of charts, where data was refused."""

    NAME = "live"
    DEFAULT_CSS = """
    LivePane #probe { height: 3; }
    LivePane #asked { height: auto; max-height: 2; display: none; }
    LivePane #doubts { height: auto; max-height: 4; display: none; }
    LivePane #refused { display: none; }
    LivePane.refused { & ChartsPanel { display: none; } & #refused { display: block; } }
    """
    ACTIONS = ("pause", "zoom-in", "zoom-out", "export-data")

    def __init__(self, engine: EngineApi, mirror: Mirror, path: str) -> None:
        super().__init__(engine, mirror, path)
        self.charts = ChartsPanel(self._measure)
        self._refused = TextPane(id="refused")
        self._asked = Static(id="asked")
        self._probe = Static(id="probe")
        self._doubts = Static(id="doubts")
        self._told: tuple[Content, ...] = ()
        self._doubted: tuple[Content, ...] = ()
        self._said: tuple[Content, ...] = ()
        self._row: Row | None = None

    def compose(self) -> ComposeResult:
        """Charts and probe."""
        yield self.charts
        yield self._refused
        yield self._asked
        yield self._probe
        yield self._doubts

    def on_mount(self) -> None:
        """Move at the terminal's pace."""
        self.charts.pace = screen_of(self).app.pace

    async def fetch(self) -> None:
        """Have the measurements in every zoom."""
        await self._mirror.measure(self._path, DOT_WIDTHS)

    async def _measure(self, dot_seconds: float) -> None:
        await self._mirror.measure(self._path, (dot_seconds,))

    def on_chart_body_fitted(self) -> None:
        """The charts show another stretch of time."""
        self.revise(self._row)

    def revise(self, row: Row | None) -> None:
        """Follow the artifact's measured, and say what the probe does."""
        self._row = row
        alive = row is not None and row.worker is not None and row.worker.state in _ALIVE
        self.charts.show(self._mirror.series(self._path), _hint(row))
        self.run(alive)
        probe = self._mirror.probes.get(self._path)
        refusal = data_refusal(self._mirror.failures, self._path, probe)
        self._show_refusal(refusal)
        lines = probe_lines(probe, row, self.charts, self.content_size.width)
        if refusal is not None:
            lines = (
                Content.styled(
                    f"not driven: {key_for('probe')} tries again once file or recipe is mended, "
                    f"{key_for('data')} chooses other data",
                    "$quiet",
                ),
            )
        if not text.same(lines, self._said):
            self._said = lines
            self._probe.update(Content("\n").join(lines), layout=False)
        asked = request_lines(row.traffic if row is not None else None, self.content_size.width)
        if not text.same(asked, self._told):
            self._told = asked
            self._asked.display = bool(asked)
            self._asked.update(Content("\n").join(asked))
        doubts = doubt_lines(probe, row, max(16, self.content_size.width - 2))
        if not text.same(doubts, self._doubted):
            self._doubted = doubts
            self._doubts.display = bool(doubts)
            self._doubts.update(Content("\n").join(doubts))

    def _show_refusal(self, failure: Failure | None) -> None:
        """Why the data cannot be driven, column by column; the keys scroll it."""
        self.set_class(failure is not None, "refused")
        if failure is not None:
            self._refused.show(refused_lines(failure, self.content_size.width - 2), keep_place=True)
            if self.display and self.screen.focused is None:
                self._refused.focus()

    def run(self, alive: bool) -> None:
        """Move while there is something alive and this is what the operator sees."""
        self.charts.run(alive and self.display and self.app.screen is self.screen)

    def rest(self) -> None:
        """The clock of the charts stands."""
        self.charts.run(False)

    def can(self, action: str) -> bool | None:
        """Whether an action is possible: only measured values can be held, zoomed or exported."""
        return self._mirror.series(self._path) is not None if action in self.ACTIONS else super().can(action)

    def why_not(self, action: str) -> str:
        """Nothing was measured."""
        return "nothing is measured" if action in self.ACTIONS else super().why_not(action)

    def do_pause(self) -> None:
        """Hold the charts, or let them go."""
        self.charts.pause(not self.charts.paused)
        screen_of(self).engine_changed(())

    def zoom(self, steps: int) -> None:
        """A shorter (negative) or longer stretch of time."""
        self.charts.zoom(steps)
        screen_of(self).engine_changed(())

    do_zoom_in = partialmethod(zoom, -1)
    do_zoom_out = partialmethod(zoom, 1)

    def do_export_data(self) -> None:
        """Write the data of the charts to a file."""
        work = export_data(screen_of(self).app, self._path, self.charts.dot_seconds, self.charts.since)
        self.run_worker(work, group="export")


def data_refusal(failures: Sequence[Failure], path: str, probe: ProbeState | None) -> Failure | None:
    """The newest failure of a path, where its data was refused and nothing has been driven since."""
    last = next((one for one in reversed(failures) if one.artifact == path), None)
    if last is None or last.code not in DATA_CODES:
        return None
    return last if probe is None or probe.started < last.latest else None


def stepped_rate(rate: float, step: int) -> float:
    """The next of RATES above or below; 0, the unlimited one, stands above all others."""
    if rate == 0:
        return 0.0 if step > 0 else RATES[-1]
    if step > 0:
        return next((one for one in RATES[1:] if one > rate), 0.0)
    return next((one for one in reversed(RATES[1:]) if one < rate), RATES[1])


def stepped_batch(batch: int, step: int) -> int:
    """Twice or half as many rows."""
    return batch * 2 if step > 0 else max(1, batch // 2)


def probe_lines(probe: ProbeState | None, row: Row | None, charts: ChartsPanel, width: int) -> tuple[Content, ...]:
    """The lines about the probe: its state and figures."""
    view = [f"{charts.span_words} in sight"] if charts.measured else []
    view += ["held; measuring goes on"] if charts.paused else []
    sight = Content.styled(text.joined(view), "$warning" if charts.paused else "$quiet")
    if probe is None:
        return Content.styled(_idle(row), "$quiet"), sight
    plan = probe.plan
    glyph, style = _probe_sign(probe)
    asked = f"{plan.rate:g}/s" if plan.rate else "as fast as it goes"
    reached = _waiting(row) if probe.waits else f"{asked}, reached {safe(rate_words(probe.rate))}/s"
    told = [
        (0, Content.assemble((f"{text.sign(glyph)} probe ", style), reached)),
        (3, Content(f"batch {plan.batch}")),
        (4, Content(text.count(probe.calls, "call"))),
    ]
    if plan.batch > 1 or probe.rows != probe.calls:
        told.append((5, Content(text.count(probe.rows, "row"))))
    failed = failing_words(probe) if probe.failing and not probe.waits else text.count(probe.errors, "error")
    errors = Content.styled(failed, "$error" if probe.errors else "$quiet")
    told.append((1 if probe.errors else 6, errors))
    for name, value in (probe.score or {}).items():
        told.append((2, Content.assemble((f"{safe(name, 30)} ", "$quiet"), (text.number(value), "bold"))))
    if probe.missing:
        told.append((3, Content.styled(f"{text.count(probe.missing, 'row')} without a truth", "$warning")))
    if not probe.running and probe.stopped_why:
        told.append((1, Content.styled(safe(probe.stopped_why, 100), "$quiet")))
    line = most_of(told, width - 2)
    figures = [
        Content.styled(words, "$quiet")
        for words in (quantiles("worker", probe.worker), quantiles("round trip", probe.round_trip))
        if words
    ]
    order = [sight, *figures] if charts.paused else [*figures, sight]
    file = file_words(probe.data, width) if probe.data is not None else safe(os.path.basename(plan.data), 40)
    return line, most_of(list(enumerate(order)), width - 2), Content.styled(file, "$quiet")


def _probe_sign(probe: ProbeState) -> tuple[str, str]:
    """Green only while it is answered."""
    if not probe.running:
        return "○", "bold $quiet"
    return ("✖", "bold $error") if probe.failing or probe.waits else ("▶", "bold $success")


def _waiting(row: Row | None) -> str:
    """The event that a probe waits for whose worker is dead or loads."""
    worker = row.worker if row is not None else None
    if worker is not None and worker.state in (WorkerState.LOADING, WorkerState.WARMING):
        return "waits: the model is loading"
    again = again_words(worker)
    return (
        f"waits: the worker is dead, {again}"
        if again
        else f"waits: the worker is dead, {key_for('reload')} tries again"
    )


def doubt_lines(probe: ProbeState | None, row: Row | None, width: int) -> tuple[Content, ...]:
    """How memory grew while it was driven, why there is no score, and what is wrong with the answers."""
    grown: list[Content] = []
    if probe is not None and probe.growth is not None:
        grown = paragraph(growth_words(probe.growth), width, style="$warning" if probe.growth.grows else "$quiet")
    if probe is not None and probe.unscored and not probe.score:
        grown += paragraph(f"no score: {safe(probe.unscored, 400)}", width, style="$warning")[:2]
    if probe is not None and probe.last_error:
        grown += paragraph(safe(probe.last_error, 400), width, style="$error")[:2]
    warnings = warnings_of(row.worker if row is not None else None, probe.warnings if probe is not None else ())
    return (*grown, *warned_lines(warnings, width))


def _idle(row: Row | None) -> str:
    if row is not None and row.is_refused:
        return f"{row.status.word}: it is not loaded, {key_for('trust')} says why"
    if row is not None and row.worker is not None and row.worker.state is WorkerState.ERROR:
        return text.joined(
            [
                again_words(row.worker),
                f"the worker has ended: {key_for('errors')} says why, {key_for('reload')} tries again",
            ]
        )
    if row is None or row.worker is None or row.worker.state not in _ALIVE:
        return f"not loaded: {key_for('load')} loads it, {key_for('probe')} loads and drives it with its data"
    return f"not driven: {key_for('probe')} drives it with rows of its data"


def _hint(row: Row | None) -> str:
    if row is not None and row.is_refused:
        return f"{row.status.word}: {key_for('trust')} says why"
    if row is None or row.worker is None or row.worker.state is WorkerState.ENDED:
        return f"{key_for('load')} loads it, {key_for('probe')} drives it"
    if row.worker.state is WorkerState.ERROR:
        return text.joined([again_words(row.worker), f"ended: {key_for('reload')} tries again"])
    if row.last_error:
        return f"nothing is answered: {key_for('errors')} says why"
    if row.probe is not None and row.probe.running:
        return "no answer yet"
    return f"{key_for('probe')} drives it" if row.worker.state is WorkerState.READY else "loading"
