"""A line to type on that shows whatever is in it harmlessly: also what was pasted, and names that were put there."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Input

from console.safe_text import safe_signs


class LineInput(Input):
    """An Input whose value stays as it is, and of which every character is shown as one that steers nothing."""

    @property
    def _value(self) -> Text:
        """The text to draw: textual has no public way to show a line otherwise than as its value."""
        return Text(safe_signs(self.value), no_wrap=True, overflow="ignore", end="")
