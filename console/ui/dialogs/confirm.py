"""Questions: answered with a button, or with a word that is typed."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on
from textual.binding import Binding
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from console.records import Explanation, Report
from console.safe_text import safe
from console.ui.dialogs.dialog import NO, ButtonDialog, Dialog
from console.ui.widgets.explained import question_lines
from console.ui.widgets.line_input import LineInput
from console.ui.widgets.text_pane import TextPane


class ConfirmScreen(ButtonDialog[bool]):
    """A question that names its thing; `y` is yes."""

    BINDINGS = [Binding("y", "answer('yes')", show=False)]

    def __init__(self, question: str, detail: str = "", *, yes: str = "Yes") -> None:
        super().__init__(question, {NO: "Cancel", "yes": yes}, detail, dangerous=True)

    def action_answer(self, answer: str) -> None:
        """Close with yes or no."""
        self.dismiss(answer != NO)


class SealScreen(ButtonDialog[str | None]):
    """The question before files are encrypted: answers `keep` or `remove` the originals, or None."""

    def __init__(self, question: str, detail: str) -> None:
        answers = {NO: "Cancel", "keep": "Keep originals", "remove": "Remove originals"}
        super().__init__(question, answers, detail, dangerous=True)


class TypedYesScreen(Dialog[str]):
    """Shows what an artifact names and what of it is new, and takes a typed `yes`; empty is the answer no."""

    BINDINGS = [
        Binding("escape,ctrl+c", "refuse", show=False),
        Binding("down", "look(1)", show=False),
        Binding("up", "look(-1)", show=False),
        Binding("pagedown", "look(8)", show=False),
        Binding("pageup", "look(-8)", show=False),
    ]
    AUTO_FOCUS = "Input"
    SHAPE = "wide"

    def __init__(self, question: str, told: Explanation, *, word: str = "yes") -> None:
        super().__init__(question)
        self._told = told
        self._word = word

    @classmethod
    def of_report(cls, report: Report, told: Explanation) -> TypedYesScreen:
        """The question for an artifact that trust wants reviewed."""
        return cls(f"Load {safe(report.artifact.path)}? {safe(told.headline)}", told)

    def body(self) -> Iterable[Widget]:
        """The reasons, and the line to type on."""
        yield TextPane(id="reasons")
        yield Static(Content(_RECORDED), classes="detail")
        yield Static(self._keys(), classes="keys")
        yield LineInput(placeholder=self._word, classes="typed")

    def _keys(self) -> Content:
        return Content.assemble(
            "Type ",
            (self._word, "bold $accent"),
            " and press ",
            ("enter", "bold $accent"),
            " to load it, ",
            ("esc", "bold $accent"),
            " to leave it alone",
        )

    def on_mount(self) -> None:
        """Put the text in, as high as it needs to be and there is room for."""
        pane, lines = self.query_one(TextPane), question_lines(self._told, self.text_width)
        pane.styles.height = max(1, min(len(lines), self.app.size.height - _REST))
        pane.show(lines, keep_place=True)

    def on_resize(self) -> None:
        """Wrap for another width."""
        if self.is_mounted:
            self.on_mount()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        if event.value.strip().lower() == self._word.lower():
            self.dismiss("on the screen, after reading what it names")
        else:
            self.query_one(Input).value = ""

    def action_look(self, lines: int) -> None:
        """Read on, or back."""
        pane = self.query_one(TextPane)
        pane.scroll_to(y=pane.scroll_offset.y + lines, animate=False, immediate=True)

    def action_refuse(self) -> None:
        """Leave it alone."""
        self.dismiss("")


_RECORDED = "Loading runs this code, inside the sandbox. Your answer is recorded and holds for exactly these bytes."
_REST = 16
"""Lines of the dialog, and around it, that are not the text to read."""
