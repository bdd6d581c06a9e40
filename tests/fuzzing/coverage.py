"""Which steps from line to line of the walk an input takes: what a corpus is chosen by."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, TypeVar

from backends.formats import pickle

__all__ = ["traced"]

Result = TypeVar("Result")
_ROOT = str(Path(pickle.__file__).parent)


def _watched(code: CodeType) -> bool:
    return code.co_filename.rpartition("/")[0] == _ROOT


class _Tracer:
    def __init__(self) -> None:
        self.steps: set[tuple[str, int, int]] = set()
        self._codes: dict[CodeType, Callable[[FrameType, str, Any], Any] | None] = {}

    def call(self, frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        if code not in self._codes:
            self._codes[code] = self._local(code) if _watched(code) else None
        return self._codes[code]

    def _local(self, code: CodeType) -> Callable[[FrameType, str, Any], Any]:
        add, name = self.steps.add, code.co_filename.rpartition("/")[2]
        last = 0

        def local(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal last
            if event == "line":
                line = frame.f_lineno
                add((name, last, line))
                last = line
            return local

        return local


def traced(function: Callable[[], Result]) -> tuple[Result, set[tuple[str, int, int]]]:
    """Call it; its result, and (file, line before, line) for each step inside the walk. Raises what it raises."""
    tracer = _Tracer()
    before = sys.gettrace()
    sys.settrace(tracer.call)
    try:
        result = function()
    finally:
        sys.settrace(before)
    return result, tracer.steps
