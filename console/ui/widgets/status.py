"""The line on top: where one is, and the state of the whole store."""

from __future__ import annotations

import time

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from console.safe_text import safe
from console.ui import text
from console.ui.running import screen_of

_PRODUCT = "model-console"
_LEAST_PLACE = 28
_LEAST_ROOT, _LEAST_CRUMB = 6, 8
_WORTH_TELLING = 100
"""So many artifacts must wait for their inspection before the line says so."""
_WORDS = (
    ("probing", "ok", 2),
    ("serving", "ok", 2),
    ("ready", "ok", 2),
    ("changed", "attention", 7),
    ("removed", "attention", 7),
    ("failing", "failure", 9),
    ("error", "failure", 8),
    ("blocked", "failure", 4),
    ("damaged", "failure", 3),
    ("unread", "attention", 3),
    ("skipped", "failure", 3),
)
"""Words of the status that are counted, with role and importance: what is well gives way to what needs a person."""


class StatusLine(Widget):
    """`model-console ─ /srv/models ─ churn/rf        42 models · 3 ready · 1 changed · sandbox 7/8`."""

    DEFAULT_CSS = "StatusLine { height: 1; width: 1fr; dock: top; padding: 0 1; }"

    def __init__(self) -> None:
        super().__init__()
        self._shown: tuple[Content, Content] | None = None

    def revise(self) -> None:
        """Repaint if what it says has changed."""
        now = self._words()
        if not text.same(now, self._shown):
            self._shown = now
            self.refresh()

    def render(self) -> Content:
        """Left and right end of the line."""
        left, right = self._shown = self._words()
        room = max(0, self.size.width - right.cell_length)
        return Content.assemble(left.truncate(room, ellipsis=True).pad_right(max(0, room - left.cell_length)), right)

    def _words(self) -> tuple[Content, Content]:
        """Where one is, and the counts; on a narrow line the product's name goes, then the least important counts."""
        screen = screen_of(self)
        crumbs = [safe(crumb) for crumb in screen.crumbs]
        counts = self._counts()
        width = self.size.width
        place = min(_LEAST_PLACE, cell_len(safe(screen.app.root)))
        needed = min(width // 2, place + sum(cell_len(crumb) + 3 for crumb in crumbs))
        while len(counts) > 1 and width - self._length(counts) - 2 < needed:
            counts.remove(min(counts, key=lambda count: count[0]))
        dot = Content.styled(text.sign(" · "), "$quiet")
        right = dot.join([content for _, content in counts])
        return self._place(crumbs, width - right.cell_length - 2), right

    def _place(self, crumbs: list[str], room: int) -> Content:
        screen = screen_of(self)
        line, root = text.sign(" ─ "), safe(screen.app.root)
        behind = sum(cell_len(crumb) + 3 for crumb in crumbs)
        parts: list[tuple[str, str]] = []
        if len(_PRODUCT) + 3 + cell_len(root) + behind <= room:
            parts += [(_PRODUCT, "bold $accent"), (line, "$quiet"), (root, "$foreground")]
        elif cell_len(root) + behind <= room or not crumbs:
            parts.append((text.cut_middle(root, max(8, room)), "bold $accent"))
        else:
            parts.append((text.cut_middle(root, max(_LEAST_ROOT, room - behind)), "$quiet"))
        for crumb in crumbs:
            most = room - _LEAST_ROOT - behind + cell_len(crumb)
            parts += [(line, "$quiet"), (text.cut_middle(crumb, max(_LEAST_CRUMB, most)), "bold $foreground")]
        return Content.assemble(*parts)

    @staticmethod
    def _length(counts: list[tuple[int, Content]]) -> int:
        return sum(content.cell_length + 3 for _, content in counts) - 3

    def _counts(self) -> list[tuple[int, Content]]:
        """The counts, each with its importance."""
        screen = screen_of(self)
        app = screen.app
        if not app.is_open:
            return [(0, Content(""))]
        status, rows = app.mirror.status, app.rows
        counts = [(5, Content.styled(text.count(len(rows.by_path), "model"), "$foreground"))]
        for word, role, weight in _WORDS:
            if number := rows.counts[word]:
                counts.append((weight, Content.styled(f"{number} {word}", text.role_style(role))))
        total, waiting = len(rows.by_path), status.uninspected
        if status.scanning:
            counts.append((6, Content.styled("scanning", "$accent")))
        elif waiting >= _WORTH_TELLING:
            done = f"inspected {max(0, total - waiting):,} of {total:,}"
            counts.append((6, Content.styled(done, "$accent")))
        counts += self._engine()
        if status.offline is not None:
            counts.append((10, Content.styled(" OFFLINE ", "bold reverse $error")))
        if status.permissions.role != "administer":
            counts.append((8, Content.styled(f"may {status.permissions.role}", "$warning")))
        if status.permissions.read_only:
            counts.append((9, Content.styled(" READ-ONLY ", "bold reverse $warning")))
        if layers := app.sandbox_layers():
            active = sum(layer.active for layer in layers.values())
            style = "$quiet" if active == len(layers) else "$warning"
            counts.append((1, Content.styled(f"sandbox {active}/{len(layers)}", style)))
        return counts

    def _engine(self) -> list[tuple[int, Content]]:
        """The engine of its own that the console is attached to, and the jobs that run there."""
        app = screen_of(self).app
        facts = app.attachment.facts
        if facts is None:
            return []
        if app.attachment.lost:
            return [(10, Content.styled(" engine gone, trying again ", "bold reverse $error"))]
        words = f"engine {facts.pid}, up {text.uptime(time.time() - facts.started)}"
        counts = [(6, Content.styled(words, "$quiet"))]
        if running := sum(job.ended is None for job in app.mirror.jobs):
            counts.append((5, Content.styled(text.count(running, "job"), "$accent")))
        return counts
