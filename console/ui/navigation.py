"""Which screen comes on top of which; a screen's module is imported when it is first looked at."""

from __future__ import annotations

from importlib import import_module
from typing import Any, TypeVar

from textual.app import App
from textual.screen import Screen

from console.screen_table import SCREENS
from console.ui.screens.base import ConsoleScreen

S = TypeVar("S", bound=Screen[Any])


def screen_class(name: str) -> type[ConsoleScreen]:
    """The class of a screen of the table, imported now at the latest."""
    module, _, kind = SCREENS[name].target.partition(":")
    found: type[ConsoleScreen] = getattr(import_module(f"console.ui.screens.{module}"), kind)
    return found


class Navigator(App[int]):
    """An application that opens its screens by their names.

    Those that the table says are kept stay when they are left: building one anew takes two to four times as long as
    painting it again.
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

    def show(self, name: str, path: str | None = None, **more: Any) -> None:
        """Put a screen of the table on top, about this model where it can be about one.

        One of the same kind that is on top already stays where it is kept, else it is replaced.
        """
        screen, kind = SCREENS[name], screen_class(name)
        if not screen.kept:
            self._show(kind() if screen.about == "store" else kind(path, **more))
        elif not isinstance(self.screen, kind):
            below = next(one for one in reversed(self.screen_stack) if isinstance(one, ConsoleScreen))
            kept = self._kept(kind)
            kept.begin(below)
            self.push_screen(kept)

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
