"""The output of one model's processes, stdout and stderr, as it comes."""

from __future__ import annotations

import time
from functools import partialmethod
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Static

from console.config import state_dir
from console.records import LogPart
from console.ui import text
from console.ui.keys import key_for
from console.ui.panes.pane import Pane
from console.ui.rows import Row
from console.ui.running import screen_of
from console.ui.saving import keep
from console.ui.widgets.filter_bar import SearchBar
from console.ui.widgets.log_pane import LogPane

if TYPE_CHECKING:
    from console.engine.api import EngineApi
    from console.engine.mirror import Mirror

LOOK_S = 0.25
_BUSY_S = 0.004
"""How long one look may take; what has come beside goes to the next one."""


class OutputPane(Pane):
    """The log, a line that says whether its end is followed, and the line for a search."""

    NAME = "output"
    DEFAULT_CSS = """
    OutputPane #nothing { height: 1fr; content-align: center middle; text-align: center; }
    OutputPane #follows { height: 1; color: $quiet; }
    """
    ACTIONS = ("search", "next-match", "previous-match", "save-output")

    def __init__(self, engine: EngineApi, mirror: Mirror, path: str) -> None:
        super().__init__(engine, mirror, path)
        self._part: LogPart | None = None
        self._fetched: list[LogPart] = []
        self._clock: Timer | None = None
        self._said = ""
        self.log_pane = LogPane()
        self._nothing = Static(id="nothing")
        self._follows = Static(id="follows", markup=False)
        self.bar = SearchBar("find in the output", self.log_pane)

    def compose(self) -> ComposeResult:
        """The log, or that there is none yet."""
        yield self.log_pane
        yield self._nothing
        yield self._follows
        yield self.bar

    def on_mount(self) -> None:
        """Have the clock ready; it runs while something may come and somebody looks."""
        self._clock = self.set_interval(LOOK_S, self._tick, pause=True)

    @property
    def any(self) -> bool:
        """Whether anything was written."""
        return self.log_pane.lines > 0

    def revise(self, row: Row | None) -> None:
        """Show what has been fetched."""
        self._take()
        if not self.any:
            self._nothing.update(_nothing_words(row))
        if self._clock is not None:
            self._clock.resume()

    async def _tick(self) -> None:
        part = self._part
        seen = self.display and self.app.screen is self.screen
        if self._clock is not None and not (seen and part is not None and (part.alive or part.more)):
            self._clock.pause()
        elif screen_of(self).app.pace.due():
            await self.fetch()
            self._take()

    async def fetch(self) -> None:
        """Fetch what has come since the last time, for some milliseconds."""
        began = time.perf_counter()
        after = self._fetched[-1].last if self._fetched else self.log_pane.last
        while not self._fetched or (self._fetched[-1].more and time.perf_counter() - began < _BUSY_S):
            part = await self._engine.models.log(self._path, after)
            if part is None or part.last < after:
                self._part, self._fetched, after = None, [], 0
                self.log_pane.clear()
            if part is None:
                return
            self._fetched.append(part)
            after = part.ended[-1].number if part.ended else after

    def _take(self) -> None:
        """Take over what has been fetched."""
        parts, self._fetched = self._fetched, []
        if parts and (len(parts) > 1 or parts[0].ended or parts[0] != self._part):
            self.log_pane.take(parts)
        self._part = parts[-1] if parts else self._part
        self.log_pane.display = self.any
        self._nothing.display = not self.any
        self.say()

    def say(self) -> None:
        """Whether the end is followed, and how much there is."""
        pane = self.log_pane
        state = "following" if pane.following else text.joined(["scrolled up", f"{key_for('bottom')} follows"])
        came = f"{pane.unseen:,} new" if pane.unseen else ""
        said = text.joined([state, came, text.count(pane.lines, "line")]) if self.any else ""
        if said != self._said:
            self._said = said
            self._follows.update(Content.styled(said, "$quiet" if pane.following else "$warning"))

    @on(LogPane.Followed)
    def _followed(self) -> None:
        self.say()

    def close_line(self) -> bool:
        """Put the search away; whether there was one."""
        return self.bar.drop()

    def can(self, action: str) -> bool | None:
        """Whether there is text to do it with."""
        if action in ("next-match", "previous-match"):
            return bool(self.log_pane.where)
        return self.any if action in ("search", "save-output", "copy") else super().can(action)

    def why_not(self, action: str) -> str:
        """Nothing was written, or nothing was searched for."""
        if action not in (*self.ACTIONS, "copy"):
            return super().why_not(action)
        return f"search first, with {key_for('search')}" if self.any else "nothing has been written yet"

    def do_search(self) -> None:
        """Find something in the output."""
        self.bar.open()

    def go(self, step: int) -> None:
        """The next match, or the one before."""
        self.bar.go(step)

    do_next_match = partialmethod(go, 1)
    do_previous_match = partialmethod(go, -1)

    def do_save_output(self) -> None:
        """Write what is kept to a file that only its owner reads."""
        pane = self.log_pane
        plain = pane.plain + "\n"
        stem = f"{pane.last}-{self._path}"
        keep(screen_of(self).app, "output", lambda: state_dir() / "output", stem, lambda: {".txt": plain})


def _nothing_words(row: Row | None) -> Content:
    """The words in place of an output that is empty."""
    loaded = row is not None and row.worker is not None
    now = "nothing has been written yet" if loaded else f"no process has run yet: {key_for('load')} loads the model"
    what = (
        "What its process writes to stdout and stderr comes here while it does:\nprint, warnings, progress, last words."
    )
    return Content.assemble((f"{now}\n\n", "bold"), (what, "$quiet"))
