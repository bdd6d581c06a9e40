"""The frame of every dialog: a question, and beneath it what it is answered with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen, ScreenResultType
from textual.widget import Widget
from textual.widgets import Button, Static

from console.ui.throttled_screen import Paced

_WIDEST, _BESIDE = 92, 8
"""Cells of a wide dialog, as console.tcss makes it, and how many of them its edges and the scrollbar take."""
NO = "no"


class Dialog(ModalScreen[ScreenResultType], Paced[ScreenResultType]):
    """A question; a subclass says in `body` what stands beneath it."""

    SHAPE: ClassVar[str] = ""
    """Further classes of the frame: "wide", "pick"."""

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = Content(question)

    def compose(self) -> ComposeResult:
        """The question and its body in a frame."""
        with Vertical(classes=f"dialog {self.SHAPE}"):
            yield Static(self._question, classes="question")
            yield from self.body()

    def body(self) -> Iterable[Widget]:
        """The widgets beneath the question."""
        raise NotImplementedError

    @property
    def text_width(self) -> int:
        """Cells of a line of text in a wide dialog on a screen of this width."""
        return max(16, min(_WIDEST, self.app.size.width * 92 // 100) - _BESIDE)


class ButtonDialog(Dialog[ScreenResultType]):
    """A question that is answered with one of several buttons, of which the first one, `no`, has the focus.

    Answers with the id of the button, None for `no`; a subclass may answer otherwise.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n,q,ctrl+c", f"answer('{NO}')", show=False),
        Binding("left,h", "app.focus_previous", show=False),
        Binding("right,l", "app.focus_next", show=False),
    ]
    AUTO_FOCUS = f"#{NO}"

    def __init__(self, question: str, answers: Mapping[str, str], detail: str = "", *, dangerous: bool = False) -> None:
        """`answers` are the words of the buttons by their ids; a yes may be `dangerous`."""
        super().__init__(question)
        self._answers = answers
        self._detail = Content(detail)
        self._dangerous = dangerous

    def body(self) -> Iterable[Widget]:
        """The consequences, and the answers side by side."""
        yield from self.told()
        with Horizontal(classes="answers"):
            for answer, words in self._answers.items():
                dangerous = " dangerous" if self._dangerous and answer != NO else ""
                yield Button(Content(words), id=answer, classes=f"answer{dangerous}")

    def told(self) -> Iterable[Widget]:
        """The text between question and answers."""
        if self._detail:
            yield Static(self._detail, classes="detail")

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.action_answer(str(event.button.id))

    def action_answer(self, answer: str) -> None:
        """Close with the button of this id, if it is there."""
        if answer in self._answers:
            self.dismiss(None if answer == NO else cast("ScreenResultType", answer))
