"""The line on top: where one is, and the state of the whole store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from console.safe_text import safe
from console.ui import text

if TYPE_CHECKING:
    from console.ui.screens.base import ConsoleScreen

_WORDS = (("probing", "ok"), ("ready", "ok"), ("changed", "attention"), ("error", "failure"), ("blocked", "failure"))
_ROLE_STYLE = {"ok": "$success", "attention": "$warning", "failure": "$error", "busy": "$accent", "quiet": "$quiet"}


def role_style(role: str) -> str:
    """The colour of a role, as a style a Content understands."""
    return _ROLE_STYLE[role]


class StatusLine(Widget):
    """`model-console ─ /srv/models ─ churn/rf        42 models · 3 ready · 1 changed · sandbox 7/8`."""

    DEFAULT_CSS = "StatusLine { height: 1; width: 1fr; dock: top; padding: 0 1; }"

    def __init__(self) -> None:
        super().__init__()
        self._shown: tuple[Content, Content] | None = None

    def revise(self) -> None:
        """Repaint if what it says has changed."""
        now = self._words()
        if now != self._shown:
            self._shown = now
            self.refresh()

    def render(self) -> Content:
        """Left and right end of the line; the left gives way."""
        left, right = self._words()
        self._shown = (left, right)
        width = self.size.width
        if right.cell_length > width // 2 and width < 60:
            right = Content("")
        room = width - right.cell_length - 2
        left = left.truncate(max(0, room), ellipsis=True)
        return Content.assemble(left.pad_right(max(0, width - left.cell_length - right.cell_length)), right)

    def _words(self) -> tuple[Content, Content]:
        screen: ConsoleScreen = self.screen  # type: ignore[assignment]
        app = screen.console_app
        counted = self._counted()
        used = counted.cell_length + len("model-console ─  ─ ") + 3
        crumbs = [safe(crumb) for crumb in screen.crumbs]
        room = max(12, self.size.width - used - sum(cell_len(crumb) + 3 for crumb in crumbs))
        line = text.sign(" ─ ")
        parts: list[tuple[str, str]] = [("model-console", "bold $accent"), (line, "$quiet")]
        parts.append((text.cut_middle(safe(app.root), room), "$foreground"))
        for crumb in crumbs:
            parts += [(line, "$quiet"), (crumb, "bold $foreground")]
        return Content.assemble(*parts), counted

    def _counted(self) -> Content:
        screen: ConsoleScreen = self.screen  # type: ignore[assignment]
        app = screen.console_app
        if not app.is_open:
            return Content("")
        engine, rows = app.engine, app.rows
        dot = (text.sign(" · "), "$quiet")
        parts: list[tuple[str, str]] = [(text.count(len(rows.by_path), "model"), "$foreground")]
        for word, role in _WORDS:
            if number := rows.counts[word]:
                parts += [dot, (f"{number} {word}", role_style(role))]
        if engine.scanning:
            parts += [dot, ("scanning", "$accent")]
        if engine.offline is not None:
            parts += [dot, (" OFFLINE ", "bold reverse $error")]
        if engine.read_only:
            parts += [dot, (" READ-ONLY ", "bold reverse $warning")]
        if layers := app.sandbox_layers():
            active = sum(layer.active for layer in layers.values())
            style = "$quiet" if active == len(layers) else "$warning"
            parts += [dot, (f"sandbox {active}/{len(layers)}", style)]
        return Content.assemble(*parts)
