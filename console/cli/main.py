"""The entry: finds out what was asked for, runs it, and turns whatever happens into words and an exit code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from console import unforeseen
from console.cli import streams
from console.cli.output import Output, reader_gone
from console.cli.parser import PROG, commands_parser, console_parser
from console.config import Settings, load_settings
from console.ending import silence
from console.errors import ConsoleError, UsageError
from console.nearest import nearest
from console.start import Start

if TYPE_CHECKING:
    from console.engine.api import Door

INTERRUPTED = 130

_ABOUT = ("-h", "--help", "--version")

Screens = Callable[[Path, Settings, Start], int]
"""Opens the console on a store, at a screen; returns the exit code."""


def run(argv: Sequence[str], door: Door, screens: Screens, account: Callable[[], Path | None]) -> int:
    """Do what `argv` says, with engines from the `door`.

    `account` writes down a defect of ours that is being handled and tells where.
    """
    words = argv[: argv.index("--")] if "--" in argv else argv
    output = Output("--json" in words)
    there = streams.prepare()
    try:
        code = _outcome(list(argv), output, door, screens)
        if not there and not code:
            output.say(f"{PROG}: stdout is closed, so that nobody sees what was asked for")
            return 1
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        if isinstance(error, OSError) and reader_gone():
            return 0 if isinstance(error, BrokenPipeError) else INTERRUPTED
        told = _unforeseen(error, account)
        with suppress(Exception):
            output.error(told)
        return told.exit_code
    finally:
        if reader_gone():
            silence(sys.stdout.fileno())
        streams.give_up()


def _unforeseen(error: Exception, account: Callable[[], Path | None]) -> ConsoleError:
    """The words for an error that nobody expected."""
    return streams.not_written(error) if isinstance(error, streams.Untaken) else unforeseen.told(error, account)


def _outcome(argv: list[str], output: Output, door: Door, screens: Screens) -> int:
    try:
        try:
            return _dispatch(argv, output, door, screens)
        finally:
            streams.finish()
    except ConsoleError as error:
        with suppress(OSError):
            output.error(error)
        return error.exit_code


def _dispatch(argv: list[str], output: Output, door: Door, screens: Screens) -> int:
    parser = commands_parser()
    names = parser.commands()
    asked = argv[0] if argv else ""
    if asked in names or asked in _ABOUT:
        return _command(parser.parse_all(argv), output, door, screens)
    found, unknown = console_parser().parse_known_args(argv)
    if found.store in names and "--" not in argv:
        at = argv.index(found.store)
        return _command(parser.parse_all([found.store, *argv[:at], *argv[at + 1 :]]), output, door, screens)
    if "--" not in argv:
        _require_place(found.store, [word for word in unknown if not word.startswith("-")], names)
    arguments = console_parser().parse_all(argv)
    return _open(arguments.store, arguments, door, screens)


def _require_place(store: str, more: list[str], names: Iterable[str]) -> None:
    """Raise UsageError where what stands in the place of a store is rather a command, misspelt: nothing of that name is
    there, and it is like a command's or has arguments as commands have."""
    if os.sep in store or os.path.lexists(store):
        return
    meant = nearest(store, names)
    if meant is not None:
        raise UsageError(
            f"there is no command '{store}', and nothing here is called so", hint=f"did you mean {PROG} {meant}?"
        )
    if more:
        raise UsageError(f"there is no command '{store}'", hint=f"see {PROG} --help")


def _command(arguments: argparse.Namespace, output: Output, door: Door, screens: Screens) -> int:
    if arguments.command == "demo":
        from console.cli.demo import demo_store

        store = demo_store(arguments.build_only, output)
        return 0 if arguments.build_only else _open(str(store), arguments, door, screens)
    if arguments.command == "completion":
        from console.cli.completion import HINT, script

        streams.put(script(commands_parser(), arguments.shell))
        output.say(HINT)
        return 0
    if arguments.command == "serve":
        from console.cli.serve import serve

        return serve(arguments, door)
    from pkgutil import resolve_name

    from console.cli.session import run as run_command

    arguments.door = door
    return run_command(resolve_name(f"console.cli.{arguments.run}"), arguments, output)


def _open(store: str, arguments: argparse.Namespace, door: Door, screens: Screens) -> int:
    named = {name: getattr(arguments, name) for name in ("read_only", "attach", "mouse", "ascii", "theme", "fps")}
    settings = replace(load_settings(), **{name: value for name, value in named.items() if value is not None})
    root = door.root(store)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("the console needs a terminal", hint="without one, use a command: model-console ls --json")
    os.environ["TEXTUAL_FPS"] = str(settings.fps)
    if os.environ.get("TERM") == "dumb":
        raise UsageError(
            "this terminal shows no screens (TERM=dumb)",
            hint="set TERM to what it is, such as xterm-256color, or use a command: model-console ls",
        )
    if streams.is_plain():
        settings = replace(settings, ascii=True)
    os.environ.setdefault("ESCDELAY", "25")
    screen, model = arguments.screen
    return screens(root, settings, Start(screen, model, arguments.filter))
