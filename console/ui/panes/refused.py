"""Why there is no answer: the sentence, what to do, and for data that does not fit, both sides column by column."""

from __future__ import annotations

from textual.content import Content

from console.errors import ConsoleError
from console.records import Failure
from console.safe_text import safe
from console.ui import text
from console.ui.widgets.differences import difference_lines
from console.ui.widgets.keyvalue import paragraph
from console.ui.widgets.text_pane import Hanging, wrapped

_WIDEST = 100
"""Cells of a line that is still easily read."""
DATA_CODES = ("columns", "bad-input", "no-rows", "usage")
"""Failures that are of the data a model was to be asked with."""


def refused_lines(error: ConsoleError | Failure, width: int) -> list[Content]:
    """All of it, ready for `width` cells."""
    width = min(width, _WIDEST)
    failure = error.failure if isinstance(error, ConsoleError) else error
    what, *rest = safe(error.message, 600, lines=True).split("\n")
    said = Hanging(Content.assemble((f"{text.sign('✖')} ", "bold $error"), what), 2)
    hints = [*rest, *([safe(error.hint, 600)] if error.hint else [])]
    table = difference_lines(failure, width - 2) if failure is not None else []
    return [
        *wrapped(said, width),
        *(line for hint in hints for line in paragraph(hint, width, 2, "$quiet")),
        *([Content("")] if table else []),
        *(Content("  ") + line for line in table),
    ]
