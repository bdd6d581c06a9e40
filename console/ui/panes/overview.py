"""The overview tab: the contents of the file, the verdict on it, and its worker."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.content import Content
from textual.geometry import Size
from textual.scroll_view import ScrollView

from console.errors import ConsoleError
from console.records import (
    Explanation,
    MemoryForecast,
    ModelData,
    RecipeFacts,
    Report,
    Verdict,
    WorkerState,
    WorkerView,
    target_words,
)
from console.records.words import memory_words
from console.safe_text import safe
from console.ui import states, text
from console.ui.installed import installed
from console.ui.key_words import key_words
from console.ui.panes.facts import file_lines
from console.ui.panes.failed import failed_lines
from console.ui.panes.pane import Pane
from console.ui.panes.recent_events import lately_lines
from console.ui.rows import Row
from console.ui.widgets.explained import brief_lines
from console.ui.widgets.keyvalue import pairs, paragraph, section
from console.ui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from console.engine.api import EngineApi
    from console.engine.mirror import Mirror

_TWO_COLUMNS = 110
_BAR = 20
_NEVER_LOADED = (Verdict.BLOCKED, Verdict.DAMAGED, Verdict.UNSUPPORTED)


class OverviewPane(Pane):
    """One column, or two where there is room."""

    NAME = "overview"
    DEFAULT_CSS = """
    OverviewPane { layout: horizontal; }
    OverviewPane TextPane { width: 1fr; }
    OverviewPane #how { margin-left: 1; }
    OverviewPane.two TextPane { border-left: blank $quiet; padding-left: 1; &:focus { border-left: outer $accent; } }
    """

    def __init__(self, engine: EngineApi, mirror: Mirror, path: str) -> None:
        super().__init__(engine, mirror, path)
        self._recipe: ModelData | RecipeFacts | ConsoleError = RecipeFacts()
        self._row: Row | None = None
        self._fitted = Size(0, 0)
        self.unread = ""
        """Why the facts could not be read."""
        self._told: tuple[Report | None, int, str, list[Content]] = (None, 0, "", [])
        self._what = TextPane(id="what")
        self._how = TextPane(id="how")

    @property
    def columns(self) -> Sequence[ScrollView]:
        """Both, though the second one is hidden where there is no room."""
        return (self._what, self._how)

    def compose(self) -> ComposeResult:
        """The columns."""
        yield self._what
        yield self._how

    def can(self, action: str) -> bool | None:
        """The verdict can always be looked into."""
        return action == "open" or super().can(action)

    async def fetch(self) -> None:
        """Fetch the recipe, or the choice in place of one."""
        row = self._mirror.rows.get(self._path)
        try:
            if row is None or row.recipe is None:
                self._recipe = await self._engine.data.chosen(self._path)
            else:
                self._recipe = await self._engine.data.recipe(self._path)
        except ConsoleError as error:
            self._recipe = error

    def on_resize(self) -> None:
        """Wrap for another width."""
        if self.size != self._fitted:
            self._fitted = self.size
            self.revise(self._row)

    def revise(self, row: Row | None) -> None:
        """Bring the text up to date; the reader's place stays."""
        self._row = row
        width = self.size.width - 2
        if row is None or width <= 0:
            return
        two = width >= _TWO_COLUMNS
        column = (width // 2 - 2 if two else width) - 3
        self.set_class(two, "two")
        report = self._mirror.report(self._path)
        failed = section("failed", failed_lines(self._mirror, row, column))
        trust = trust_lines(report, self._mirror.explanation(self._path), row, column)
        file = self._file_lines(report, column)
        runs = row.worker is not None or report is None or report.inspection is None or report.inspection.loadable
        worker = worker_lines(self._recipe, row, column, self._mirror.forecast(self._path)) if runs else []
        self._how.display = two
        lately = lately_lines(self._mirror, self._path, column)
        rest = [*file, *lately] if two else [*trust, *file, *worker, *lately]
        self._what.show([*failed, *rest], keep_place=True)
        if two:
            self._how.show([*trust, *worker], keep_place=True)

    def _file_lines(self, report: Report | None, width: int) -> list[Content]:
        """The lines of the inspection, made anew only for another one: there are files of thousands of tensors."""
        told, fitted, unread, lines = self._told
        if told is not report or fitted != width or unread != self.unread or not lines:
            lines = file_lines(report, width, self.unread)
            self._told = (report, width, self.unread, lines)
        return lines


def trust_lines(report: Report | None, told: Explanation | None, row: Row, width: int) -> list[Content]:
    """The verdict in plain words, and which libraries wrote the file."""
    return [*section("trust", _trust(told, row, width)), *section("written with", _libraries(report, width))]


def worker_lines(
    recipe: ModelData | RecipeFacts | ConsoleError, row: Row, width: int, forecast: MemoryForecast | None = None
) -> list[Content]:
    """Worker, sandbox and recipe; without a worker, the memory that one is expected to take."""
    if row.artifact.verdict in _NEVER_LOADED:
        return []
    return [
        *section("worker", _worker(row, width, forecast)),
        *section("sandbox", _sandbox(row.worker, width)),
        *section("recipe", _recipe(recipe, row, width)),
    ]


def _trust(told: Explanation | None, row: Row, width: int) -> list[Content]:
    status = states.trust(row.artifact)
    if not status.word:
        return []
    if told is None or row.artifact.verdict is None:
        return [Content.styled(str(status), text.role_style(status.role))]
    return [Content.styled(str(status), f"bold {text.role_style(status.role)}"), *brief_lines(told, width)]


def _libraries(report: Report | None, width: int) -> list[Content]:
    if report is None or report.inspection is None:
        return []
    rows = []
    for name, wrote in sorted(report.inspection.library_versions.items()):
        here = installed(name)
        value = Content(safe(wrote, 40))
        if here is not None and here != wrote:
            value = Content.assemble(safe(wrote, 40), (f"  here {here}", "$warning"))
        elif here is None:
            value = Content.assemble(safe(wrote, 40), ("  not installed here", "$warning"))
        rows.append((safe(name, 40), value))
    return pairs(rows, width)


def _worker(row: Row, width: int, forecast: MemoryForecast | None) -> list[Content]:
    worker = row.worker
    if worker is None:
        told = pairs([("memory", memory_words(forecast))], width) if forecast is not None else []
        return [key_words("not loaded; {load} loads it"), *told]
    memory = worker.memory
    sizes = (memory.rss, memory.pss, memory.private, memory.peak) if memory is not None else ()
    named = zip(("rss", "pss", "own", "peak"), sizes, strict=False)
    held = text.joined([f"{name} {text.size(size)}" for name, size in named if size is not None])
    rows = [
        ("state", _state(row, worker)),
        ("process", _processes(worker)),
        ("phase", safe(worker.phase, 60)),
        ("memory", held),
        ("cpu", f"{worker.cpu:.0f} % of one core" if worker.cpu is not None else ""),
        ("can", _abilities(worker)),
        ("restarts", str(worker.restarts) if worker.restarts else ""),
        ("warnings", "; ".join(safe(warning, 300) for warning in worker.warnings)),
        ("notes", "; ".join(safe(note, 200) for note in worker.notes)),
    ]
    return [*pairs(rows, width), *_phases(worker, width)]


def _state(row: Row, worker: WorkerView) -> str:
    """The state, since when, and how it fails or when a dead one is started again."""
    again = row.trouble
    lasted = f"{worker.state} for {text.span(max(0.0, time.time() - worker.since))}"
    return f"{lasted}, {again}" if again else lasted


def _abilities(worker: WorkerView) -> str:
    if worker.state is WorkerState.READY and not worker.methods:
        return "nothing that answers rows"
    return ", ".join(safe(method, 40) for method in worker.methods)


def _processes(worker: WorkerView) -> str:
    """The process, or those of all copies and how many of the wanted ones they are."""
    if worker.copies == 1:
        return str(worker.pid) if worker.pid is not None else ""
    pids = ", ".join(map(str, worker.pids))
    return f"{pids} ({len(worker.pids)} of {worker.copies} copies)"


def _phases(worker: WorkerView, width: int) -> list[Content]:
    """Where the time of loading went, a bar a phase."""
    whole = {name: ms for name, ms in worker.phases.items() if "." not in name}
    longest = max(whole.values(), default=0.0)
    if longest <= 0:
        return []
    room = min(_BAR, max(4, width - 26))
    lines = []
    for name, ms in whole.items():
        bar = text.sign("━" if not text.is_ascii() else "=") * max(1, round(room * ms / longest))
        label = f"{safe(name, 12):<13}{text.milliseconds(ms):>8}  "
        lines.append(Content.assemble((label, "$quiet"), (bar, "$accent")))
    return [*lines, Content.styled(f"{'in all':<13}{text.milliseconds(sum(whole.values())):>8}", "$quiet")]


def _sandbox(worker: WorkerView | None, width: int) -> list[Content]:
    layers: Sequence[tuple[str, Content]] = [
        (
            safe(name, 30),
            Content.assemble(
                (text.sign("✔" if layer.active else "✖"), "$success" if layer.active else "$warning"),
                (f" {safe(layer.evidence, 200)}", "$quiet"),
            ),
        )
        for name, layer in (worker.layers.items() if worker is not None else ())
    ]
    return pairs(layers, width)


def _recipe(recipe: ModelData | RecipeFacts | ConsoleError, row: Row, width: int) -> list[Content]:
    if isinstance(recipe, ConsoleError):
        return paragraph(safe(recipe.message), width, style="$error")
    if isinstance(recipe, ModelData):
        if recipe.data is None:
            return paragraph("none; data and target are asked for when they are needed", width, style="$quiet")
        target = safe(target_words(recipe.target)) or "none"
        return pairs((("file", "none"), ("chosen data", _name(recipe.data)), ("target", target)), width)
    conditions = [
        f"{safe(recipe.metric or 'score')} at least {recipe.at_least:g}" if recipe.at_least is not None else "",
        f"not worse by {recipe.not_worse_by:g}" if recipe.not_worse_by is not None else "",
        f"latency ratio up to {recipe.max_latency_ratio:g}" if recipe.max_latency_ratio is not None else "",
    ]
    rows = [
        ("file", safe(row.artifact.recipe or "")),
        ("hold-out", _name(recipe.holdout)),
        ("train", _name(recipe.train)),
        ("target", safe(target_words(recipe.target))),
        ("retrain", str(recipe.retrain)),
        ("gate", text.joined(conditions)),
        ("on change", f"{recipe.on_change}, {recipe.reload_policy}"),
        ("python", safe(recipe.python or "")),
    ]
    notes = [Content.styled(f"{text.sign('▲')} {safe(note)}", "$warning") for note in recipe.notes]
    return [*pairs(rows, width), *(line for note in notes for line in paragraph(note, width))]


def _name(path: str | None) -> str:
    return safe(path.rpartition("/")[2]) if path else ""
