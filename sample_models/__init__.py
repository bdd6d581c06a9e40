"""The demo store: models, data and recipes built once from what scikit-learn ships, the same each time.

This module is all the console imports of it: where the store is, and whether it is the one this release builds. The
building runs in a process of its own (`python -m sample_models DIR`), since it needs numpy and scikit-learn.
"""

from __future__ import annotations

from pathlib import Path

VERSION = "1"
"""Raised with each change of what is built, so that an older demo store is built anew."""

MARK = ".demo-store"


def is_current(directory: Path) -> bool:
    """Whether a complete demo store of this release stands in `directory`."""
    try:
        return (directory / MARK).read_text("utf-8").strip() == VERSION
    except (OSError, UnicodeDecodeError):
        return False
