"""The entry: finds out what was asked for, runs it, and turns whatever happens into words and an exit code."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from console.cli.output import Output, reader_gone
from console.cli.parser import command_names, commands_parser, console_parser
from console.config import Settings, load_settings
from console.ending import silence
from console.errors import ConsoleError, Usage
from console.os_errors import as_system_error, hint, is_of_the_machine, why

INTERRUPTED = 130

_ABOUT = ("-h", "--help", "--version")

Screens = Callable[[Path, Settings], int]
"""Opens the console on a store; returns the exit code."""


def run(argv: Sequence[str], screens: Screens, account: Callable[[], Path | None]) -> int:
    """Do what `argv` says. `account` writes down a defect of ours that is being handled and tells where."""
    words = argv[: argv.index("--")] if "--" in argv else argv
    output = Output("--json" in words)
    _open_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        return _outcome(list(argv), output, screens)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        if isinstance(error, OSError) and reader_gone():
            return 0 if isinstance(error, BrokenPipeError) else INTERRUPTED
        output.error(_unforeseen(error, account))
        return 1
    finally:
        _settle()


def _open_streams() -> None:
    """Have what stands for a closed stdout or stderr go nowhere, and no file of ours take its number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)


def _settle() -> None:
    """Leave nothing in stdout that fails once more as the interpreter ends."""
    try:
        if reader_gone():
            silence(sys.stdout.fileno())
        sys.stdout.flush()
    except OSError:
        silence(sys.stdout.fileno())


def _unforeseen(error: Exception, account: Callable[[], Path | None]) -> ConsoleError:
    """What to say of an error that nobody expected: the machine's fault, or a defect of ours with its account."""
    system = as_system_error(error) if is_of_the_machine(error) else None
    if system is None:
        return ConsoleError("this is a defect of model-console itself", hint=f"its account is in {account()}")
    about = f": {system.filename}" if system.filename else ""
    return ConsoleError(f"the console cannot go on, because {why(system)}{about}", hint=hint(system))


def _outcome(argv: list[str], output: Output, screens: Screens) -> int:
    try:
        code = _dispatch(argv, output, screens)
        sys.stdout.flush()
        return code
    except ConsoleError as error:
        with suppress(OSError):
            output.error(error)
        return error.exit_code


def _dispatch(argv: list[str], output: Output, screens: Screens) -> int:
    parser = commands_parser()
    names = command_names(parser)
    asked = argv[0] if argv else ""
    if asked in names or asked in _ABOUT:
        return _command(parser.parse_args(argv), output, screens)
    found, _ = console_parser().parse_known_args(argv)
    if found.store in names and "--" not in argv:
        at = argv.index(found.store)
        return _command(parser.parse_args([found.store, *argv[:at], *argv[at + 1 :]]), output, screens)
    arguments = console_parser().parse_args(argv)
    return _open(arguments.store, arguments, screens)


def _command(arguments: argparse.Namespace, output: Output, screens: Screens) -> int:
    if arguments.command == "demo":
        from console.cli.demo import demo_store

        store = demo_store(arguments.build_only, output)
        return 0 if arguments.build_only else _open(str(store), arguments, screens)
    if arguments.command == "completion":
        from console.cli.completion import HINT, script

        print(script(commands_parser(), arguments.shell))
        output.say(HINT)
        return 0
    from pkgutil import resolve_name

    from console.cli.opening import run as run_command

    return run_command(resolve_name(f"console.cli.{arguments.run}"), arguments, output)


def _open(store: str, arguments: argparse.Namespace, screens: Screens) -> int:
    from console.store.roots import place_of

    named = {name: getattr(arguments, name) for name in ("read_only", "mouse", "ascii", "theme", "fps")}
    settings = replace(load_settings(), **{name: value for name, value in named.items() if value is not None})
    root = place_of(store).root
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Usage("the console needs a terminal", hint="without one, use a command: model-console ls --json")
    os.environ["TEXTUAL_FPS"] = str(settings.fps)
    os.environ.setdefault("ESCDELAY", "25")
    return screens(root, settings)
