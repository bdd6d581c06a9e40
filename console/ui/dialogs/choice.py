"""The choice of one of a few: a model of a file, a number of workers."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import cast

from textual import on
from textual.binding import Binding
from textual.content import Content
from textual.screen import ScreenResultType
from textual.widget import Widget
from textual.widgets import Static

from backends.core.inspection import ModelEntry
from console.safe_text import safe
from console.ui import text
from console.ui.dialogs.dialog import Dialog
from console.ui.widgets.line_list import Item, LineList

_MOST_LINES = 12
CHOICES = (1, 2, 3, 4, 6, 8)


class ChoiceScreen(Dialog[ScreenResultType]):
    """A list; answers with the key of the line under the cursor when `enter` is pressed, with None for none."""

    BINDINGS = [Binding("escape,q,ctrl+c", "dismiss", show=False), Binding("enter", "choose", show=False)]
    AUTO_FOCUS = "LineList"

    def __init__(self, question: str, items: Sequence[Item], hint: str, *, now: Hashable = None) -> None:
        super().__init__(question)
        self._items = items
        self._hint = Content(hint)
        self._now = now

    def body(self) -> Iterable[Widget]:
        """The list, and its keys."""
        yield LineList()
        yield Static(self._hint, classes="hint")

    def on_mount(self) -> None:
        """Fill the list, with the cursor on what is now."""
        listed = self.query_one(LineList)
        listed.show(self._items)
        listed.select(self._now)
        listed.styles.height = min(_MOST_LINES, len(self._items))

    @on(LineList.Chosen)
    def action_choose(self) -> None:
        """Take the line under the cursor."""
        self.dismiss(cast("ScreenResultType", self.query_one(LineList).key))


class PlaceScreen(ChoiceScreen[str | None]):
    """The models of a file; answers with the place of the chosen one, None for none."""

    def __init__(self, path: str, models: Sequence[ModelEntry]) -> None:
        width = text.widest(safe(model.at) for model in models) + 2
        names = [(text.padded(safe(model.at), width), "bold") for model in models]
        kinds = [text.short_class(model.class_name) for model in models]
        items = [
            (model.at, Content.assemble(name, kind)) for model, name, kind in zip(models, names, kinds, strict=True)
        ]
        question = f"{safe(path)} holds {len(models)} models. Which one?"
        super().__init__(question, items, "enter takes it, esc leaves the file alone")


class CopiesScreen(ChoiceScreen[int | None]):
    """Numbers of workers; answers with the chosen one, None for none. A digit chooses at once."""

    BINDINGS = [Binding(str(number), f"take({number})", show=False) for number in range(1, 10)]

    def __init__(self, path: str, now: int) -> None:
        items = [
            (number, Content.assemble((text.count(number, "worker"), "bold"), "  as now" if number == now else ""))
            for number in sorted({*CHOICES, now})
        ]
        hint = "Processes of their own that share large arrays; enter or a digit takes it, esc leaves it"
        super().__init__(f"How many workers shall answer for {safe(path)}?", items, hint, now=now)

    def action_take(self, number: int) -> None:
        """Take a number that was typed."""
        self.dismiss(number)
