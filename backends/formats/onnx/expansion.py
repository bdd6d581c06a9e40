"""How many nodes a graph unfolds to once the functions of the model are put in their places, as a runtime does."""

from __future__ import annotations

from collections import Counter
from typing import Optional

from backends.formats.onnx.facts import Operator

__all__ = ["expanded"]

_MOST = 10_000_000
_DEPTH = 100


class _Endless(Exception):
    """A function that calls itself, or calls that are nested too deep."""


def expanded(calls: Counter[Operator], functions: dict[Operator, Counter[Operator]]) -> Optional[str]:
    """Why the graph cannot be unfolded within bounds; None where it can."""
    known: dict[Operator, int] = {}

    def size(called: Counter[Operator], depth: int) -> int:
        if depth > _DEPTH:
            raise _Endless
        return sum(number * _of(operator, depth) for operator, number in called.items())

    def _of(operator: Operator, depth: int) -> int:
        if operator not in functions:
            return 1
        if operator not in known:
            known[operator] = size(functions[operator], depth + 1)
        return known[operator]

    try:
        total = size(calls, 0)
    except _Endless:
        return f"its functions call themselves, or one another more than {_DEPTH} levels deep"
    return f"its functions unfold to {total:.3g} nodes" if total > _MOST else None
