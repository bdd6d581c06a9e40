"""A line to type on that shows whatever is in it harmlessly: also what was pasted, and names that were put there."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Input

from console.safe_text import safe_signs


class LineInput(Input):
    """An Input whose value stays as it is, and of which every character is shown as one that steers nothing."""

    def _toggle_cursor(self) -> None:
        """See Input; the cursor of a line under another screen stands still, and wakes nobody."""
        if self.screen.is_current:
            super()._toggle_cursor()
        else:
            self._pause_blink(visible=True)

    @property
    def _value(self) -> Text:
        return Text(safe_signs(self.value), no_wrap=True, overflow="ignore", end="")
