"""The last step of choosing a model's data: it is shown once more, used, and if wanted written as its recipe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from textual.binding import Binding
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from console.records import Draft, target_words
from console.safe_text import safe
from console.ui import text
from console.ui.dialogs.dialog import NO, ButtonDialog
from console.ui.dialogs.target import FIT_SIGNS, Aim
from console.ui.widgets.keyvalue import pairs, paragraph

USE, WRITE = "use", "write"
_LABEL = 9


class UseDataScreen(ButtonDialog[str | None]):
    """Answers `use` or `write`, which is use and write; None for back."""

    BINDINGS = [
        Binding("y", f"answer('{USE}')", show=False),
        Binding("w", f"answer('{WRITE}')", show=False),
    ]
    AUTO_FOCUS = f"#{USE}"
    SHAPE = "wide"

    def __init__(self, path: str, data: str, aim: Aim, draft: Draft) -> None:
        answers = {NO: "Back", USE: "Use it"} | ({} if draft.refusal else {WRITE: "Use it, write the recipe"})
        super().__init__(f"Drive {safe(path, 80)} with this data?", answers)
        self._data = data
        self._aim = aim
        self._draft = draft

    def told(self) -> Iterable[Widget]:
        """The choice, and the lines of the recipe."""
        yield Static(id="told")

    def on_mount(self) -> None:
        """Put the text in, for this width."""
        self.query_one("#told", Static).update(Content("\n").join(self._lines(self.text_width)))

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
