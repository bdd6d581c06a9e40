"""Settings are acted on: every key of settings, recipe and policy and every option has a reader."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from console import config
from console.cli.parser import commands_parser, console_parser
from console.errors import UsageError
from console.recipes import recipe
from console.trust import policy, policy_file
from console.trust.roles import Role
from console.ui.themes import THEMES
from console.validation import Record
from tests.readers import CONSOLE, CommandLine, constants_in, methods_of, reads_outside, tree_of

Table = tuple[type[Any], frozenset[str]]
"""A table of a file, and the names its value goes by in the code."""

READS_A_RECIPE = ("recipe", "of", "or_default", "_written", "_recipe", "read_recipe")


def tables(cls: type[Any], *names: str, place: str = "") -> Iterator[Table]:
    """A table with those within it; what nothing acts on yet is told instead and left out here."""
    yield cls, frozenset(names)
    hints = get_type_hints(cls)
    for name, hint in hints.items():
        for kind in (hint, *get_args(hint)):
            if isinstance(kind, type) and issubclass(kind, Record) and f"{place}{name}" not in recipe.NOT_ACTED_ON:
                yield from tables(kind, name, "settings", place=f"{place}{name}.")


def keys_of(file: str, *found: Table) -> list[Any]:
    """A parameter a key: the file that defines it, the names its table goes by, and the key's name."""
    return [
        pytest.param(CONSOLE / file, names, name, id=f"{cls.__name__}.{name}")
        for cls, names in found
        for name in get_type_hints(cls)
        if not any(name == place.rpartition(".")[2] for place in recipe.NOT_ACTED_ON)
    ]


KEYS = [
    *keys_of("config.py", *tables(config.Settings, "settings")),
    *keys_of("recipes/recipe.py", *tables(recipe.Recipe, *READS_A_RECIPE)),
    *keys_of(
        "trust/policy_file.py",
        *(one for one in tables(policy_file.PolicyFile, "file", "mine", "theirs") if one[0] is not policy_file.Roles),
    ),
    *keys_of("trust/policy.py", (policy.Policy, frozenset(("policy",)))),
]


@pytest.mark.parametrize(("module", "names", "key"), KEYS)
def test_every_key_has_a_reader(module: Path, names: frozenset[str], key: str) -> None:
    """It is read outside of its own file, or by a method there that is called outside of it."""
    outside = reads_outside(module)
    called = {attribute for _base, attribute in outside}
    within = {read for method, reads in methods_of(module) for read in reads if method in called}
    tables = names | {f"_{name}" for name in names}
    read = {attribute for base, attribute in outside if base in tables}
    read |= {attribute for base, attribute in within if base in tables | {"self"}}
    assert key in read, f"nothing acts on {key}"


def test_a_policy_names_groups_for_each_role() -> None:
    assert [*get_type_hints(policy_file.Roles)] == [role.word for role in Role if role is not Role.NONE]


def options() -> Iterator[Any]:
    """A parameter an option or argument of a command: the function that does it, and the option's name."""
    parser = commands_parser()
    choices = next(one.choices for one in parser._actions if isinstance(one, argparse._SubParsersAction))
    commands = {name: (sub, sub.get_default("run") or "main:_command") for name, sub in choices.items()}
    for name, (sub, run) in {**commands, "": (console_parser(), "main:_dispatch")}.items():
        for action in sub._actions:
            if action.dest not in ("help", "json"):
                yield pytest.param(run.partition(":")[2], action.dest, id=f"{name} {action.dest}")


LINE = CommandLine()


@pytest.mark.parametrize(("function", "option"), options())
def test_every_option_has_a_reader(function: str, option: str) -> None:
    assert option in LINE.arguments_of(function), f"{function} does not look at {option}"


def test_json_is_looked_for_before_anything_else() -> None:
    assert "--json" in constants_in(tree_of(CONSOLE / "cli/main.py"))


@pytest.mark.parametrize("table", recipe.NOT_ACTED_ON)
def test_what_nothing_acts_on_yet_is_told(table: str, tmp_path: Path) -> None:
    path = tmp_path / "m.recipe.toml"
    path.write_text(f"[{table}]\n")
    (note,) = recipe.read_recipe(path).notes
    assert note.startswith(f"[{table}] is not acted on: ")


def test_the_keys_of_the_settings_are_checked_against_the_action_table() -> None:
    """Names that the table does not know are no settings, and all that it knows are."""
    from console.ui.keymap import checked
    from console.ui.keys import BY_ID

    written = config.Settings(keys={name: ("\u00f6",) for name in BY_ID if name == "load"})
    assert checked(written.keys) == {"load": ("\u00f6",)}
    with pytest.raises(UsageError):
        checked({"nothing-of-the-table": ("L",)})


def test_the_themes_of_the_settings_are_those_there_are() -> None:
    assert tuple(THEMES) == config.THEME_NAMES
