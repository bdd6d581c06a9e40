"""The last step of choosing a model's data: it is shown once more, used, and if wanted written as its recipe."""

from __future__ import annotations

from collections.abc import Iterator

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from console.records import Draft, target_words
from console.safe_text import safe
from console.ui import text
from console.ui.dialogs.target import FIT_SIGNS, Aim
from console.ui.dialogs.width import text_width
from console.ui.throttled_screen import Paced
from console.ui.widgets.keyvalue import pairs, paragraph

USE, WRITE = "use", "write"
_LABEL = 9


class UseDataScreen(ModalScreen[str | None], Paced[str | None]):
    """Answers `use` or `write`, which is use and write; None for back."""

    BINDINGS = [
        Binding("escape,n,q,ctrl+c", "answer('')", show=False),
        Binding("y", f"answer('{USE}')", show=False),
        Binding("w", f"answer('{WRITE}')", show=False),
        Binding("left,h", "app.focus_previous", show=False),
        Binding("right,l", "app.focus_next", show=False),
    ]
    AUTO_FOCUS = f"#{USE}"

    def __init__(self, path: str, data: str, aim: Aim, draft: Draft) -> None:
        super().__init__()
        self._path = path
        self._data = data
        self._aim = aim
        self._draft = draft

    @property
    def _writes(self) -> bool:
        return not self._draft.refusal

    def compose(self) -> ComposeResult:
        """What was chosen, the lines of the recipe, and the answers."""
        with Vertical(classes="dialog wide"):
            yield Static(Content(f"Drive {safe(self._path, 80)} with this data?"), classes="question")
            yield Static(id="told")
            with Horizontal(classes="answers"):
                yield Button(Content("Back"), id="back", classes="answer")
                yield Button(Content("Use it"), id=USE, classes="answer")
                if self._writes:
                    yield Button(Content("Use it, write the recipe"), id=WRITE, classes="answer")

    def on_mount(self) -> None:
        """Put the text in, for this width."""
        width = text_width(self.app.size.width)
        self.query_one("#told", Static).update(Content("\n").join(self._lines(width)))

    def on_resize(self) -> None:
        """Wrap for another width."""
        if self.is_mounted:
            self.on_mount()

    def _lines(self, width: int) -> Iterator[Content]:
        target = self._aim.target
        yield from pairs(
            [
                ("data", text.cut_middle(safe(self._data, 0), max(16, width - _LABEL))),
                ("target", safe(target_words(target), 200) if target is not None else "none"),
                ("fit", self._fit()),
            ],
            width,
            _LABEL,
        )
        yield Content("")
        yield from paragraph("It is remembered for this model, by this user's console alone.", width, style="$quiet")
        yield Content("")
        draft = self._draft
        if draft.refusal:
            yield from paragraph(f"No recipe can be written: {safe(draft.refusal, 300)}", width, style="$quiet")
        else:
            where = (
                f"to {safe(draft.path, 200)}" if draft.before is not None else f"as {safe(draft.path, 200)}, a new file"
            )
            yield from paragraph(f"A recipe tells everybody, and commands too. Written {where}:", width)
        for line in draft.lines:
            yield Content.styled("  " + text.cut_middle(safe(line, 0), width - 2), "$accent")
        if draft.shared and not draft.refusal:
            others = ", ".join(safe(name, 60) for name in draft.shared[:3])
            more = f" and {len(draft.shared) - 3} more" if len(draft.shared) > 3 else ""
            yield from paragraph(
                f"{text.sign('▲')} It is the recipe of {others}{more} as well.", width, style="$warning"
            )

    def _fit(self) -> Content:
        fit = self._aim.fit
        if fit is None:
            return Content.styled("not known: its columns could not be read", "$warning")
        glyph, style = FIT_SIGNS[fit.fits]
        return Content.assemble((f"{text.sign(glyph)} ", style), safe(fit.words, 400))

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.action_answer("" if event.button.id == "back" else str(event.button.id))

    def action_answer(self, answer: str) -> None:
        """Close with an answer; what cannot be written is not an answer."""
        if answer != WRITE or self._writes:
            self.dismiss(answer or None)
