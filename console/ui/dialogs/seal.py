"""The question before anything is sealed: whether to, and what becomes of the originals."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from console.ui.throttled_screen import Paced

CHOICES = {"": "Cancel", "keep": "Keep originals", "remove": "Remove originals"}


class SealScreen(ModalScreen[str], Paced[str]):
    """Answers `keep` or `remove`, or nothing; Cancel has the focus, and only a button says yes."""

    BINDINGS = [
        Binding("escape,n,q,ctrl+c", "leave", show=False),
        Binding("left,h", "app.focus_previous", show=False),
        Binding("right,l", "app.focus_next", show=False),
    ]
    AUTO_FOCUS = "#cancel"

    def __init__(self, question: str, detail: str) -> None:
        super().__init__()
        self._question = Content(question)
        self._detail = Content(detail)

    def compose(self) -> ComposeResult:
        """The question, what it means, and the answers."""
        with Vertical(classes="dialog"):
            yield Static(self._question, classes="question")
            yield Static(self._detail, classes="detail")
            with Horizontal(classes="answers"):
                for answer, words in CHOICES.items():
                    dangerous = " dangerous" if answer else ""
                    yield Button(Content(words), id=answer or "cancel", classes=f"answer{dangerous}")

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss("" if event.button.id == "cancel" else str(event.button.id))

    def action_leave(self) -> None:
        """Nothing is sealed."""
        self.dismiss("")
