"""The way in for the command line: the console on the terminal it was started from."""

from __future__ import annotations

import os
import signal
import sys
import termios
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from console import ending
from console.config import Settings, Theme
from console.errors import UsageError
from console.start import Start

COLOURLESS: Theme = "ansi-dark"
"""The theme for NO_COLOR: of the themes only those of the terminal's own colours can do without any."""

_SWITCH_SECONDS = 0.001
"""How long a thread that looks at the disk may keep a key press waiting for the interpreter, a fifth of the usual."""

if TYPE_CHECKING:
    from console.engine.api import EngineApi

    Opener = Callable[[Path, Settings, Callable[[Exception], None]], Awaitable[EngineApi]]


def run(
    root: Path,
    settings: Settings,
    start: Start | None,
    opener: Opener,
    again: Callable[[Path], Awaitable[EngineApi]] | None = None,
) -> int:
    """Show the store at `root` until the operator leaves; the exit code. `again` attaches to an engine of its own that
    was lost. Raises UsageError where there is no terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("the console needs a terminal", hint="`model-console ls STORE --json` works without one")
    os.environ["TEXTUAL_FPS"] = str(settings.fps)
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    if "NO_COLOR" in os.environ:
        os.environ["TEXTUAL_THEME"] = COLOURLESS
        settings = replace(settings, theme=COLOURLESS)
    sys.setswitchinterval(_SWITCH_SECONDS)
    with ending.heard(f"console on {root}", lambda _number: None, terminal=sys.stdin.fileno()) as end:
        code = _shown(root, settings, start, opener, again, end)
        return 128 + end.number if end.number else code


def _shown(
    root: Path,
    settings: Settings,
    start: Start | None,
    opener: Opener,
    again: Callable[[Path], Awaitable[EngineApi]] | None,
    end: ending.Ending,
) -> int:
    """Run the application until the operator leaves or the process has to end."""
    from console.ui.app import ConsoleApp

    async def opened(on_failure: Callable[[Exception], None]) -> EngineApi:
        return await opener(root, settings, on_failure)

    app = ConsoleApp(root, opened, settings, start, None if again is None else partial(again, root))
    end.hear = app.end
    if end.number:
        return 128 + end.number
    try:
        app.run(mouse=settings.mouse)
    except (OSError, termios.error):
        if not ending.is_gone(sys.stdin.fileno()) and not end.number:
            raise
        return 128 + signal.SIGHUP
    return app.return_code or 0
