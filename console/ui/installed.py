"""Versions of the libraries beside the console, read from their metadata: nothing is imported but what reads that."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from functools import lru_cache

from console.library_versions import TOLD

_known: dict[str, str] = {}


@lru_cache(maxsize=64)
def installed(name: str) -> str | None:
    """The version of a library, by its import name or its distribution's; None where it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    if name == "python":
        return platform.python_version()
    try:
        return version("scikit-learn" if name == "sklearn" else name)
    except (PackageNotFoundError, ValueError):
        return None


def known() -> Mapping[str, str]:
    """The versions that answers depend on, as far as they were looked up: for who cannot wait for the disk."""
    return _known


def look() -> None:
    """Look them up, in a thread."""
    _known.update({name: found for name in TOLD if (found := installed(name)) is not None})
