"""The base of every full screen: a status line, a footer, and the actions of the one table."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import partialmethod
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.timer import Timer
from textual.widget import Widget

from console.errors import AccessDeniedError
from console.screen_table import SCREENS
from console.ui import text
from console.ui.keys import BY_ID
from console.ui.throttled_screen import Paced
from console.ui.widgets.footer import Footer
from console.ui.widgets.status import StatusLine

if TYPE_CHECKING:
    from console.engine.api import EngineApi
    from console.engine.mirror import Mirror
    from console.records import Event


TICK_SECONDS = 1.0
"""How often it is looked whether a time that is shown reads differently."""


class ConsoleScreen(Paced[None]):
    """A full screen. A subclass names its `PLACE`, takes its BINDINGS from the action table and has `do_<id>` methods.

    An action of the table of screens needs no method: it opens its screen.
    `subject` is the path of the artifact the screen is about, None where it is about none.
    """

    PLACE: ClassVar[str] = ""
    FOOTER: ClassVar[tuple[str, ...]] = ()
    """The actions the footer shows when nothing better is known."""

    _clock: Timer | None = None
    _told: tuple[tuple[str, str], ...] = ()

    def begin(self, below: ConsoleScreen) -> None:
        """Show what is new when a screen that is kept is opened again, over another one."""

    @property
    def engine(self) -> EngineApi:
        """The engine that screens ask."""
        return self.app.engine

    @property
    def mirror(self) -> Mirror:
        """The mirror that screens read."""
        return self.app.mirror

    async def fetch(self) -> None:
        """Have the mirror hold what this screen reads of the artifact it is about; before it is told of changes."""
        if self.subject is not None:
            await self.mirror.know(self.subject)

    @property
    def subject(self) -> str | None:
        """The path of the artifact the actions are about."""
        return None

    @property
    def crumbs(self) -> Sequence[str]:
        """Where the operator is, after the store's name."""
        return (self.PLACE,)

    def compose(self) -> ComposeResult:
        """The frame around a screen's own content."""
        yield StatusLine()
        yield from self.content()
        yield Footer()

    def content(self) -> Iterable[Widget]:
        """The widgets between status line and footer."""
        return ()

    @property
    def is_built(self) -> bool:
        """Whether everything of the screen is there: false before it was composed and while it is taken down."""
        return self.is_running and self.query_one_optional(Footer) is not None

    def footer_actions(self) -> Sequence[str]:
        """The ids of the actions that matter here and now, at most five."""
        return self.FOOTER

    def can(self, action: str) -> bool:
        """Whether an action makes sense now; the others are left out of footer and palette."""
        return True

    def moments(self) -> Iterable[float]:
        """The times that are shown as "so long ago" or "again in so long"."""
        return ()

    def on_screen_suspend(self) -> None:
        """Another screen is on top: no times to keep."""
        if self._clock is not None:
            self._clock.pause()

    def _tick(self) -> None:
        """Show again what would read differently now; nothing else is done while nothing does."""
        if not self.is_built:
            return
        if self.app.is_open and self.app.attachment.facts is not None:
            self.query_one(StatusLine).revise()
        now = tuple((text.ago(moment), text.until(moment)) for moment in self.moments())
        if now != self._told:
            self._told = now
            self.times_passed()

    def times_passed(self) -> None:
        """A time that is shown reads differently now."""
        self.engine_changed(())

    def label(self, action: str) -> str:
        """An action's word in the footer."""
        return BY_ID[action].label

    def why_not(self, action: str) -> str:
        """In a word, why an action of this screen makes no sense now."""
        return "nothing here to do it with"

    def engine_changed(self, events: Sequence[Event]) -> None:
        """Rows, workers or the store changed; `events` tell how (none after a tick). Repaint what is different."""

    def refresh_frame(self) -> None:
        """Bring status line and footer up to date."""
        if self.is_built:
            self.query_one(StatusLine).revise()
            self.query_one(Footer).revise()

    def on_screen_resume(self) -> None:
        """In sight, perhaps again: times move, and what happened meanwhile is caught up with."""
        if self._clock is None:
            self._clock = self.set_interval(TICK_SECONDS, self._tick)
        self._clock.resume()
        if self.is_built:
            self.engine_changed(())
            self.refresh_frame()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Take away what this screen does not have; what cannot be done now is let through to say why."""
        return action != "do" or not parameters or self._has(str(parameters[0]))

    def allowed(self, action_id: str) -> bool:
        """Whether this screen can do the action now."""
        return self._has(action_id) and self._refusal(action_id) is None and self.can(action_id)

    def go_to(self, path: str) -> bool:
        """Put the cursor on a model, where this screen lists them; whether it is in sight."""
        return False

    def objection(self, action_id: str) -> str | None:
        """Why an action that this screen has cannot be done now; None where it can."""
        refusal = self._refusal(action_id)
        if refusal is None and not self.can(action_id):
            return f"{BY_ID[action_id].label}: {self.why_not(action_id)}"
        return refusal

    def action_do(self, action_id: str) -> None:
        """Run an action of the table, or say why it is not this user's."""
        refusal = self._refusal(action_id)
        if refusal is not None:
            self.app.say_error(AccessDeniedError(refusal))
        elif action_id == "back" and self.query("Toast"):
            self.app.clear_notifications()
        elif not self.can(action_id):
            self.app.clear_notifications()
            self.app.say(f"{BY_ID[action_id].label}: {self.why_not(action_id)}")
        elif self._has(action_id):
            self._do(action_id)

    def _do(self, action_id: str) -> None:
        method = f"do_{action_id.replace('-', '_')}"
        if hasattr(self, method):
            getattr(self, method)()
        else:
            self.app.show(action_id, self.subject)

    @classmethod
    def _has(cls, action_id: str) -> bool:
        return hasattr(cls, f"do_{action_id.replace('-', '_')}") or cls._opens(action_id)

    @classmethod
    def _opens(cls, action_id: str) -> bool:
        """Whether the action opens another screen from here: one about a model only from where a model is chosen."""
        return action_id in SCREENS and SCREENS[action_id].about != "model"

    def _refusal(self, action_id: str) -> str | None:
        """Why role or read-only mode forbid an action that this screen has; None where they do not."""
        action = BY_ID[action_id]
        if not (action.needs or action.writes) or not self._has(action_id) or not self.app.is_open:
            return None
        if self.app.attachment.lost:
            return self.app.attachment.refusal
        permissions = self.mirror.permissions
        if action.writes and permissions.read_only:
            return f"this console is read-only: {permissions.why_read_only}"
        return permissions.refusal(action.needs) if action.needs else None

    def on_descendant_focus(self) -> None:
        """While somebody types, other keys matter."""
        self.refresh_frame()

    def on_descendant_blur(self) -> None:
        """Typing is over, perhaps."""
        self.call_after_refresh(self.refresh_frame)

    def do_back(self) -> None:
        """Back to the screen before."""
        self.app.pop_screen()

    def do_copy(self) -> None:
        """Copy the subject's path."""
        if self.subject is not None:
            self.app.copy(os.path.join(self.mirror.status.root, self.subject), "path")

    def do_command(self) -> None:
        """The palette."""
        self.app.show_palette()

    def do_quit(self) -> None:
        """Leave."""
        self.app.leave()


class PathScreen(ConsoleScreen):
    """A screen about the artifact of one path, and one side of it."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    @property
    def subject(self) -> str:
        """The artifact."""
        return self._path

    @property
    def crumbs(self) -> Sequence[str]:
        """The artifact, and the side of it."""
        return (self._path, self.PLACE)


class ArtifactScreen(ConsoleScreen):
    """A screen about one artifact at a time: it can load, drive, update and look back."""

    def can(self, action: str) -> bool:
        """Whether the artifact's state allows it."""
        path = self.subject
        if path is None:
            return action not in _NEEDS_SUBJECT
        if action == "worst":
            return path in self.mirror.traffic
        return self.app.operations.possible(action, path)

    def why_not(self, action: str) -> str:
        """The reason in the artifact's state against an action; "" for none."""
        path = self.subject
        if path is None:
            return "no model is selected"
        return "no other program has asked it" if action == "worst" else self.app.operations.why_not(action, path)

    @classmethod
    def _opens(cls, action_id: str) -> bool:
        return action_id in SCREENS

    def moments(self) -> Iterable[float]:
        """When the subject's file changed, its worker's state began, it is started again, and it failed last."""
        row = self.app.rows.by_path.get(self.subject) if self.subject is not None else None
        if row is None:
            return
        yield row.artifact.modified
        if row.worker is not None:
            yield row.worker.since
            yield row.worker.retry_at or 0.0
        yield from (one.latest for one in self.mirror.failures if one.artifact == row.path)

    def operate(self, action: str) -> None:
        """Do what an action of the table asks of the subject, or of all that is marked."""
        paths = self.acted_on(action)
        if len(paths) == 1 and action not in _ASKED_ONCE:
            self.app.operations.perform(action, paths[0])
        else:
            self.app.marked.perform(action, paths)

    def acted_on(self, action: str) -> Sequence[str]:
        """The paths that an action is about."""
        return (self._path,)

    do_load = partialmethod(operate, "load")
    do_unload = partialmethod(operate, "unload")
    do_reload = partialmethod(operate, "reload")
    do_probe = partialmethod(operate, "probe")
    do_data = partialmethod(operate, "data")
    do_inspect = partialmethod(operate, "inspect")
    do_seal = partialmethod(operate, "seal")

    def do_worst(self) -> None:
        """The slowest requests of other programs, and those that failed."""
        from console.ui.dialogs.worst import show_worst

        self.run_worker(show_worst(self.app, self._path), group="worst", exclusive=True)

    @property
    def _path(self) -> str:
        path = self.subject
        if path is None:
            raise LookupError("no artifact is selected")
        return path


_ASKED_ONCE = ("inspect", "seal")
"""Actions that ask and tell alike, be it of one or of many."""
_NEEDS_SUBJECT = (
    *("open", "load", "unload", "reload", "probe", "data", "inspect", "seal", "copy", "mark", "worst", "copies"),
    *(name for name, screen in SCREENS.items() if screen.about == "model"),
)
