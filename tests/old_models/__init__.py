"""Models that older versions of scikit-learn saved, and what they answered there (see make_old_models.py)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["OldModel", "old_models"]

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class OldModel:
    """One file, the versions that wrote it, the rows it was asked with their truth, and its answers by method."""

    path: Path
    version: str
    name: str
    columns: list[str]
    rows: list[list[Any]]
    truth: list[int]
    answers: dict[str, list[Any]]
    versions: dict[str, str]


def old_models() -> list[OldModel]:
    """Every model kept here, by version and name."""
    return [_read(told) for told in sorted(HERE.glob("*/*.json"))]


def _read(told: Path) -> OldModel:
    [path] = [other for other in told.parent.glob(f"{told.stem}.*") if other != told]
    said = json.loads(told.read_text("utf-8"))
    versions = {library: said[library] for library in ("scikit-learn", "numpy")}
    given = {key: said[key] for key in ("columns", "rows", "truth", "answers")}
    return OldModel(path=path, version=told.parent.name, name=told.stem, versions=versions, **given)
