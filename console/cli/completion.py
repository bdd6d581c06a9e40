"""`completion bash|zsh`: the completion script of these very commands."""

from __future__ import annotations

import argparse

import shtab

from console.cli.parser import Parser
from console.screen_table import OF_MODEL, OF_STORE

HINT = 'bash: eval "$(model-console completion bash)"   zsh: model-console completion zsh > ~/.zfunc/_model-console'

_FILES = {"zsh": "_files"}
_DIRECTORIES = {"zsh": "_files -/"}
_PATHS = dict.fromkeys(("ARTIFACT", "ARTIFACT|STORE", "FILE", "STORE"), _FILES) | {"DIR": _DIRECTORIES}
"""How zsh completes what an argument is called; bash completes file names where nothing else fits, spaces and all."""
_WORDS = {
    "show|verify": ("show", "verify"),
    "add|list|revoke": ("add", "list", "revoke"),
    "SCREEN": (*OF_STORE, *(f"{name}:" for name in OF_MODEL)),
    "KEY=VALUE": (
        *("sep=", "sep=,", "sep=;", "sep=|", "decimal=", "decimal=,", "decimal=.", "header=", "header=true"),
        *("header=false", "missing=", "encoding=", "encoding=utf-8", "encoding=utf-16", "encoding=latin-1"),
        "encoding=cp1252",
    ),
}
"""Words for what is completed without being all that may be said; one that ends in a sign goes on behind it."""
_GO_ON = ("=", ":")

_BASH = r"""
_model_console() {
  # readline parts words at = and :, where ours go on
  local -a whole=()
  local at=0 index=0 glue= word begun before
  for word in "${COMP_WORDS[@]}"; do
    if [[ $word == [=:] && ${#whole[@]} -gt 0 && ${whole[-1]} == --* && -z $glue ]]; then
      whole+=("") glue=yes
    elif [[ ( $word == [=:] || -n $glue ) && ${#whole[@]} -gt 0 ]]; then
      whole[-1]+=$word
      [[ $word == [=:] ]] && glue=yes || glue=
    else
      whole+=("$word") glue=
    fi
    (( index == COMP_CWORD )) && at=$(( ${#whole[@]} - 1 ))
    (( index += 1 ))
  done
  local -a COMP_WORDS=("${whole[@]}")
  local COMP_CWORD=$at
  _shtab_model_console "$@"
  begun=${COMP_WORDS[COMP_CWORD]}
  before=${begun%"${begun##*[=:]}"}
  for index in "${!COMPREPLY[@]}"; do
    [[ -n $before && $COMP_WORDBREAKS == *[=:]* ]] && COMPREPLY[index]=${COMPREPLY[index]#"$before"}
    [[ -z ${COMPREPLY[index]} ]] && unset "COMPREPLY[index]" && continue
    [[ ${COMPREPLY[index]} == *[=:] ]] && compopt -o nospace
    [[ ${COMPREPLY[index]} == *[\;\|]* ]] && printf -v "COMPREPLY[index]" %q "${COMPREPLY[index]}"
  done
  return 0
}
"""


def script(parser: Parser, shell: str) -> str:
    """The script for one shell, made from the parser, which is no good for anything else after that."""
    for one in (parser, *parser.commands().values()):
        for action in one._actions:
            _complete(action, shell)
    functions = _BASH if shell == "bash" else "\n".join(_zsh(name, words) for name, words in _WORDS.items())
    return _with_files(str(shtab.complete(parser, shell, preamble=functions)))


def _complete(action: argparse.Action, shell: str) -> None:
    name = action.metavar if isinstance(action.metavar, str) else ""
    if name in _PATHS:
        action.complete = _PATHS[name]  # type: ignore[attr-defined]
    if name in _WORDS and shell == "zsh":
        action.complete = {shell: _function(name)}  # type: ignore[attr-defined]
    elif name in _WORDS:
        action.choices = _WORDS[name]


def _function(name: str) -> str:
    return "_model_console_" + "".join(char for char in name.casefold() if char.isalpha())


def _zsh(name: str, words: tuple[str, ...]) -> str:
    """A function that offers words, after some of which no blank is put."""
    ended = " ".join(f"'{word}'" for word in words if not word.endswith(_GO_ON))
    open_ended = " ".join(f"'{word}'" for word in words if word.endswith(_GO_ON))
    also = f"  compadd -S '' -- {open_ended}\n" if open_ended else ""
    return f"{_function(name)}() {{\n  compadd -- {ended}\n{also}}}\n"


def _with_files(text: str) -> str:
    """The script with file names where no word of ours fits: in bash readline's own, in zsh beside the commands."""
    text = text.replace(
        "complete -o bashdefault -F _shtab_model_console", "complete -o bashdefault -o default -F _model_console"
    )
    return text.replace("commands' _commands\n", "commands' _commands\n  _files -/\n")
