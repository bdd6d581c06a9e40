"""The panel below the table: what the selected artifact is, how it does, or what is wrong with it and what to press."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widget import Widget

from backends.core.inspection import ModelEntry
from console.records import Explanation, Inspection, Report, Verdict, WorkerState, WorkerView
from console.records.words import memory_words, news
from console.safe_text import safe
from console.ui import states, text
from console.ui.key_words import key_words
from console.ui.keys import key_for
from console.ui.rows import Row
from console.ui.widgets.spark import spark
from console.ui.widgets.warned import warned_line

if TYPE_CHECKING:
    from console.engine.mirror import Mirror

Line = Content
NOT_READ = "not read yet in this session"
"""Its verdict is remembered from an earlier one; its facts are asked for when the cursor rests on it."""
SPARK_SECONDS = 0.5
_LEAST_TITLE = 8


class Preview(Widget):
    """Three or four lines about one artifact, under its name."""

    DEFAULT_CSS = """
    Preview {
        height: 6; padding: 0 1; border: round $line; border-title-color: $accent; border-title-style: bold;
        border-subtitle-color: $quiet;
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._lines: tuple[Line, ...] = ()
        self._title = Content("")
        self.unread: dict[str, str] = {}
        """Why the facts of a path could not be read, where they were asked for."""

    def show(self, mirror: Mirror, row: Row | None) -> None:
        """Say what is known of `row` now; repaint only if that is something else than before."""
        lines = (
            tuple(describe(mirror, row, self.content_size.width, self.unread.get(row.path, "")))
            if row is not None
            else ()
        )
        room = max(_LEAST_TITLE, self.content_size.width - 2)
        title = Content(text.cut_middle(safe(row.path), room) if row is not None else "")
        if not text.same(lines, self._lines):
            self._lines = lines
            self.refresh()
        if title != self._title:
            self.border_title = self._title = title

    def render(self) -> Content:
        """The lines, each cut to the width."""
        width = self.content_size.width
        return Content("\n").join([line.truncate(width, ellipsis=True) for line in self._lines])


def removed_words() -> str:
    """The file is gone, the worker is not."""
    return f"the file {states.GONE}; {key_for('unload')} unloads its worker"


def describe(mirror: Mirror, row: Row, width: int, unread: str = "") -> list[Line]:
    """The lines for one row, the most important first; `unread` says why its facts could not be read."""
    report = mirror.report(row.path)
    lines = [facts_line(report, row, unread)]
    artifact, worker = row.artifact, row.worker
    if row.status == states.REMOVED:
        return [_said("▲", "attention", "removed", removed_words())]
    if artifact.problem not in (None, states.GONE):
        return [_said("✖", "failure", "cannot be read", artifact.problem)]
    if artifact.verdict in (Verdict.BLOCKED, Verdict.DAMAGED, Verdict.UNSUPPORTED):
        return [*lines, *_refused(mirror, row)]
    if worker is not None and worker.state is WorkerState.ERROR:
        return [*lines, *_dead(mirror, row)]
    if worker is not None and worker.state is not WorkerState.ENDED:
        return [*lines, *_living(mirror, row, width)]
    if artifact.verdict is Verdict.REVIEW:
        return [*lines, *_review(mirror, row)]
    return [*lines, *_resting(mirror, report, row)]


def facts_line(report: Report | None, row: Row, why_unread: str = "") -> Line:
    """`200 trees · 30 inputs · 2 classes · scikit-learn 1.9.1 · sha256 9f2c…`."""
    if report is None or report.inspection is None:
        words = "being written; it is read once it rests" if row.artifact.settling else ""
        unread = row.artifact.verdict is None and not row.artifact.problem
        if unread and row.artifact.why:
            words = row.artifact.why
        if not words:
            words = (
                "no facts could be read" if report is not None else "reading …" if unread else why_unread or NOT_READ
            )
        return Content.styled(safe(text.sign(words)), "$quiet")
    found = report.inspection
    digest = (report.artifact.digest or row.artifact.digest or "").removeprefix("sha256:")
    parts = [
        *([f"link to {safe(row.artifact.link)}"] if row.artifact.link else []),
        *(["sealed with age"] if row.artifact.sealed else []),
        *_made_of(found, row.artifact.steps),
        *(f"{safe(name)} {safe(version)}" for name, version in libraries(found)),
    ]
    if digest:
        parts.append(f"sha256 {safe(digest)[:8]}")
    return Content(text.joined(parts) or "no facts beyond its format")


def _made_of(found: Inspection, steps: Sequence[str]) -> Sequence[str]:
    parts = [f"{safe(found.compression, 24)} compressed"] if found.compression else []
    if steps:
        parts.append(text.sign(" › ").join(text.short_class(step) for step in steps[:5]))
    parts += shape(found)
    if found.n_weights:
        parts.append(f"{found.n_weights:,} weights")
    model = found.models[0] if found.models else None
    if len(found.models) > 1 and not (model and model.steps):
        parts.append(f"{len(found.models)} estimators")
    return parts


def shape(found: Inspection) -> list[str]:
    """`200 trees`, `30 inputs`, `2 classes`."""
    signature = found.signature
    parts = _highlights(found.models[0]) if found.models else []
    if signature.n_features:
        parts.append(text.count(signature.n_features, "input"))
    if signature.classes:
        parts.append(f"{len(signature.classes)} classes")
    elif signature.outputs:
        parts.append(text.count(signature.outputs, "output"))
    return parts


def _highlights(model: ModelEntry) -> list[str]:
    trees = model.parameters.get("n_estimators")
    if not trees:
        return []
    return [f"{safe(trees)} trees" if "Forest" in model.class_name else f"{safe(trees)} estimators"]


def libraries(found: Inspection) -> list[tuple[str, str]]:
    """The first two libraries it was written with."""
    return sorted(found.library_versions.items())[:2]


def _said(glyph: str, role: str, word: str, sentence: str) -> Line:
    return Content.assemble(
        (f"{text.sign(glyph)} {safe(word, 40)}", f"bold {text.role_style(role)}"), "  ", text.one_line(sentence)
    )


def _refused(mirror: Mirror, row: Row) -> list[Line]:
    verdict, told = states.trust(row.artifact), mirror.explanation(row.path)
    if told is None:
        return [_said(verdict.glyph, verdict.role, verdict.word, row.artifact.why)]
    lines = [_said(verdict.glyph, verdict.role, verdict.word, told.headline)]
    return [*lines, Content.assemble(_evidence(told), key_words("{trust} tells all of it"))]


def _review(mirror: Mirror, row: Row) -> list[Line]:
    told = mirror.explanation(row.path)
    headline = told.headline if told is not None else row.artifact.why
    evidence = _evidence(told) if told is not None else Content("")
    return [
        _said("?", "attention", "review", headline),
        Content.assemble(evidence, key_words("{trust} tells all of it, {load} loads it after a typed yes")),
    ]


def _evidence(told: Explanation) -> Line:
    """`posix.system, byte 867 · new since the last version · 2 more · `: what stands behind the worst point."""
    if not told.points:
        return Content("")
    point = told.points[0]
    first = point.mentions[0] if point.mentions else None
    parts = [", ".join(safe(part, 80) for part in (first.name, first.where) if part)] if first is not None else []
    if first is not None and first.new:
        parts.append("new since the last version")
    if len(told.points) > 1:
        parts.append(f"{len(told.points) - 1} more")
    return Content.styled("".join(text.sign(f"{part} · ") for part in parts if part), "$quiet")


def _dead(mirror: Mirror, row: Row) -> list[Line]:
    failure = mirror.last_failure(row.path)
    if failure is None:
        return [_said("✖", "failure", "error", "the worker ended"), _again(row, "press {reload} to try again")]
    cause = failure.exit or failure.message
    last = failure.hint or next((line for line in reversed(failure.stderr.splitlines()) if line.strip()), "")
    lines = [_said("✖", "failure", f"{failure.phase} failed", cause)]
    if last:
        lines.append(Content.styled(safe(last, 300), "$quiet"))
    return [*lines, _again(row, "press {errors} for the whole account, {reload} to try again")]


def _again(row: Row, keys: str) -> Line:
    """When it is started again by itself, and the keys."""
    parts = [Content.styled(row.trouble, "$error")] if row.trouble else []
    return Content.styled(text.sign(" · "), "$quiet").join([*parts, key_words(keys)])


def _living(mirror: Mirror, row: Row, width: int) -> list[Line]:
    worker = row.worker
    if worker is None or worker.state in (WorkerState.LOADING, WorkerState.WARMING):
        phase = safe(worker.phase) if worker is not None else ""
        return [Content.assemble((f"{text.sign('◐')} loading", "bold $accent"), f"  {phase}")]
    lines = [_worker(worker), _measured(mirror, row, width)]
    if row.artifact.changed:
        changed = "press {reload} to load the file, which holds other bytes now"
        lines.append(key_words(changed, _news(mirror, row.path)))
    elif worker.warnings and not row.trouble:
        lines.append(warned_line(worker.warnings))
    else:
        lines.append(_last_error(mirror, row.path))
    if row.status is states.FAILING:
        lines[0] = _said("✖", "failure", "failing", f"{row.trouble}: {row.last_error}")
    return lines


def _news(mirror: Mirror, path: str) -> str:
    told = mirror.explanation(path)
    if told is None or told.since is None or not told.since.changes:
        return ""
    return f": {text.sign(safe(news(told.since), 200))}"


def _worker(worker: WorkerView) -> Line:
    """`pid 4242 · up 3m · sandbox 7 of 8 · 3.5 % of a core`."""
    copies = f"{len(worker.pids)} of {worker.copies} copies" if worker.copies > 1 else ""
    parts = [f"pid {worker.pid}" if worker.pid else "", copies, f"up {text.span(max(0.0, time.time() - worker.since))}"]
    if worker.layers:
        parts.append(f"sandbox {sum(layer.active for layer in worker.layers.values())} of {len(worker.layers)}")
    if worker.cpu is not None:
        parts.append(f"{worker.cpu:.0f} % of a core")
    if worker.restarts:
        parts.append(text.count(worker.restarts, "restart"))
    return Content.assemble(("worker  ", "$quiet"), text.joined(parts))


def _measured(mirror: Mirror, row: Row, width: int) -> Line:
    measured = mirror.series(row.path)
    room = max(6, min(28, (width - 70) // 2))
    recent = measured.recent() if measured is not None else None
    recent, drawn, style = recent or row.measured, "worker.p99", "$primary"
    parts: list[tuple[str, str] | Content] = [("latency ", "$quiet")]
    if row.traffic is not None and row.traffic.whole is not None:
        recent, drawn, style = row.traffic.whole, "request.p99", "$chart-requests"
        parts.append((f"{text.rate(row.traffic.asked)}/s asked  ", "bold"))
    if recent is not None:
        if measured is not None:
            parts.append((spark(measured.bins(drawn, 2 * room, SPARK_SECONDS)), style))
        parts += [("  p50 ", "$quiet"), (text.milliseconds(recent.p50), "bold")]
        parts += [("  p99 ", "$quiet"), (text.milliseconds(recent.p99), "bold")]
    elif row.probe is not None and row.probe.running:
        parts.append(("nothing is answered" if row.probe.failing else "no answer yet", "$quiet"))
    else:
        parts.append(key_words("press {probe} to drive it"))
    if row.rss is not None:
        parts.append(("    memory ", "$quiet"))
        if measured is not None:
            parts.append((spark(measured.bins("rss", 2 * room, SPARK_SECONDS)), "$primary"))
        parts.append((f"  {text.size(row.rss)}", "bold"))
    return Content.assemble(*parts)


def _last_error(mirror: Mirror, path: str) -> Line:
    failure = mirror.last_failure(path)
    if failure is None:
        return Content.assemble(("errors  ", "$quiet"), "none")
    return Content.assemble(
        ("errors  ", "$quiet"), (text.ago(failure.latest), "$warning"), "  ", text.one_line(failure.message, 300)
    )


def _trusted(report: Report | None) -> Line:
    sign, words = text.sign("✔"), "safe: every byte was read, every name is on the list"
    if report is None:
        words = "safe when it was last read"
    elif report.judgement.pinned:
        words = f"accepted by {safe(report.judgement.pinned)}"
    elif report.inspection is not None and not report.inspection.names:
        words = "safe: it names no code at all"
    return Content.assemble(("trust   ", "$quiet"), (f"{sign} ", "$success"), words)


def _no_recipe() -> Line:
    return Content.styled("no recipe: data and target are asked for when they are needed", "$quiet")


def _resting(mirror: Mirror, report: Report | None, row: Row) -> list[Line]:
    failure = mirror.last_failure(row.path)
    if failure is not None:
        return [_last_error(mirror, row.path), key_words("press {errors} for its account, {load} to load again")]
    if row.artifact.verdict is None:
        return []
    if report is not None and report.inspection is not None and not report.inspection.loadable:
        return [_trusted(report), key_words("nothing runs it: {open} looks inside, {load} tells why")]
    recipe, forecast = row.artifact.recipe, mirror.forecast(row.path)
    takes = [] if forecast is None else [Content.assemble(("memory  ", "$quiet"), memory_words(forecast))]
    known = Content.assemble(("recipe  ", "$quiet"), safe(recipe)) if recipe else _no_recipe()
    return [
        _trusted(report),
        known,
        *takes,
        key_words("press {load} to load it, {probe} to load and drive it, {open} to look inside"),
    ]
