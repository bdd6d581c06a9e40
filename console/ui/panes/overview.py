"""The overview tab: the contents of the file, the verdict on it, and its worker."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.content import Content
from textual.geometry import Size
from textual.scroll_view import ScrollView

from backends.core.inspection import Inspection, Json, ModelEntry, outermost
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
from console.ui.keys import key_for
from console.ui.panes.failed import failed_lines
from console.ui.panes.pane import Pane
from console.ui.panes.recent_events import lately_lines
from console.ui.rows import Row
from console.ui.widgets.bars import bar_lines, is_counted
from console.ui.widgets.explained import brief_lines
from console.ui.widgets.keyvalue import pairs, paragraph, section, value_text
from console.ui.widgets.layers import DETAIL as LAYERS
from console.ui.widgets.layers import layer_lines
from console.ui.widgets.module_tree import module_lines
from console.ui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from console.engine.api import EngineApi
    from console.engine.mirror import Mirror

_TWO_COLUMNS = 110
_MOST = 200
_INDEX = re.compile(r"\[[\d, ]+\]$")
_BAR = 20
_DETAIL = 1000
"""Characters that are shown of one detail."""
_BARS = {"feature_gain": "features by gain", "operators": "operators"}
"""Details that are shown as bars, and the headings of these."""
_TEMPLATE = "chat_template"
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
        worker = worker_lines(self._recipe, row, column, self._mirror.forecast(self._path))
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


def file_lines(report: Report | None, width: int, unread: str = "") -> list[Content]:
    """The lines of the inspection; `unread` says why there is none."""
    if report is None or report.inspection is None:
        words = safe(unread) or "reading …" if report is None else "No model could be read from this file."
        return [*paragraph(text.sign(words), width, style="$quiet"), Content("")]
    found = report.inspection
    return [
        *section("model", _model(report, found, width)),
        *section("models in this file", _models(found, width)),
        *section("parameters", _parameters(found, width)),
        *section("signature", _signature(found, width)),
        *section("layers", layer_lines(found, width)),
        *(line for key, title in _BARS.items() for line in section(title, bar_lines(found.details.get(key), width))),
        *section("modules", module_lines(found.arrays, width)),
        *section("arrays", _arrays(found, width)),
        *section("details", _details(found, width)),
        *section("chat template", _template(found, width)),
    ]


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


def _model(report: Report, found: Inspection, width: int) -> list[Content]:
    size = sum(array.bytes for array in found.arrays)
    steps = found.models[0].steps if found.models else ()
    module = safe(found.model_class).rpartition(".")[0] if found.model_class else ""
    rows = [
        ("class", text.short_class(found.model_class) or "none that is known"),
        ("module", module),
        *((f"step {number}", text.short_class(step)) for number, step in enumerate(steps, 1)),
        ("weights", f"{found.n_weights:,}" if found.n_weights is not None else ""),
        ("arrays", f"{len(found.arrays)}, {text.size(size)} in memory" if found.arrays else ""),
        ("digest", safe(report.artifact.digest or "")),
        ("read", "every byte accounted for" if found.complete else "not every byte could be accounted for"),
    ]
    return pairs(rows, width)


def _models(found: Inspection, width: int) -> list[Content]:
    if len(found.models) < 2:
        return []
    shown = list(islice(_alike(found.models), _MOST))
    lines = pairs(shown, width)
    if len(outermost(found.models)) > 1:
        lines += paragraph(f"{key_for('load')} asks which of them to load.", width, style="$quiet")
    return lines


def _alike(models: Sequence[ModelEntry]) -> Iterator[tuple[str, str]]:
    """Places and classes of the models of a file; those of one class in one list are told in one line."""
    for (place, name), group in groupby(models, lambda one: (_INDEX.sub("", one.at), text.short_class(one.class_name))):
        found = [safe(one.at, 60) for one in group]
        if len(found) == 1:
            yield found[0] or "the root", name
        else:
            yield f"{found[0]}{text.sign('…')}{found[-1][len(safe(place)) :]}", f"{name}, {len(found)} of them"


def _parameters(found: Inspection, width: int) -> list[Content]:
    rows = [(safe(name, 40), value_text(value)) for name, value in list(found.parameters.items())[:_MOST]]
    return pairs(rows, width)


def _signature(found: Inspection, width: int) -> list[Content]:
    signature = found.signature
    names = signature.feature_names or ()
    shown = ", ".join(safe(name, 60) for name in names[:60]) + (
        f" and {len(names) - 60} more" if len(names) > 60 else ""
    )
    classes = signature.classes or ()
    labels = ", ".join(value_text(label, 40) for label in classes[:40]) + (" …" if len(classes) > 40 else "")
    rows = [
        ("inputs", str(signature.n_features) if signature.n_features is not None else ""),
        ("names", shown),
        ("outputs", str(signature.outputs) if signature.outputs is not None else ""),
        ("classes", f"{len(classes)}: {labels}" if classes else ""),
    ]
    return pairs(rows, width)


def _arrays(found: Inspection, width: int) -> list[Content]:
    arrays = found.arrays[:_MOST]
    if not arrays:
        return []
    shapes = [" x ".join(str(side) for side in array.shape) or "scalar" for array in arrays]
    kinds = [safe(array.dtype, 30) for array in arrays]
    wide, kind_wide = max(map(len, shapes)), max(map(len, kinds))
    rows = [
        (safe(array.name, 60), f"{shape:<{wide}}  {kind:<{kind_wide}}  {text.size(array.bytes):>4}")
        for array, shape, kind in zip(arrays, shapes, kinds, strict=True)
    ]
    lines = pairs(rows, width)
    if len(found.arrays) > _MOST:
        lines.append(Content.styled(f"and {len(found.arrays) - _MOST} more", "$quiet"))
    return lines


def _details(found: Inspection, width: int) -> list[Content]:
    """The format's own details, without the empty ones."""
    return pairs(
        (
            (safe(name, 30), value_text(value, _DETAIL))
            for name, value in found.details.items()
            if value != "" and not _is_drawn(name, value)
        ),
        width,
    )


def _is_drawn(name: str, value: Json) -> bool:
    """Whether a detail has a section of its own."""
    if name in _BARS:
        return is_counted(value)
    return (name == LAYERS and isinstance(value, list)) or (name == _TEMPLATE and isinstance(value, str))


def _template(found: Inspection, width: int) -> list[Content]:
    """The chat template of a language model as the text that it is."""
    value = found.details.get(_TEMPLATE)
    lines = value.splitlines() if isinstance(value, str) else []
    told = [part for line in lines[:_MOST] for part in paragraph(safe(line, _DETAIL), width)]
    if len(lines) > _MOST:
        told.append(Content.styled(f"and {len(lines) - _MOST} more lines", "$quiet"))
    return told


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
