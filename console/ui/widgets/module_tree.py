"""The modules of a network as a tree: how many tensors, parameters and bytes lie in each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from math import prod

from textual.content import Content

from backends.core.counted import counted
from backends.core.inspection import ArrayInfo
from console.safe_text import safe
from console.ui import text
from console.ui.widgets.keyvalue import pairs

_FEWEST = 4
"""Tensors that are read as well in a list."""
_ROOM = 32
"""Lines that a tree may take: it is as deep as there is room for."""
_DEEPEST = 8


class _Module:
    """A module and what lies in it; `parts` are the modules in it by name."""

    __slots__ = ("bytes", "elements", "parts", "tensors")

    def __init__(self) -> None:
        self.tensors = self.elements = self.bytes = 0
        self.parts: dict[str, _Module] = {}

    @property
    def figures(self) -> tuple[int, int, int]:
        """Tensors, elements and bytes."""
        return self.tensors, self.elements, self.bytes


_Line = tuple[int, str, _Module]
"""How deep it stands, its name, and the module."""


def module_lines(arrays: Sequence[ArrayInfo], width: int) -> list[Content]:
    """A line for each module, those alike in one line; none where the names of tensors make no tree."""
    if len(arrays) < _FEWEST:
        return []
    root = _tree(arrays)
    lines: list[_Line] = []
    for depth in range(1, _DEEPEST + 1):
        deeper = list(_lines(root, depth))
        if len(deeper) > _ROOM or len(deeper) == len(lines):
            break
        lines = deeper
    return _table(lines, width) if len(lines) > 1 else []


def _tree(arrays: Sequence[ArrayInfo]) -> _Module:
    root = _Module()
    for array in arrays:
        elements = prod(array.shape)
        module = root
        _add(module, elements, array.bytes)
        for part in array.name.split(".", _DEEPEST)[:-1][:_DEEPEST]:
            module = module.parts.setdefault(part, _Module())
            _add(module, elements, array.bytes)
    return root


def _add(module: _Module, elements: int, size: int) -> None:
    module.tensors += 1
    module.elements += elements
    module.bytes += size


def _lines(module: _Module, depth: int, at: int = 0) -> Iterator[_Line]:
    """The modules down to a depth; numbered ones that hold as much have one line, a lone part stands with its whole."""
    for _, group in groupby(module.parts.items(), lambda pair: pair[1].figures if pair[0].isdigit() else pair[0]):
        alike = list(group)
        name, part = alike[0]
        while len(alike) == 1 and len(part.parts) == 1 and next(iter(part.parts.values())).figures == part.figures:
            inner, part = next(iter(part.parts.items()))
            name = f"{name}.{inner}"
        said = safe(name, 40)
        if len(alike) > 1:
            said = f"{said}{text.sign('…')}{safe(alike[-1][0], 20)}, {len(alike):,} alike"
        yield at, said, part
        if depth > 1:
            yield from _lines(part, depth - 1, at + 1)


def _table(lines: Sequence[_Line], width: int) -> list[Content]:
    figures = [(_tensors(module.tensors), counted(module.elements), text.size(module.bytes)) for _, _, module in lines]
    tensors, elements = (max(len(row[column]) for row in figures) for column in (0, 1))
    table = [
        (f"{'  ' * at}{name}", f"{row[0]:>{tensors}}  {row[1]:>{elements}}  {row[2]:>4}")
        for (at, name, _), row in zip(lines, figures, strict=True)
    ]
    return pairs(table, width)


def _tensors(number: int) -> str:
    """How many there are, with the word as wide for one as for many."""
    return f"{text.count(number, 'tensor')} " if number == 1 else text.count(number, "tensor")
