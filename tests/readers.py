"""Who reads what: attributes and options that the console's own code looks at, found by the syntax tree."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

CONSOLE = Path(__file__).resolve().parents[1] / "console"

Read = tuple[str, str]
"""The last name of what is looked into, and the attribute: `recipe.gate.metric` reads ("gate", "metric")."""


@cache
def tree_of(path: Path) -> ast.Module:
    """The syntax tree of one file."""
    return ast.parse(path.read_text("utf-8"))


def reads_in(tree: ast.AST) -> Iterator[Read]:
    """Every attribute that is read in a tree; the result of a call goes by the name of what was called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            base = node.value.func if isinstance(node.value, ast.Call) else node.value
            yield _last_name(base), node.attr


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


@cache
def reads_outside(module: Path) -> frozenset[Read]:
    """All that is read anywhere in the console but in this file."""
    return frozenset().union(*(_reads_of(path) for path in CONSOLE.rglob("*.py") if path != module))


@cache
def _reads_of(path: Path) -> frozenset[Read]:
    return frozenset(reads_in(tree_of(path)))


def methods_of(module: Path) -> Iterator[tuple[str, frozenset[Read]]]:
    """The attributes that each method or property of the classes in a file reads."""
    for cls in tree_of(module).body:
        if isinstance(cls, ast.ClassDef):
            yield from (
                (node.name, frozenset(reads_in(node))) for node in cls.body if isinstance(node, ast.FunctionDef)
            )


def constants_in(tree: ast.AST) -> set[str]:
    """The texts in a tree."""
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


class CommandLine:
    """The functions of the command line, and which arguments each looks at, by itself or in what it calls."""

    def __init__(self) -> None:
        self._own: dict[str, set[str]] = defaultdict(set)
        self._calls: dict[str, set[str]] = defaultdict(set)
        for path in (CONSOLE / "cli").glob("*.py"):
            for node in ast.walk(tree_of(path)):
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    self._take(node)

    def _take(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        own, called = self._own[function.name], self._calls[function.name]
        own |= {attribute for base, attribute in reads_in(function) if base == "arguments"}
        for node in ast.walk(function):
            if isinstance(node, ast.Call):
                called.add(_last_name(node.func))
                if _last_name(node.func) == "getattr" and ast.unparse(node.args[0]) == "arguments":
                    own |= constants_in(function)

    def arguments_of(self, function: str) -> set[str]:
        """The arguments a command looks at."""
        reached, waiting = {function}, [function]
        while waiting:
            new = self._calls.get(waiting.pop(), set()) & self._own.keys() - reached
            reached |= new
            waiting += new
        return set().union(*(self._own[name] for name in reached))
