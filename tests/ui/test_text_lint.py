"""Text reaches a widget as Content of ours or through `safe`: read from the source, so that no screen is forgotten."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

UI = Path(__file__).parents[2] / "console" / "ui"
FILES = sorted(UI.rglob("*.py"))
FORBIDDEN = frozenset("from_markup add_row add_column add_option RichLog DataTable OptionList Label".split())  # noqa: SIM905
"""Calls that take strings for markup, or for cells of their own."""
SHOWING = frozenset("Content styled assemble Static Button paragraph ConfirmScreen cut_middle".split())  # noqa: SIM905
"""Calls whose strings are shown as they are."""
ATTRIBUTES = {"border_title", "border_subtitle", "tooltip"}
HARMLESS = frozenset(
    """safe sign glyph padded size milliseconds ago span clock number count short_class class_words joined cut
    cut_middle value_text answer_text shown_keys key_for len round sum role_style rate""".split()  # noqa: SIM905
)
"""Functions whose answer is made of our own words or has been through `safe`."""
NUMBERS = frozenset(
    """version calls restarts state pid rows done total rate batch count n_features outputs on_change policy id line
    role _place""".split()  # noqa: SIM905
)
"""Fields of records that are numbers, enumerations or words of the console's own."""


def name_of(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def raw_parts(node: ast.expr) -> Iterator[ast.expr]:
    """Parts of an f-string that are neither numbers in a format, nor calls known to be harmless, nor plain names."""
    for part in ast.walk(node):
        if isinstance(part, ast.FormattedValue):
            value = part.value
            if part.format_spec is not None or isinstance(value, (ast.Constant, ast.Name, ast.BinOp, ast.IfExp)):
                continue
            if not harmless(value):
                yield value


def strings(value: ast.expr) -> Iterator[ast.expr]:
    if isinstance(value, (ast.JoinedStr, ast.Constant)):
        yield value


def harmless(value: ast.expr) -> bool:
    """Whether a part is the answer of a harmless function, cut or trimmed at most."""
    if isinstance(value, ast.Subscript):
        return harmless(value.value)
    if not isinstance(value, ast.Call):
        return False
    return name_of(value.func) in HARMLESS or (isinstance(value.func, ast.Attribute) and harmless(value.func.value))


def offences(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = name_of(node.func)
            if called in FORBIDDEN:
                yield node.lineno, f"{called} is not used here"
            if called == "notify" and not any(
                one.arg == "markup" and isinstance(one.value, ast.Constant) and one.value.value is False
                for one in node.keywords
            ):
                yield node.lineno, "notify without markup=False"
            if called in SHOWING:
                shown = [*node.args, *(one.value for one in node.keywords)]
                yield from ((node.lineno, ast.unparse(raw)) for one in shown for raw in raw_parts(one))
        elif isinstance(node, ast.Assign) and any(name_of(target) in ATTRIBUTES for target in node.targets):
            yield from ((node.lineno, "a string is markup here: give it a Content") for _ in strings(node.value))


def allowed(raw: str) -> bool:
    """Fields that hold no text from outside, spelled out."""
    return raw.rpartition(".")[2] in NUMBERS


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(UI)))
def test_no_raw_text_is_shown(path: Path) -> None:
    found = [(line, what) for line, what in offences(ast.parse(path.read_text("utf-8"))) if not allowed(what)]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "frame.border_title = f'{path}'",
        "Content(f'{row.path} is here')",
        "Static(f'{failure.message}')",
        "app.notify(words)",
        "app.notify(words, markup=True)",
        "Content.from_markup(words)",
        "table.add_row(name)",
        "paragraph(f'accepted: {judged.pinned}', width)",
    ],
)
def test_what_would_be_raw_is_found(source: str) -> None:
    assert [what for _, what in offences(ast.parse(source)) if not allowed(what)]
