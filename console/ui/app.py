"""The application: wires engine, rows and screens together, and leaves the terminal as it found it."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.text import Text
from textual.css.query import NoMatches
from textual.events import Event as Happening
from textual.events import Key, Paste
from textual.filter import LineFilter
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.theme import Theme

from console.config import Settings, state_dir
from console.errors import ConsoleError, EngineGoneError
from console.event_loop import hear_of_failures
from console.os_errors import is_of_the_machine
from console.safe_text import safe
from console.start import Start
from console.ui import text
from console.ui.attached import Attachment
from console.ui.bell import Bell
from console.ui.key_order import KeysInTurn
from console.ui.keymap import checked
from console.ui.keys import use_keys
from console.ui.navigation import Navigator
from console.ui.screens.base import ConsoleScreen
from console.ui.screens.boot import BootScreen
from console.ui.terminal import Pace, PacedDriver
from console.ui.themes import DARK, DEFAULT_VARIABLES, THEMES
from console.ui.title import title_words

if TYPE_CHECKING:
    from console.engine.api import EngineApi
    from console.engine.mirror import Mirror
    from console.records import Event, Layer
    from console.ui.away import Away
    from console.ui.follow import Follower
    from console.ui.kept_order import KeptOrder
    from console.ui.marked import Marked
    from console.ui.operations import Operations
    from console.ui.rows import Rows

Opener = Callable[[Callable[[Exception], None]], Awaitable["EngineApi"]]

_TOASTS: dict[str, SeverityLevel] = {"ok": "information", "attention": "warning", "failure": "error"}
_TOLD_AGAIN_SECONDS = 15.0
"""How long the same kind of news of the same artifact is not told again."""
_TOAST_SECONDS = {"information": 5.0, "warning": 8.0, "error": 10.0}


class ConsoleApp(Navigator, inherit_bindings=False):
    """The console on a terminal. `opener` is called after the first picture is on the screen, with what hears of
    failures that nobody expected in the engine's background; `again` attaches anew to an engine of its own that was
    lost."""

    CSS_PATH = "console.tcss"
    ENABLE_COMMAND_PALETTE = False
    TITLE = "model-console"
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]

    def __init__(
        self,
        root: Path,
        opener: Opener,
        settings: Settings | None = None,
        start: Start | None = None,
        again: Callable[[], Awaitable[EngineApi]] | None = None,
    ) -> None:
        self.settings = settings or Settings()
        super().__init__(driver_class=PacedDriver)
        self.set_keymap(use_keys(checked(self.settings.keys)))
        self.root = root
        self._ended_by = 0
        self._event_loop: asyncio.AbstractEventLoop | None = None
        self._told: dict[tuple[str, str], float] = {}
        self._unpaced = Pace()
        self.keys_in_turn = KeysInTurn(self, super().on_event, self._filter_shown)
        self._bell = Bell(self.operations.asked) if self.settings.bell else None
        self._opener = opener
        self._engine: EngineApi | None = None
        self.attachment = Attachment(self, again)
        self.away: Away | None = None
        """What happened before this console was opened and after this user's last look."""
        self._mirror: Mirror | None = None
        self._follower: Follower | None = None
        self._begin_with = start or Start()
        self._kept_order: KeptOrder | None = None
        for theme in THEMES.values():
            self.register_theme(theme)
        self.theme = self.settings.theme or DARK.name
        self.animation_level = "none"
        text.use_ascii(self.settings.ascii)

    @cached_property
    def rows(self) -> Rows:
        """The rows of the table."""
        from console.ui.rows import Rows

        return Rows()

    @cached_property
    def operations(self) -> Operations:
        """The operations on one artifact."""
        from console.ui.operations import Operations

        return Operations(self)

    @cached_property
    def marked(self) -> Marked:
        """The operations on all that is marked."""
        from console.ui.marked import Marked

        return Marked(self, self.operations)

    @property
    def engine(self) -> EngineApi:
        """The engine that the screens ask. Raises RuntimeError before the store is open."""
        if self._engine is None:
            raise RuntimeError("the store is not open yet")
        return self.attachment.gone if self.attachment.lost else self._engine

    @property
    def mirror(self) -> Mirror:
        """The mirror that the screens read. Raises RuntimeError before the store is open."""
        if self._mirror is None:
            raise RuntimeError("the store is not open yet")
        return self._mirror

    @property
    def is_open(self) -> bool:
        """Whether the store is open."""
        return self._engine is not None

    @property
    def pace(self) -> Pace:
        """How fast the terminal takes what is drawn; a picture that goes to no terminal is taken at once."""
        return self._driver.pace if isinstance(self._driver, PacedDriver) else self._unpaced

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Show a picture; while the terminal is slow only the newest one, once the ones before have been taken."""
        if self.pace.late:
            screen.refresh()
        else:
            super()._display(screen, renderable)

    def _repaint(self, _theme: Theme) -> None:
        """Draw everything anew: text that names a colour of the theme keeps it where no style of its widget differs."""
        for screen in self.screen_stack:
            for widget in screen.walk_children(with_self=True):
                widget.notify_style_update()
                widget.refresh()

    def get_line_filters(self) -> Sequence[LineFilter]:
        """The filters of every line: in ASCII mode, other signs in place of ours."""
        if not self.settings.ascii:
            return super().get_line_filters()
        from console.ui.ascii_signs import AsciiSigns

        return [*super().get_line_filters(), AsciiSigns()]

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Our own colours, for themes that do not know them."""
        return DEFAULT_VARIABLES

    def get_default_screen(self) -> Screen[Any]:
        """The first picture."""
        return BootScreen()

    def on_mount(self) -> None:
        """Open the store once something is on the screen."""
        self._event_loop = asyncio.get_running_loop()
        self.theme_changed_signal.subscribe(self, self._repaint, immediate=True)
        hear_of_failures(self._failed_of_itself)
        self.call_after_refresh(self.run_worker, self._open(), group="open")
        if self._ended_by:
            self.exit(None, 128 + self._ended_by)

    def end(self, number: int) -> None:
        """Leave, as this signal asks for; may be called from any thread, and before the application runs."""
        self._ended_by = number
        if self._event_loop is not None:
            with suppress(RuntimeError):
                self._event_loop.call_soon_threadsafe(self.exit, None, 128 + number)

    async def _open(self) -> None:
        from console.engine.mirror import Mirror
        from console.ui.away import Away, last_look
        from console.ui.follow import Follower
        from console.ui.kept_order import KeptOrder
        from console.ui.screens.home import HomeScreen

        try:
            self._engine = await self._opener(self.failed_by_itself)
        except ConsoleError as error:
            boot = self.screen
            if isinstance(boot, BootScreen):
                boot.failed(error)
            return
        self._mirror = Mirror(self._engine, str(self.root), read_only=self.settings.read_only)
        kept = self._kept_order = KeptOrder(self.root, self._begin_with.filter, self._not_kept)
        self.rows.start_with(await asyncio.to_thread(kept.read), restored=kept.restores)
        self._follower = Follower(self)
        await self._follower.catch_up()
        self._follower.start()
        self._entitle()
        if (facts := self.attachment.facts) is not None:
            look = await asyncio.to_thread(last_look, self.root)
            self.away = Away.between(look, facts, self._mirror.events)
        home = HomeScreen()
        await self.push_screen(home)
        if self.away is not None:
            self.say(self.away.sentence, "warning" if self.away.failures else "information")
        gc.freeze()  # what is there by now stays; looking at all of it again and again would take 150 ms each time
        if self._begin_with.screen != home.PLACE:
            from console.ui.first_screen import show_first

            self.run_worker(show_first(self, home, self._begin_with), group="first")
        self.call_after_refresh(self.run_worker, self._engine.begin(), group="begin")

    async def on_unmount(self) -> None:
        """End every child, whatever way the console ends."""
        if self._follower is not None:
            self._follower.stop()
        if (facts := self.attachment.facts) is not None:
            from console.ui.away import LastLook, keep_look

            keep_look(self.root, LastLook(facts.started, max(0, self.mirror.last), time.time()))
        if self._engine is not None:
            await self._engine.close()
        if self._kept_order is not None:
            self._kept_order.close()

    async def on_event(self, event: Happening) -> None:
        """Keys go to what has the focus, one after the other."""
        if isinstance(event, Key | Paste) and not event.is_forwarded:
            await self.keys_in_turn.take(event)
        else:
            await super().on_event(event)

    async def _filter_shown(self) -> None:
        """A key acts on the rows that the filter before it keeps; while one types, nothing waits for them."""
        from textual.widgets import Input

        if self._follower is not None and not isinstance(self.focused, Input):
            await self._follower.filtered.wait()

    def touch(self, path: str) -> None:
        """Have one row looked at again."""
        if self._follower is not None:
            self._follower.touch(path)

    def arrange(self, **order: object) -> None:
        """Sort, filter or choose columns anew, in the background; the next session starts with it."""
        if self._follower is not None:
            self._follower.arrange(**order)
        if self._kept_order is not None:
            self._kept_order.keep(self.rows.asked)

    def _not_kept(self, why: str) -> None:
        """Called from another thread."""
        self.say(f"Sort, filter and columns are not kept for the next session: {why}", "warning")

    async def spread(self, events: tuple[Event, ...]) -> None:
        """Tell the screens that something changed, and the operator what matters; while closing there is nobody to."""
        if not self.is_running:
            return
        for event in events:
            known = self.marked.turns.hushes(event)
            if not known and event.severity in _TOASTS and event.kind in _TOLD and self._is_news(event):
                self.say(event.text, _TOASTS[event.severity])
        if self._bell is not None and self._bell.rings(event for event in events if event.kind in _TOLD):
            self.bell()
        self._entitle()
        screen = next((one for one in reversed(self.screen_stack) if not one.is_modal), None)
        if isinstance(screen, ConsoleScreen) and screen.is_mounted and screen.is_built:
            with suppress(EngineGoneError):
                await screen.fetch()
            screen.engine_changed(events)
            screen.refresh_frame()

    async def find_engine(self, error: EngineGoneError) -> None:
        """Wait until the engine that is gone is there again; what is shown stays meanwhile. Raises the error where it
        is not one of its own."""
        lost, self.mirror.engine = self.engine, self.attachment.gone
        engine = await self.attachment.regain(error)
        await lost.close()
        self._engine, self.away = engine, None
        self.mirror.turn_to(engine)
        self.say("The engine is back.")
        self.refresh_frames()

    def refresh_frames(self) -> None:
        """Bring status line and footer of the screen in sight up to date."""
        for screen in self.screen_stack:
            if isinstance(screen, ConsoleScreen):
                screen.refresh_frame()

    def _entitle(self) -> None:
        if self.settings.title and isinstance(self._driver, PacedDriver):
            offline = self.mirror.status.offline is not None
            self._driver.title.tell(title_words(str(self.root), self.rows.counts, offline))

    def suspend_to_shell(self) -> None:
        """Stop, with the terminal as it was, until the shell has the console go on."""
        if not (isinstance(self._driver, PacedDriver) and self._driver.stop()):
            self.say("Nothing to suspend to: no shell with job control has started this console.")

    def _is_news(self, event: Event) -> bool:
        """Whether the same was not told a moment ago: a worker that dies again and again fills no screen.

        A death and the failure it is kept as are one thing to tell.
        """
        kind = "failure.added" if event.kind == "worker.error" else event.kind
        if event.when - self._told.get((kind, event.subject), 0.0) <= _TOLD_AGAIN_SECONDS:
            return False
        self._told[kind, event.subject] = event.when
        return True

    def say(self, sentence: str, severity: SeverityLevel = "information") -> None:
        """A toast; outside text is made harmless here."""
        self.notify(safe(sentence, 400, lines=True), severity=severity, markup=False, timeout=_TOAST_SECONDS[severity])

    def say_error(self, error: ConsoleError, path: str = "") -> None:
        """Show an error and the next step; a child's own failure is announced as an event already.

        Of the artifact at `path`, what failed until now is told by this.
        """
        if error.failure is None:
            self.say(f"{error.message}\n{error.hint}" if error.hint else error.message, "error")
            told = ("failure.added", path)
            self._told[told] = max(self._told.get(told, 0.0), time.time() - _TOLD_AGAIN_SECONDS)

    def save_screen(self) -> None:
        """Write what is seen to files."""
        from console.ui.exports import save_screen

        below = next(one for one in reversed(self.screen_stack) if isinstance(one, ConsoleScreen))
        save_screen(self, below.PLACE, below.subject)

    def copy(self, what: str, name: str) -> None:
        """Put text where the operator can paste it, and say where that is."""
        self._clipboard = what  # ctrl+v pastes it; textual's own way would also write it to the terminal
        self.run_worker(self._copy(what, name), group="copy")

    def copy_to_clipboard(self, text: str) -> None:
        """Copy text that was marked with the mouse, by the same way as all else."""
        self.copy(text, "selection")

    async def _copy(self, what: str, name: str) -> None:
        from console.ui.clipboard import copy

        def write(sequence: str) -> None:
            if self._driver is not None:
                self._driver.write(sequence)

        try:
            self.say(f"{name}: {await copy(what, write, state_dir())}")
        except ConsoleError as error:
            self.say_error(error)

    def sandbox_layers(self) -> Mapping[str, Layer]:
        """The layers of the worker with the fewest active ones; none are known while nothing is loaded."""
        layers = [worker.layers for worker in self.mirror.workers.values() if worker.layers]
        return min(layers, key=lambda one: sum(layer.active for layer in one.values()), default={})

    def leave(self) -> None:
        """Quit; while an update is running that would end with the console, ask first."""
        if not self.is_open:
            self.exit(0)
            return
        self.run_worker(self._leave(), group="leave", exclusive=True)

    async def _leave(self) -> None:
        mirror = self.mirror
        if self.attachment.facts is not None:
            farewell = self.attachment.farewell()
            self.exit(0, message=Text(f"model-console: {farewell}") if farewell else None)
            return
        lost = [path for path in self.rows.by_path if mirror.progress(path) or mirror.pending(path)]
        if lost:
            question = f"Quit and give up the update of {safe(lost[0])}?"
            if not await self.operations.confirmed(question, "The current model stays as it is.", yes="Quit"):
                return
        self.exit(0)

    def _handle_exception(self, error: Exception) -> None:
        """A screen that was being built when the console was ended finds nothing of its own: that is no defect, nor is
        an engine that is gone.

        Textual would end with the exit code and the account of one.
        """
        if not (self._exit and isinstance(error, NoMatches)) and not self.attachment.explains(error):
            super()._handle_exception(error)

    def failed_by_itself(self, error: Exception) -> None:
        """End the console on an unforeseen error in the background, as on one in a screen."""
        try:
            raise error
        except Exception as one:
            self._handle_exception(one)

    def _failed_of_itself(self, error: Exception) -> bool:
        """Whether what failed in a callback is the machine's fault, which ends the console."""
        found = is_of_the_machine(error)
        if found:
            self.failed_by_itself(error)
        return found

    def _fatal_error(self) -> None:
        """Report an unforeseen error: a sentence to the terminal, the account of a defect of ours to a file.

        Textual would print a traceback with the values of all locals, names from outside among them.
        """
        from console import unforeseen
        from console.ui.crash import write_crash

        error = unforeseen.told(sys.exc_info()[1] or RuntimeError("no exception is known"), write_crash)
        hint = f"\nhint: {error.hint}" if error.hint else ""
        self._exit_renderables.append(Text(safe(f"model-console: {error.message}{hint}", 0, lines=True)))
        self._close_messages_no_wait()


_TOLD = frozenset(
    (
        "store.offline",
        "store.online",
        "store.unsettled",
        "artifact.changed",
        "worker.ready",
        "worker.error",
        "worker.abandoned",
        "failure.added",
        "update.compared",
        "update.promoted",
        "update.failed",
        "update.discarded",
        "update.unsigned",
        "history.rolled-back",
        "trust.accepted",
        "trust.changed",
    )
)
"""Events worth a toast."""
