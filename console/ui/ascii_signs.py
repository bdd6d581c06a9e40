"""ASCII alone on every screen: whatever a widget, a frame or a name of the store draws goes through here at last."""

from __future__ import annotations

import re

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from console.safe_text import SIGNS

_OTHERS = re.compile(r"[^\x20-\x7e]")
_FRAMES = dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╯╰╔╗╚╝╠╣╦╩╬┏┓┗┛┣┫┳┻╋", "+") | dict.fromkeys("━═╌┄┈╍▔▁", "-") | dict.fromkeys(
    "┃║╎┆▏▕▎▐", "|"
)  # fmt: skip
_BARS = dict.fromkeys("█▉▊▋▀▄▇▆▅■", "#") | dict.fromkeys("░▒▓▂▃▍", ":")


class AsciiSigns(LineFilter):
    """Puts one ASCII sign in the place of each other one, as wide as it was, so that nothing moves."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same segments in ASCII."""
        return [
            segment if segment.text.isascii() else Segment(as_ascii(segment.text), segment.style, segment.control)
            for segment in segments
        ]


def as_ascii(text: str) -> str:
    """`text` in as many cells of ASCII."""
    return _OTHERS.sub(lambda found: _plain(found[0]), text)


def _plain(char: str) -> str:
    cells = cell_len(char)
    sign = SIGNS.get(char) or _FRAMES.get(char) or _BARS.get(char) or "?"
    return (sign * cells)[:cells]
