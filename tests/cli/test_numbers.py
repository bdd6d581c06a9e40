"""Numbers and names on the command line, each within its bounds."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import pytest

from console.cli.parser import commands_parser, console_parser
from tests.cli.running import Run


def numeric_options() -> Iterator[Any]:
    """Every option of the command line that takes a number."""
    parser = commands_parser()
    choices = next(one.choices for one in parser._actions if isinstance(one, argparse._SubParsersAction))
    for command, sub in {**choices, "": console_parser()}.items():
        for action in sub._actions:
            if action.type is not None and "_number" in getattr(action.type, "__qualname__", ""):
                yield pytest.param(command, action.option_strings[-1], id=f"{command} {action.option_strings[-1]}")


@pytest.mark.parametrize(("command", "option"), numeric_options())
def test_every_number_of_the_command_line_has_bounds(command: str, option: str, run: Run) -> None:
    for value in ("-1", "nan", "inf", "-inf", "x", "", "1e999", "9" * 5000):
        done = run(*filter(None, (command, "." if command != "demo" else "", f"{option}={value}")))
        assert done.code == 2
        assert f"argument {option}: must {'be a ' if value else 'not be empty'}" in done.err
        assert "hint: see model-console " in done.err
        assert "\\x0a" not in done.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("demo", "--theme", "nord"), "'nord' is no choice: it is one of console-dark, console-light, ansi-dark"),
        (("--theme", "ansidark", "."), "'ansidark' is no choice: did you mean ansi-dark?"),
        (("--fps", "0", "."), "--fps: must be a whole number from 1 to 240, not '0'"),
        (("probe", "x", "--seconds", "0"), "--seconds: must be a number, more than 0, not '0'"),
        (("probe", "x", "--batch", "0"), "--batch: must be a whole number, 1 or more, not '0'"),
        (("predict", "x", "--rows", "-5"), "--rows: must be a whole number, 1 or more, not '-5'"),
        (("rollback", "x", "--to", "0"), "--to: must be a whole number, 1 or more, not '0'"),
        (("convert", "x", "--to", "onnx"), "--to: 'onnx' is no choice: it is one of pickle, joblib, skops, hdf5"),
        (("inspect", ".", "--at", "model"), "--at picks one model of a file, and this is a directory"),
    ],
)
def test_what_cannot_be_said_is_a_usage_error(words: tuple[str, ...], sentence: str, run: Run) -> None:
    done = run(*words)
    assert done.code == 2
    assert sentence in done.err
