"""Questions: one that is answered by a key, one that wants a word typed."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from console.records import Report
from console.safe_text import safe
from console.ui import text


class ConfirmScreen(ModalScreen[bool]):
    """A question that names its thing. Cancel has the focus; `esc` and `n` are no, `y` is yes."""

    BINDINGS = [
        Binding("escape,n,q", "answer(False)", show=False),
        Binding("y", "answer(True)", show=False),
        Binding("left,h", "app.focus_previous", show=False),
        Binding("right,l", "app.focus_next", show=False),
    ]
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


class TypedYesScreen(ModalScreen[str]):
    """Shows what an artifact names, and takes a typed `yes`; answers with why it was accepted, empty for no."""

    BINDINGS = [Binding("escape", "refuse", show=False)]
    AUTO_FOCUS = "Input"

    def __init__(self, question: str, reasons: Sequence[str], *, word: str = "yes") -> None:
        super().__init__()
        self._question = Content(question)
        self._reasons = tuple(reasons)
        self._word = word

    @classmethod
    def of_report(cls, report: Report) -> TypedYesScreen:
        """The question for an artifact that trust wants reviewed."""
        reasons = [safe(reason.detail, 300) for reason in report.judgement.reasons]
        return cls(f"Load {safe(report.artifact.path)}? It names what is not on the list of known names.", reasons)

    def compose(self) -> ComposeResult:
        """The question, the reasons, and the line to type on."""
        bullet = text.sign("·")
        with Vertical(classes="dialog wide"):
            yield Static(self._question, classes="question")
            with VerticalScroll(classes="reasons", can_focus=False):
                for reason in self._reasons:
                    yield Static(Content(f"{bullet} {reason}"), classes="reason")
            yield Static(
                Content(
                    "Loading runs this code, inside the sandbox. Your answer is recorded and holds for these bytes."
                ),
                classes="detail",
            )
            yield Static(Content(f"Type {self._word} and press enter to load it, esc to leave it alone."))
            yield Input(placeholder=self._word, classes="typed")

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        if event.value.strip().lower() == self._word.lower():
            self.dismiss("accepted on the screen after reading what it names")
        else:
            self.query_one(Input).value = ""

    def action_refuse(self) -> None:
        """Leave it alone."""
        self.dismiss("")
