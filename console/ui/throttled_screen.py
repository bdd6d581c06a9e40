"""Painting at the pace of the terminal."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from textual._styles_cache import StylesCache
from textual.events import Idle
from textual.geometry import Size
from textual.reactive import var
from textual.screen import Screen, ScreenResultType

from console.ui.keys import DIALOG, bindings_at

if TYPE_CHECKING:
    from textual.widget import Widget

    from console.ui.running import ConsoleApp


_REST_S = 0.01
"""Between two pictures of an answer: what comes in this time is painted together."""


class Paced(Screen[ScreenResultType]):
    """A screen that is painted only when the terminal has taken what was painted before: nothing is lost, as what has
    changed meanwhile is painted then.

    What moves by itself is painted with the ticks of Textual's own timer. What comes first, and what follows a key, is
    painted as soon as there is nothing else to do: an answer in two pictures would wait a whole tick for the second.
    """

    app: ConsoleApp

    BINDINGS = bindings_at(DIALOG)

    _hurried: asyncio.TimerHandle | None = None
    _painted = 0.0
    _arranging = False

    focused: var[Widget | None] = var(None)
    """What has the focus. Its coming and going repaints what it comes to and goes from, not the whole screen."""

    def on_unmount(self) -> None:
        """Let go of what was drawn: a cache in textual would keep it, for a thousand widgets that are gone."""
        StylesCache.get_inner_outer.cache_clear()

    def action_do(self, action_id: str) -> None:
        """Run an action of the table that dialogs have as well."""
        getattr(self, f"do_{action_id.replace('-', '_')}")()

    def do_suspend(self) -> None:
        """Back to the shell."""
        self.app.suspend_to_shell()

    def do_save_screen(self) -> None:
        """Save the picture of the screen to files."""
        self.app.save_screen()

    def _on_timer_update(self) -> None:
        """Textual would paint whether or not the terminal has taken the last picture, and block on a slow one."""
        if not self.app.pace.behind:
            super()._on_timer_update()
            self._painted = time.monotonic()

    def _refresh_layout(self, size: Size | None = None, scroll: bool = False) -> None:
        """Known to `_compositor_refresh` while it lasts, which would else paint what is to be painted over."""
        self._arranging = True
        try:
            super()._refresh_layout(size, scroll)
        finally:
            self._arranging = False

    def _compositor_refresh(self) -> None:
        """Paint, unless this would only be painted over: the whole screen is to be painted once it is arranged."""
        if self._arranging and self._repaint_required and self.is_current:
            self.check_idle()
        else:
            super()._compositor_refresh()

    def _on_screen_suspend(self) -> None:
        """Draw nothing: the screen on top covers this one or shows it behind itself."""
        self._repaint_required = False

    async def _on_idle(self, event: Idle) -> None:
        """Textual would wait for its next tick before it shows an answer."""
        if self._hurried is None and self.is_current and self._is_awaited and self._has_news:
            wait = max(0.0, self._painted + _REST_S - time.monotonic())
            self._hurried = asyncio.get_running_loop().call_later(wait, self._hurry)

    @property
    def _is_awaited(self) -> bool:
        """Whether the next picture is an answer, or the first one."""
        return not self._painted or self.app.pace.answering

    @property
    def _has_news(self) -> bool:
        """Whether the screen is not as it was painted last."""
        return bool(self._layout_required or self._scroll_required or self._repaint_required or self._dirty_widgets)

    def _hurry(self) -> None:
        self._hurried = None
        if self.is_running:
            self._on_timer_update()
