"""`model-console`, `python -m console`: joins the command line and the screens, which do not know each other."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from console.config import Settings
    from console.start import Start

_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command, or open the console; returns the exit code."""
    try:
        from console.cli.main import run
        from console.composition import LocalDoor
    except KeyboardInterrupt:
        return _INTERRUPTED
    return run(sys.argv[1:] if argv is None else argv, LocalDoor(), _screens, _account)


def _screens(root: Path, settings: Settings, start: Start) -> int:
    from console.composition import attach_again, open_store
    from console.ui.run import run as show

    return show(root, settings, start, open_store, attach_again)


def _account() -> Path | None:
    from console.ui.crash import write_crash

    return write_crash()


if __name__ == "__main__":
    sys.exit(main())
