"""The reason why a loaded model does not answer: its screen begins with it while its worker is dead or calls fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from console.safe_text import safe
from console.ui import states, text
from console.ui.key_words import key_words
from console.ui.rows import Row
from console.ui.widgets.keyvalue import paragraph
from console.ui.widgets.traceback import what_failed

if TYPE_CHECKING:
    from console.engine.mirror import Mirror

_KEYS = "{errors} tells all of it, {reload} tries again"


def failed_lines(mirror: Mirror, row: Row, width: int) -> list[Content]:
    """The failure: which and when, what helps, the keys; nothing of a model that answers or is not loaded."""
    if row.status not in (states.FAILING, states.DEAD):
        return []
    failure = mirror.last_failure(row.path)
    if failure is None:
        return [key_words(_KEYS)]
    what = f"{text.glyph(row.status.glyph)} {safe(failure.phase, 40)} failed {text.ago(failure.latest)}: "
    said = Content.assemble((what, "bold $error"), safe(what_failed(failure), 400))
    hint = paragraph(safe(failure.hint, 400), width, indent=2, style="$quiet") if failure.hint else []
    return [*paragraph(said, width), *hint, key_words(_KEYS)]
