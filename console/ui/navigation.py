"""Which screen comes on top of which; a screen's module is imported when it is first looked at."""

from __future__ import annotations

from typing import Any, TypeVar

from textual.app import App
from textual.screen import Screen

from console.ui.screens.base import ConsoleScreen

S = TypeVar("S", bound=Screen[Any])


class Navigator(App[int]):
    """An application that knows its screens by what they show.

    Those that are about no model in particular stay when they are left: building one anew takes two to four times as
    long as painting it again.
    """

    def push_screen(self, *args: Any, **kwargs: Any) -> Any:
        """Put a screen on top; toasts do not cover what has just been opened."""
        self.clear_notifications()
        return super().push_screen(*args, **kwargs)

    def switch_screen(self, *args: Any, **kwargs: Any) -> Any:
        """Put a screen in the place of the one on top; toasts do not cover it."""
        self.clear_notifications()
        return super().switch_screen(*args, **kwargs)

    def show_home(self) -> None:
        """The table of all models, which everything else lies on top of."""
        from console.ui.screens.home import HomeScreen

        while not isinstance(self.screen, HomeScreen) and len(self.screen_stack) > 1:
            self.pop_screen()

    def open_model(self, path: str, tab: str = "overview") -> None:
        """The screen of one model."""
        from console.ui.screens.model import ModelScreen

        self.push_screen(ModelScreen(path, tab))

    def show_charts(self) -> None:
        """Small charts of all loaded models."""
        from console.ui.screens.charts import ChartsScreen

        self.push_screen(self._kept(ChartsScreen))

    def show_errors(self, path: str | None = None, failure: int | None = None) -> None:
        """The failures."""
        from console.ui.screens.errors import ErrorsScreen

        self._show(ErrorsScreen(path, failure))

    def show_events(self) -> None:
        """What happened."""
        from console.ui.screens.events import EventsScreen

        if not isinstance(self.screen, EventsScreen):
            screen = self._kept(EventsScreen)
            screen.begin()
            self.push_screen(screen)

    def show_update(self, path: str) -> None:
        """Retraining one model."""
        from console.ui.screens.update import UpdateScreen

        self._show(UpdateScreen(path))

    def show_history(self, path: str) -> None:
        """The versions of one model."""
        from console.ui.screens.history import HistoryScreen

        self._show(HistoryScreen(path))

    def show_trust(self, path: str) -> None:
        """Why the verdict on one model."""
        from console.ui.screens.trust import TrustScreen

        self._show(TrustScreen(path))

    def show_sandbox(self, path: str | None = None) -> None:
        """What holds a worker."""
        from console.ui.screens.sandbox import SandboxScreen

        self._show(SandboxScreen(path))

    def show_help(self, place: str) -> None:
        """All keys, those of `place` first."""
        from console.ui.screens.help import HelpScreen

        screen = self._kept(HelpScreen)
        screen.begin(place)
        self.push_screen(screen)

    def show_palette(self) -> None:
        """Everything by name."""
        from console.ui.screens.palette import PaletteScreen

        below = self.screen
        if isinstance(below, ConsoleScreen):
            screen = self._kept(PaletteScreen)
            screen.begin(below)
            self.push_screen(screen)

    def _kept(self, kind: type[S]) -> S:
        """The screen of this kind that stays; while that is open already, another one that goes with its being left."""
        name = kind.__name__
        if not self.is_screen_installed(name):
            self.install_screen(kind(), name)
        screen = self.get_screen(name, kind)
        return kind() if screen in self.screen_stack else screen

    def _show(self, screen: ConsoleScreen) -> None:
        """Put a screen on top; one of the same kind that is on top already is replaced."""
        if type(self.screen) is type(screen):
            self.switch_screen(screen)
        else:
            self.push_screen(screen)
