"""Questions: one that is answered by a key, one that wants a word typed."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from console.records import Explanation, Report
from console.safe_text import safe
from console.ui.dialogs.width import text_width
from console.ui.throttled_screen import Paced
from console.ui.widgets.explained import question_lines
from console.ui.widgets.line_input import LineInput
from console.ui.widgets.text_pane import TextPane

ANSWERS: list[BindingType] = [
    Binding("escape,n,q,ctrl+c", "answer(False)", show=False),
    Binding("y", "answer(True)", show=False),
    Binding("left,h", "app.focus_previous", show=False),
    Binding("right,l", "app.focus_next", show=False),
]
"""The keys of a question: its screen has `action_answer(yes)` and buttons side by side."""


class ConfirmScreen(ModalScreen[bool], Paced[bool]):
    """A question that names its thing. Cancel has the focus; `esc` and `n` are no, `y` is yes."""

    BINDINGS = ANSWERS
    AUTO_FOCUS = "#no"

    def __init__(self, question: str, detail: str = "", *, yes: str = "Yes") -> None:
        super().__init__()
        self._question = Content(question)
        self._detail = Content(detail)
        self._yes = Content(yes)

    def compose(self) -> ComposeResult:
        """The question, what it means, and the two answers."""
        with Vertical(classes="dialog"):
            yield Static(self._question, classes="question")
            if self._detail:
                yield Static(self._detail, classes="detail")
            with Horizontal(classes="answers"):
                yield Button(Content("Cancel"), id="no", classes="answer")
                yield Button(self._yes, id="yes", classes="answer dangerous")

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_answer(self, yes: bool) -> None:
        """Close with an answer."""
        self.dismiss(yes)


class TypedYesScreen(ModalScreen[str], Paced[str]):
    """Shows what an artifact names and what of it is new, and takes a typed `yes`; empty is the answer no."""

    BINDINGS = [
        Binding("escape,ctrl+c", "refuse", show=False),
        Binding("down", "look(1)", show=False),
        Binding("up", "look(-1)", show=False),
        Binding("pagedown", "look(8)", show=False),
        Binding("pageup", "look(-8)", show=False),
    ]
    AUTO_FOCUS = "Input"

    def __init__(self, question: str, told: Explanation, *, word: str = "yes") -> None:
        super().__init__()
        self._question = Content(question)
        self._told = told
        self._word = word

    @classmethod
    def of_report(cls, report: Report, told: Explanation) -> TypedYesScreen:
        """The question for an artifact that trust wants reviewed."""
        return cls(f"Load {safe(report.artifact.path)}? {safe(told.headline)}", told)

    def compose(self) -> ComposeResult:
        """The question, what is behind it, and the line to type on."""
        with Vertical(classes="dialog wide"):
            yield Static(self._question, classes="question")
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
        pane, (width, height) = self.query_one(TextPane), self.app.size
        lines = question_lines(self._told, text_width(width))
        pane.styles.height = max(1, min(len(lines), height - _REST))
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
