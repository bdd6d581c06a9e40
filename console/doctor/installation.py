"""Whether another distribution's files lie in the modules that are ours: PyPI has more than one `console`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from console.records import Json

__all__ = ["installation", "intruders"]

OURS = ("console", "backends", "sample_models")
_NAME = "model-console"
_WAY_OUT = "install model-console into an environment of its own: uv tool install, pipx install, or a fresh venv"


def installation() -> dict[str, Json]:
    """Where the console's modules lie, whose files lie in them, and what helps where those are others'."""
    found: dict[str, Json] = {"modules": str(Path(__file__).parents[2])}
    others = intruders(metadata.distributions())
    found["foreign_files"] = [*others] or "none"
    if others:
        found["next_step"] = _WAY_OUT
    return found


def intruders(distributions: Iterable[metadata.Distribution]) -> list[str]:
    """`rich-console 1.2 has 14 files in console/`, for each other distribution that was installed into our modules."""
    told = []
    for one in distributions:
        name = one.metadata["Name"] or "a distribution without a name"
        if name.lower().replace("_", "-") == _NAME:
            continue
        counts = Counter(path.parts[0] for path in one.files or () if len(path.parts) > 1 and path.parts[0] in OURS)
        told += [
            f"{name} {one.version} has {count} file{'s' * (count != 1)} in {module}/"
            for module, count in counts.items()
        ]
    return sorted(told)
