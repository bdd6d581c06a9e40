"""The preview in one line, where the terminal is too low for the panel: what matters most about the selected row."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from textual.content import Content
from textual.widget import Widget

from console.library_versions import differences
from console.records import Report, Verdict, WorkerState, WorkerView
from console.records.words import news, rate_words
from console.safe_text import safe
from console.ui import states, text
from console.ui.installed import known
from console.ui.rows import Row
from console.ui.widgets.preview import facts_line, libraries, removed_words, shape
from console.ui.widgets.warned import warned_line

if TYPE_CHECKING:
    from console.engine.mirror import Mirror

_LOADING = (WorkerState.LOADING, WorkerState.WARMING)


class Said(NamedTuple):
    """A sentence and what stands `behind` it: where in the file, when again."""

    words: Content
    behind: Content = Content("")

    def cut(self, width: int) -> Content:
        """In so many cells. The sentence gives way at its end; with much behind it, the middle of both."""
        if len(self.behind) > width // 3:
            return text.cut_content(self.words + self.behind, width)
        return text.cut_content(self.words, width - self.behind.cell_length, middle=False) + self.behind


class PreviewLine(Widget):
    """One line that is always there, be it blank, so that the table does not move; shown on low terminals alone."""

    DEFAULT_CSS = "PreviewLine { height: 1; padding: 0 1; display: none; }"

    def __init__(self) -> None:
        super().__init__()
        self._said = Said(Content(""))

    def show(self, said: Said) -> None:
        """Say this; repaint only if it is something else than before."""
        if said != self._said:
            self._said = said
            self.refresh()

    def render(self) -> Content:
        """The line, cut to the width."""
        return self._said.cut(self.content_size.width)


def preview_words(mirror: Mirror, row: Row | None, unread: str = "") -> Said:
    """The weightiest words about a row, the first and the last of it above all; `unread` says why it has no facts."""
    if row is None:
        return Said(Content(""))
    worker = row.worker
    if row.status == states.REMOVED:
        return _said("▲", "attention", f"removed: {removed_words()}")
    if row.artifact.problem not in (None, states.GONE):
        return _said("✖", "failure", f"cannot be read: {row.artifact.problem}")
    if worker is not None and worker.state is WorkerState.ERROR:
        return _dead(mirror, row)
    if worker is not None and worker.state is not WorkerState.ENDED:
        return _living(mirror, row, worker)
    report = mirror.report(row.path)
    if row.artifact.verdict not in (None, Verdict.SAFE) and not row.artifact.accepted:
        return _judged(mirror, row) or Said(facts_line(report, row, unread))
    failure = mirror.last_failure(row.path)
    if failure is not None:
        return _said("✖", "failure", f"{failure.phase} failed {text.ago(failure.latest)}: {failure.message}")
    if report is None or report.inspection is None:
        return Said(facts_line(report, row, unread))
    if not report.inspection.loadable:
        return Said(facts_line(report, row), Content.styled(text.sign(" · nothing runs it"), "$quiet"))
    return _resting(report, row)


def _said(glyph: str, role: str, sentence: str, *more: str) -> Said:
    """`✖ what is wrong · more`."""
    rest = text.joined(["", *(text.one_line(one, 200) for one in more)])
    words = Content.assemble(
        (f"{text.sign(glyph)} ", f"bold {text.role_style(role)}"), text.sign(text.one_line(sentence))
    )
    return Said(words, Content.styled(text.sign(" · ") + rest if rest else "", "$quiet"))


def _judged(mirror: Mirror, row: Row) -> Said | None:
    """The consequence of loading it, and where in the file that stands."""
    told, status = mirror.explanation(row.path), states.trust(row.artifact)
    if told is None:
        return _said(status.glyph, status.role, row.artifact.why) if row.artifact.why else None
    mentions = [mention for point in told.points[:1] for mention in point.mentions[:1]]
    return _said(status.glyph, status.role, told.headline.rstrip("."), *(one.where for one in mentions if one.where))


def _dead(mirror: Mirror, row: Row) -> Said:
    """The cause, and when it is started again."""
    failure = mirror.last_failure(row.path)
    cause = f"{failure.phase} failed: {failure.exit or failure.message}" if failure is not None else "the worker ended"
    return _said("✖", "failure", cause, row.trouble)


def _living(mirror: Mirror, row: Row, worker: WorkerView) -> Said:
    """Rate and figures of a loaded model's probe, or why it has none; then what is wrong with its answers."""
    if worker.state in _LOADING:
        return _said("◐", "busy", "loading", worker.phase or "")
    if row.status is states.FAILING:
        return _said("✖", "failure", row.trouble, row.last_error)
    if row.artifact.changed:
        told = mirror.explanation(row.path)
        new = news(told.since) if told is not None and told.since is not None and told.since.changes else ""
        return _said("▲", "attention", "changed on disk", new or _figures(mirror, row))
    figures = _said(row.status.glyph, row.status.role, row.status.word, _figures(mirror, row))
    if not worker.warnings:
        return figures
    return Said(Content("  ").join([figures.words + figures.behind, warned_line(worker.warnings)]))


def _figures(mirror: Mirror, row: Row) -> str:
    """`20/s · p50 0.81 ms · p99 2.1 ms · 210M`."""
    measured, probe = mirror.series(row.path), row.probe
    recent = (measured.recent() if measured is not None else None) or row.measured
    parts = [f"{rate_words(probe.rate)}/s"] if probe is not None and probe.running else []
    if row.traffic is not None and row.traffic.whole is not None:
        parts, recent = [f"{rate_words(row.traffic.asked)}/s asked"], row.traffic.whole
    if recent is not None:
        parts += [f"p50 {text.milliseconds(recent.p50)}", f"p99 {text.milliseconds(recent.p99)}"]
    return text.joined([*parts, text.size(row.rss)])


def _resting(report: Report, row: Row) -> Said:
    """Class, inputs and outputs, and the versions it was written with, above all one that differs from the one here."""
    found = report.inspection
    assert found is not None
    other = differences(found.library_versions, known())
    parts = [
        f"link to {safe(row.artifact.link)}" if row.artifact.link else "",
        states.class_words(row.artifact),
        *shape(found),
        *([] if other else [f"{safe(name)} {safe(was)}" for name, was in libraries(found)[:1]]),
    ]
    warned = [f"  {text.sign('▲')} written with {one.library} {one.was}, here {one.now}" for one in other[:1]]
    return Said(Content(text.joined(parts)), Content.styled(safe("".join(warned), 200), "$warning"))
