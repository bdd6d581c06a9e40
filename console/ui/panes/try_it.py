"""One row of the data at a time: what goes in beside what comes out and what is true; or a row typed by hand."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partialmethod
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from console.engine.api import last_of
from console.errors import ConsoleError
from console.records import DataFile, Json, ModelData, Prediction, WorkerState
from console.safe_text import safe
from console.ui import text
from console.ui.key_words import key_words
from console.ui.keys import key_for
from console.ui.panes.answer import answer_lines
from console.ui.panes.pane import Pane
from console.ui.panes.refused import refused_lines
from console.ui.panes.typed_row import flat, named_row, parsed_line, typed_line
from console.ui.rows import Row
from console.ui.widgets.data_line import read_words
from console.ui.widgets.keyvalue import pairs, paragraph, value_text
from console.ui.widgets.line_input import LineInput
from console.ui.widgets.pixels import half_blocks, image_side, scale_for, shades
from console.ui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from console.engine.api import EngineApi
    from console.engine.mirror import Mirror

_PREFERRED = ("predict", "predict_proba", "decision_function", "transform")


@dataclass(frozen=True, slots=True)
class Tried:
    """A row and what the model said of it. `index` is None for one that was typed; `error` why there is no answer."""

    index: int | None
    inputs: dict[str, Json]
    truth: Json
    outcome: Prediction | None
    error: ConsoleError | None = None


class TryPane(Pane):
    """Input at the left, answer at the right, a line to type on below."""

    class Lacking(Message):
        """There is no data: other keys matter."""

    NAME = "try"
    DEFAULT_CSS = """
    TryPane #place, TryPane #read { height: 1; }
    TryPane #read { color: $quiet; display: none; &.told { display: block; } }
    TryPane.refused #inputs { max-width: 100%; }
    TryPane Horizontal { height: 1fr; margin-top: 1; }
    TryPane #inputs { width: 1fr; max-width: 72; }
    TryPane #answer { width: 1fr; height: 1fr; max-width: 50; margin-left: 2; }
    TryPane #answer.nothing { display: none; }
    TryPane Input {
        display: none; height: 2; border: none; border-top: solid $accent; padding: 0; background: $background;
        &:focus { border: none; border-top: solid $accent; }
    }
    TryPane Input.open { display: block; }
    """
    ACTIONS = ("next-row", "previous-row", "edit-row")

    def __init__(self, engine: EngineApi, mirror: Mirror, path: str) -> None:
        super().__init__(engine, mirror, path)
        self._row: Row | None = None
        self._file: DataFile | None = None
        self._tried: Tried | None = None
        self._asked_of: str | None = None
        self._lacking: ModelData | None = None
        self._index = 0
        self._place = Static(id="place")
        self._inputs = TextPane(id="inputs")
        self._answer = Static(id="answer")
        self._read = Static(id="read", markup=False)

    def compose(self) -> ComposeResult:
        """The parts."""
        yield self._place
        yield self._read
        with Horizontal():
            yield self._inputs
            yield self._answer
        yield LineInput(id="typed")

    def on_mount(self) -> None:
        """The picture of a row is painted in the colours of the theme."""
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self.call_after_refresh(self._paint))

    @property
    def lacks_data(self) -> bool:
        """Whether nothing names rows for the model."""
        return self._lacking is not None

    def renew(self) -> None:
        """Ask again, with the data that the model has now."""
        self._asked_of, self._file, self._tried, self._index = None, None, None, 0

    def revise(self, row: Row | None) -> None:
        """Ask for the first row as soon as a model is ready, and anew when other bytes were loaded."""
        self._row = row
        worker = row.worker if row is not None else None
        ready = worker is not None and worker.state is WorkerState.READY
        holds = f"{worker.digest} {worker.at}" if ready and worker is not None else None
        if holds is not None and holds != self._asked_of:
            self._asked_of, self._file = holds, None
            self._ask(self._index)
        elif holds is None:
            self._asked_of = None
        self._paint()

    def on_resize(self) -> None:
        """Another width."""
        self._paint()

    def step(self, by: int) -> None:
        """Another row of the data, round its ends."""
        if self._file is not None and self._file.rows:
            self._ask((self._index + by) % self._file.rows)
        elif self._asked_of is not None:
            self._ask(0)

    do_next_row = partialmethod(step, 1)
    do_previous_row = partialmethod(step, -1)

    def do_edit_row(self) -> None:
        """Type a row, starting from the one that is shown."""
        line = self.query_one(Input)
        line.value = typed_line(self._tried.inputs) if self._tried is not None else ""
        line.placeholder = "values separated by commas, or a text"
        line.add_class("open")
        line.focus()

    def close_line(self) -> bool:
        """Put the line away; whether it was there."""
        line = self.query_one(Input)
        was_open = line.has_class("open")
        line.remove_class("open")
        if was_open:
            self._inputs.focus()
        return was_open

    def _ask(self, index: int) -> None:
        self._index = index
        self.run_worker(self._fetch(index), group="try", exclusive=True)

    @on(Input.Submitted)
    def _typed(self, event: Input.Submitted) -> None:
        event.stop()
        self.close_line()
        inputs = self._tried.inputs if self._tried is not None else {}
        self.run_worker(self._fetch_typed(event.value, inputs), group="try", exclusive=True)

    async def _fetch(self, index: int) -> None:
        engine, path = self._engine, self._path
        inputs: dict[str, Json] = {}
        truth: Json = None
        try:
            data = await engine.data.of(path)
            self._lacking = None if data.is_known else data
            if self._lacking is not None:
                self._tried = None
                self._paint()
                self.post_message(self.Lacking())
                return
            if self._file is None:
                self._file = (await last_of(engine.inference.open_data(path))).file
            assert self._file is not None
            index = min(index, max(0, self._file.rows - 1))
            rows = await engine.inference.sample(path, None, index, 1)
            inputs = dict(rows[0]) if rows else {}
            truth = inputs.pop(self._file.target, None) if self._file.target else None
            outcome = await engine.inference.predict(
                path, start=index, stop=index + 1, methods=self._methods(), score=self._file.target is not None
            )
            self._tried = Tried(index, inputs, truth, outcome)
        except ConsoleError as error:
            self._tried = Tried(index, inputs, truth, None, error)
        self._paint()

    async def _fetch_typed(self, line: str, like: dict[str, Json]) -> None:
        row = parsed_line(line, like)
        inputs = named_row(row, like)
        try:
            outcome = await self._engine.inference.predict(self._path, rows=[row], methods=self._methods())
            self._tried = Tried(None, inputs, None, outcome)
        except ConsoleError as error:
            self._tried = Tried(None, inputs, None, None, error)
        self._paint()

    def _methods(self) -> tuple[str, ...]:
        worker = self._row.worker if self._row is not None else None
        able = [name for name in _PREFERRED if worker is not None and name in worker.methods]
        if "predict_proba" in able and "decision_function" in able:
            able.remove("decision_function")
        if "predict" in able and "transform" in able:
            able.remove("transform")
        return tuple(able)

    def _paint(self) -> None:
        if not self.is_mounted or not self.size:
            return
        self._place.update(self._place_words(), layout=False)
        self._paint_read()
        tried = self._tried
        refused = tried.error if tried is not None and not tried.inputs else None
        self.set_class(refused is not None, "refused")
        self._answer.set_class(tried is None or refused is not None, "nothing")
        if tried is None:
            self._inputs.show([self._waiting()])
            return
        if refused is not None:
            self._inputs.show(refused_lines(refused, self.content_size.width - 2))
            return
        width = max(16, self._inputs.text_width)
        self._inputs.show(self._picture(tried.inputs, width) or _values(tried.inputs, width))
        worker = self._row.worker if self._row is not None else None
        classes = worker.signature.classes if worker is not None else None
        lines = answer_lines(tried.outcome, tried.truth, classes, max(16, self._answer.size.width), worker)
        if tried.error is not None:
            lines = refused_lines(tried.error, max(16, self._answer.size.width))
        self._answer.update(Content("\n").join(lines[: max(1, self._answer.size.height or 1)]), layout=False)

    def _paint_read(self) -> None:
        """Say how the file was read whose row is shown."""
        of_file = self._file is not None and self._tried is not None and self._tried.index is not None
        words = read_words(self._file, self.content_size.width) if of_file and self._file is not None else ""
        self._read.set_class(bool(words), "told")
        self._read.update(words, layout=False)

    def _place_words(self) -> Content:
        keys = ((f"{key_for('previous-row')} {key_for('next-row')}", "row"), (key_for("edit-row"), "type one"))
        hints = [part for key, word in keys for part in ((f"{key} ", "bold $accent"), (f"{word}  ", "$quiet"))]
        if self._tried is None:
            return Content("")
        if self._tried.index is not None and self._file is None:
            return Content.assemble(*hints)
        if self._tried.index is None:
            return Content.assemble(("a row typed by hand   ", "bold"), *hints)
        rows, name = (self._file.rows, os.path.basename(self._file.path)) if self._file is not None else (0, "")
        return Content.assemble(
            (f"row {self._tried.index + 1:,}", "bold"), (f" of {rows:,}  {safe(name, 40)}   ", "$quiet"), *hints
        )

    def _waiting(self) -> Content:
        row = self._row
        if row is not None and row.is_refused:
            status = Content.styled(str(row.status), text.role_style(row.status.role))
            return status + key_words(": it is not loaded, {trust} says why")
        if row is None or row.worker is None or row.worker.state in (WorkerState.ENDED, WorkerState.ERROR):
            rest = "loads the model; then a row of its data stands here, and beside it what the model says"
            return key_words(f"{{load}} {rest}")
        if self._lacking is not None:
            why = f"{safe(self._lacking.why, 200)}. " if self._lacking.why else "Nothing names data for this model. "
            keys = key_words("{data} chooses a file whose rows are tried here, {edit-row} types a row")
            return Content.styled(why, "$quiet") + keys
        return Content.styled(text.sign("asking the model …"), "$quiet")

    def _picture(self, inputs: dict[str, Json], width: int) -> list[Content]:
        values = flat(inputs)
        side = image_side(values)
        if side is None or 2 * side > width:
            return []
        numbers = [float(value) for value in values if isinstance(value, (int, float))]
        if text.is_ascii() or self.app.current_theme.ansi:
            return shades(numbers, side, plain=text.is_ascii())
        _, _, paper, pen = self._inputs.colors
        scale = scale_for(side, width, max(side // 2, self._inputs.size.height))
        return half_blocks(numbers, side, scale, paper, pen)


def _values(inputs: dict[str, Json], width: int) -> list[Content]:
    if list(inputs) == ["text"]:
        return paragraph(safe(inputs["text"], 4000), width)
    values = flat(inputs)
    names = (
        list(inputs) if len(inputs) == len(values) and list(inputs) != ["x"] else [str(i) for i in range(len(values))]
    )
    names = [safe(name) for name in names]
    return pairs(((name, value_text(value)) for name, value in zip(names, values, strict=True)), width)
