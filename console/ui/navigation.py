"""Which screen comes on top of which; a screen's module is imported when it is first looked at."""

from __future__ import annotations

from textual.app import App

from console.ui.screens.base import ConsoleScreen


class Navigator(App[int]):
    """An application that knows its screens by what they show."""

    def open_model(self, path: str) -> None:
        """The screen of one model."""
        from console.ui.screens.model import ModelScreen

        self.push_screen(ModelScreen(path))

    def show_errors(self, path: str | None = None, failure: int | None = None) -> None:
        """The failures."""
        from console.ui.screens.errors import ErrorsScreen

        self._show(ErrorsScreen(path, failure))

    def show_events(self) -> None:
        """What happened."""
        from console.ui.screens.events import EventsScreen

        self._show(EventsScreen())

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

        self.push_screen(HelpScreen(place))

    def show_palette(self) -> None:
        """Everything by name."""
        from console.ui.screens.palette import PaletteScreen

        screen = self.screen
        if isinstance(screen, ConsoleScreen):
            self.push_screen(PaletteScreen(screen))

    def _show(self, screen: ConsoleScreen) -> None:
        """Put a screen on top; one of the same kind that is on top already is replaced."""
        if type(self.screen) is type(screen):
            self.switch_screen(screen)
        else:
            self.push_screen(screen)
