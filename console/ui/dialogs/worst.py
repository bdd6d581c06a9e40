"""The worst requests to one model: those that failed, then the slowest of the last hour."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from textual import on
from textual.binding import Binding
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from console.errors import ConsoleError
from console.records import RequestOutcome
from console.safe_text import safe
from console.ui import text
from console.ui.dialogs.dialog import Dialog
from console.ui.running import screen_of
from console.ui.widgets.line_list import LineList
from console.ui.widgets.request_lines import outcome_line, outcome_words

if TYPE_CHECKING:
    from console.ui.running import ConsoleApp

_MOST_LINES = 10


class WorstScreen(Dialog[None]):
    """One line a request, and beneath the list all that is known of the one under the cursor."""

    SHAPE = "wide"
    BINDINGS = [Binding("escape,q,ctrl+c", "dismiss", show=False), Binding("c", "copy", show=False)]
    AUTO_FOCUS = "LineList"
    DEFAULT_CSS = "WorstScreen #request { height: auto; margin-top: 1; }"

    def __init__(self, name: str, outcomes: Sequence[RequestOutcome]) -> None:
        failed = [one for one in outcomes if one.error]
        slowest = sorted((one for one in outcomes if not one.error), key=lambda one: one.total_ms, reverse=True)
        super().__init__(f"The worst requests to {text.cut_middle(safe(name), 40)}")
        self._outcomes = [*failed, *slowest]

    def body(self) -> Iterable[Widget]:
        """The list, one of it in full, and the keys."""
        yield LineList()
        yield Static(id="request")
        yield Static("c copies id, trace and cause; esc closes", classes="hint")

    def on_mount(self) -> None:
        """Fill the list."""
        listed = self.query_one(LineList)
        listed.styles.height = min(_MOST_LINES, max(1, len(self._outcomes)), max(3, self.app.size.height - 17))
        listed.show([(number, outcome_line(one, self.text_width)) for number, one in enumerate(self._outcomes)])
        self._tell()

    @property
    def _outcome(self) -> RequestOutcome | None:
        key = self.query_one(LineList).key
        return self._outcomes[key] if isinstance(key, int) else None

    @on(LineList.Moved)
    def _tell(self) -> None:
        outcome = self._outcome
        lines = outcome_words(outcome) if outcome is not None else [Content("none of the last hour, and none failed")]
        self.query_one("#request", Static).update(Content("\n").join(lines))

    def action_copy(self) -> None:
        """All of the request under the cursor, as text."""
        outcome = self._outcome
        if outcome is not None:
            words = "\n".join(line.plain for line in outcome_words(outcome))
            screen_of(self).app.copy(words, "request")


async def show_worst(app: ConsoleApp, path: str) -> None:
    """Fetch the worst requests to an artifact, and show them."""
    traffic = app.mirror.traffic.get(path)
    if traffic is None:
        return
    try:
        outcomes = await app.engine.serving.worst(traffic.name)
    except ConsoleError as error:
        app.say_error(error, path)
    else:
        app.push_screen(WorstScreen(traffic.name, outcomes))
