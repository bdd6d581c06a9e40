"""What may be asked of the application by those who do not know it: no more than this."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from textual.notifications import SeverityLevel
from textual.screen import Screen

from console.errors import ConsoleError
from console.ui.rows import Rows

if TYPE_CHECKING:
    from console.engine.rooms import Engine
    from console.ui.terminal import Pace

T = TypeVar("T")


class Host(Protocol):
    """Engine and rows, and the few things only an application can do: run, ask, say."""

    @property
    def rows(self) -> Rows:
        """What the table shows."""
        ...

    @property
    def engine(self) -> Engine:
        """What the screens talk to."""
        ...

    @property
    def pace(self) -> Pace:
        """How fast the terminal takes what is drawn."""
        ...

    def suspend_to_shell(self) -> None:
        """Stop until the shell has the console go on."""
        ...

    def touch(self, path: str) -> None:
        """Have one row looked at again."""
        ...

    def save_screen(self) -> None:
        """Write what is seen to files."""
        ...

    def say(self, sentence: str, severity: SeverityLevel = "information") -> None:
        """A toast."""
        ...

    def say_error(self, error: ConsoleError) -> None:
        """What could not be done, and the next step."""
        ...

    async def push_screen_wait(self, screen: Screen[T]) -> T:
        """Show a screen and wait for its answer."""
        ...

    def run_worker(
        self, work: Coroutine[Any, Any, object], *, group: str, exclusive: bool = False, exit_on_error: bool = True
    ) -> object:
        """Run something beside the screens."""
        ...
