"""Which of several models in one file is meant."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from backends.core.inspection import ModelEntry
from console.safe_text import safe
from console.ui import text
from console.ui.throttled_screen import Paced
from console.ui.widgets.line_list import LineList


class PlaceScreen(ModalScreen[str | None], Paced[str | None]):
    """The models of a file; answers with the place of the chosen one, None for none."""

    BINDINGS = [Binding("escape,q,ctrl+c", "leave", show=False), Binding("enter", "choose", show=False)]
    AUTO_FOCUS = "LineList"

    def __init__(self, path: str, models: Sequence[ModelEntry]) -> None:
        super().__init__()
        self._path = path
        self._models = tuple(models)

    def compose(self) -> ComposeResult:
        """The question and the list."""
        with Vertical(classes="dialog"):
            yield Static(
                Content(f"{safe(self._path)} holds {len(self._models)} models. Which one?"), classes="question"
            )
            yield LineList()
            yield Static(Content("enter takes it, esc leaves the file alone"), classes="hint")

    def on_mount(self) -> None:
        """Fill the list."""
        places = self.query_one(LineList)
        width = text.widest(safe(model.at) for model in self._models) + 2
        names = [(text.padded(safe(model.at), width), "bold") for model in self._models]
        kinds = [text.short_class(model.class_name) for model in self._models]
        places.show(
            [
                (model.at, Content.assemble(name, kind))
                for model, name, kind in zip(self._models, names, kinds, strict=True)
            ]
        )
        places.styles.height = min(12, len(self._models))

    def action_choose(self) -> None:
        """Take the one under the cursor."""
        self.dismiss(str(self.query_one(LineList).key))

    @on(LineList.Chosen)
    def _clicked(self) -> None:
        self.action_choose()

    def action_leave(self) -> None:
        """None of them."""
        self.dismiss(None)
