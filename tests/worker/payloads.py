"""Pickles that do what a test needs, and how a test waits for another process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

OpenFile = Callable[[bytes, str], int]
"""Writes bytes to a file of this name and opens it for reading."""
Load = Callable[[str], int]
"""Opens a pickle that evaluates an expression when it is loaded."""

MODEL = "type('Model', (), {'predict': lambda self, X: %s})()"


class Payload:
    """Pickles into a call of eval."""

    def __init__(self, expression: str) -> None:
        self.expression = expression

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return eval, (self.expression,)


def predicting(expression: str) -> str:
    """An expression for a model whose predict(X) gives the value of `expression`."""
    return MODEL % expression


async def until(condition: Callable[[], object]) -> None:
    """Let the event loop run until the condition holds; the test's own time limit ends it if it never does."""
    while not condition():  # noqa: ASYNC110 - what is waited for happens in another process
        await asyncio.sleep(0)
