"""Attributes of fitted objects, which may be properties that raise."""

from __future__ import annotations

from typing import Any


def attribute(model: Any, name: str) -> Any:
    """An attribute that may be a property that raises; None when there is none."""
    try:
        return getattr(model, name, None)
    except Exception:
        return None
