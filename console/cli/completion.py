"""`completion bash|zsh`: the completion script of these very commands."""

from __future__ import annotations

import argparse

import shtab

HINT = 'bash: eval "$(model-console completion bash)"   zsh: model-console completion zsh > ~/.zfunc/_model-console'


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The script for one shell, made from the parser."""
    return str(shtab.complete(parser, shell))
