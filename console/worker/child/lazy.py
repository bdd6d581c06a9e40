"""Libraries that are imported when they are first used: not every child needs them, nor has its interpreter."""

from __future__ import annotations

import importlib
from typing import Any


class _Lazy:
    """Stands for a module that is imported when one of its names is asked for. Raises ImportError then."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        found = getattr(importlib.import_module(self._module), name)
        setattr(self, name, found)
        return found


numpy: Any = _Lazy("numpy")
metrics: Any = _Lazy("sklearn.metrics")
