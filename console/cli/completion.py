"""`completion bash|zsh`: the completion script of these very commands."""

from __future__ import annotations

import argparse

import shtab

from console.cli.parser import Parser

HINT = 'bash: eval "$(model-console completion bash)"   zsh: model-console completion zsh > ~/.zfunc/_model-console'

_FILES = {"zsh": "_files"}
_DIRECTORIES = {"zsh": "_files -/"}
_PATHS = dict.fromkeys(("ARTIFACT", "ARTIFACT|STORE", "FILE", "STORE"), _FILES) | {"DIR": _DIRECTORIES}
"""How zsh completes what an argument is called; bash completes file names where nothing else fits, spaces and all."""
_WORDS = {"show|verify": ("show", "verify")}


def script(parser: Parser, shell: str) -> str:
    """The script for one shell, made from the parser, which is no good for anything else after that."""
    for one in (parser, *parser.commands().values()):
        for action in one._actions:
            _complete(action)
    return _with_files(str(shtab.complete(parser, shell)))


def _complete(action: argparse.Action) -> None:
    name = action.metavar if isinstance(action.metavar, str) else ""
    if name in _PATHS:
        action.complete = _PATHS[name]  # type: ignore[attr-defined]
    if name in _WORDS:
        action.choices = _WORDS[name]


def _with_files(text: str) -> str:
    """The script with file names where no word of ours fits: in bash readline's own, in zsh beside the commands."""
    text = text.replace("complete -o bashdefault ", "complete -o bashdefault -o default ")
    return text.replace("commands' _commands\n", "commands' _commands\n  _files -/\n")
