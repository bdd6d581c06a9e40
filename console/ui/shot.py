"""The screen as it is seen, dialogs and toasts included: as text, and as a picture that needs nothing from anywhere."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Any

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.segment import Segment, Segments
from textual._context import visible_screen_stack
from textual.app import App
from textual.strip import Strip

_FONT_FACES = re.compile(r"\s*@font-face \{\{.*?\n\s*\}\}", re.DOTALL)
_FORMAT = _FONT_FACES.sub("", CONSOLE_SVG_FORMAT).replace(
    "Fira Code, monospace", '"Fira Code", "JetBrains Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace'
)
"""Rich's picture with fonts of the machine that shows it: what is saved asks no server for any."""


@dataclass(frozen=True, slots=True)
class Shot:
    """The picture of a terminal at one moment; to be made on the event loop, and used in any thread."""

    lines: tuple[Strip, ...]
    width: int
    title: str

    @classmethod
    def of(cls, app: App[Any], title: str) -> Shot:
        """The picture that this application shows now."""
        visible_screen_stack.set(app._background_screens)
        strips = app.screen._compositor.render_strips(app.size)
        return cls(tuple(strips), app.size.width, title)

    def text(self) -> str:
        """The cells without colours, blanks at the end of a line left out."""
        return "".join(f"{line.text.rstrip()}\n" for line in self.lines)

    def svg(self) -> str:
        """The cells with their colours."""
        console = Console(
            width=self.width, height=len(self.lines), file=io.StringIO(), force_terminal=True,
            color_system="truecolor", record=True, legacy_windows=False, safe_box=False,
        )  # fmt: skip
        for line in self.lines:
            segments: list[Segment] = list(line.simplify().discard_meta())
            console.print(Segments([*segments, Segment.line()]), end="")
        return console.export_svg(title=self.title, code_format=_FORMAT)
