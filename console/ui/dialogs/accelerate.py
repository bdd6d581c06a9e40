"""The ONNX export of a model: made while one looks on, compared in a table, and written or not."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Iterator

from textual.binding import Binding
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Static

from console.errors import ConsoleError, NeedsReviewError
from console.records import ExportProgress, OnnxComparison, OnnxTiming
from console.safe_text import safe
from console.ui import text
from console.ui.dialogs.dialog import NO, ButtonDialog

_ROWS, _METHOD = 7, 28
"""Cells of the number of rows, and of what is told of one method."""


class AccelerateScreen(ButtonDialog[bool | NeedsReviewError]):
    """The progress of an export, then how both compare. Leaving before the end stops the making."""

    BINDINGS = [Binding("y", "answer('yes')", show=False)]
    SHAPE = "wide"

    def __init__(self, path: str, making: AsyncIterator[ExportProgress]) -> None:
        super().__init__(f"An ONNX export of {safe(path)}", {NO: "Cancel", "yes": "Write it"})
        self._path = path
        self._making = making
        self._phase = "starting"
        self._begun = time.monotonic()
        self._found: OnnxComparison | None = None
        self._ended = False

    def told(self) -> Iterable[Widget]:
        """The progress, or the table."""
        yield Static(id="told")

    def on_mount(self) -> None:
        """Begin."""
        self.query_one("#yes").display = False
        self.set_interval(0.25, self._show_progress)
        self._show_progress()
        self.run_worker(self._run(), group="accelerate", exclusive=True)

    async def _made(self) -> OnnxComparison:
        """The comparison, once it is there; the phases before it are shown."""
        async for now in self._making:
            self._found = now.comparison
            if now.comparison is None:
                self._phase = now.phase
                self._show_progress()
        assert self._found is not None
        return self._found

    async def _run(self) -> None:
        try:
            found = await self._made()
        except NeedsReviewError as review:
            self.dismiss(review)
            return
        except ConsoleError as error:
            self.query_one("#no", Button).label = Content("Close")
            hint = [Content.styled(safe(error.hint, 600), "$quiet")] if error.hint else []
            self._end([Content(safe(error.message, 600)), *hint])
            return
        lines = [
            *comparison(found, self.query_one("#told").content_size.width),
            Content(""),
            _outcome(found),
        ]
        lines += [Content.styled(f"{text.sign('▲')} {safe(one, 400)}", "$warning") for one in found.warnings[:2]]
        self.query_one(".question", Static).update(Content(f"Write {safe(found.path)} beside {safe(self._path)}?"))
        self.query_one("#yes").display = True
        self._end(lines)

    def _show_progress(self) -> None:
        if not self._ended and self.is_mounted:
            seconds = text.span(time.monotonic() - self._begun)
            words = f"{safe(self._phase, 60)} {text.sign('·')} {seconds}"
            why = "Converted to ONNX in a sandbox, then compared and timed beside the model; leaving stops it."
            self._told([Content.styled(words, "bold"), Content(""), Content(why)])

    def _end(self, lines: list[Content]) -> None:
        self._ended = True
        self._told(lines)

    def _told(self, lines: list[Content]) -> None:
        self.query_one("#told", Static).update(Content("\n").join(lines))

    def action_answer(self, answer: str) -> None:
        """Close with yes or no; there is nothing to say yes to before the table is there."""
        if answer == NO or self._found is not None:
            self.dismiss(answer != NO)


def comparison(found: OnnxComparison, width: int) -> Iterator[Content]:
    """A line for each number of rows: what a call takes model and export, and how much faster the export is.

    Where there is no room for the times, only how much faster.
    """
    methods = list(dict.fromkeys(one.method for one in found.timings))
    by_place = {(one.method, one.rows): one for one in found.timings}
    if _ROWS + _METHOD * len(methods) > width:
        yield Content.styled(f"{'rows':>7}" + "".join(f"  {safe(name, 18):>18}" for name in methods), "bold")
        for rows in dict.fromkeys(one.rows for one in found.timings):
            cells = [_faster(by_place.get((name, rows)), 20) for name in methods]
            yield Content.assemble(f"{rows:>7,}", *cells)
        return
    yield Content.styled(" " * 7 + "".join(f"    {safe(name, 24):>24}" for name in methods), "bold")
    yield Content.styled(f"{'rows':>7}" + f"    {'model':>7}  {'ONNX':>7}  {'faster':>6}" * len(methods), "$quiet")
    for rows in dict.fromkeys(one.rows for one in found.timings):
        cells = [_cells(by_place.get((name, rows))) for name in methods]
        yield Content.assemble(f"{rows:>7,}", *cells)


def _cells(one: OnnxTiming | None) -> Content:
    if one is None:
        return Content(" " * _METHOD)
    spent = f"    {text.milliseconds(one.model_ms):>7}  {text.milliseconds(one.onnx_ms):>7}  "
    return Content.assemble(spent, _faster(one, 6))


def _faster(one: OnnxTiming | None, width: int) -> Content:
    """How many times as fast the export is; quiet where it is not."""
    times = one.model_ms / one.onnx_ms if one is not None and one.onnx_ms > 0 else 0.0
    words = "" if one is None else f"{times:,.0f}x" if times >= 10 else f"{times:.1f}x"
    return Content.styled(f"{words:>{width}}", "bold $accent" if times > 1 else "$quiet")


def _outcome(found: OnnxComparison) -> Content:
    there = " What is there now is kept as a version." if found.replaces is not None else ""
    return Content(
        f"On {found.rows:,} rows no label differs, and numbers by at most {found.largest:.1g} ({safe(found.dtype)})."
        f" The export becomes an artifact of its own.{there}"
    )
