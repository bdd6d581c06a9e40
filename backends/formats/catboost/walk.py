"""A whole CatBoost file, walked: its core, its trees, and the statistics of categories behind it.

Layout: `TFullModel::Save` of CatBoost 1.2, catboost/libs/model/model.cpp: the mark, the size of the core, the core as a
flat buffer, then the parts that the core names.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Optional

from backends.core.errors import Damaged
from backends.core.findings import finding
from backends.core.inspection import Finding
from backends.core.source import Part, Source
from backends.formats.catboost.core import Core, Table, UncheckedError
from backends.formats.catboost.features import ESTIMATED, Bins, Column, bins_of, columns_of
from backends.formats.catboost.statistics import read_statistics
from backends.formats.catboost.trees import Trees, read_trees

_VERSION = "FlabuffersModel_v1"
_START = 8
_STATISTICS = "static_provider_v1"
_MOST_DIMENSIONS = 65_536
_TAG = re.compile(r"tags/v(\d+(?:\.\d+)+)")


@dataclass
class Walked:
    """The facts of one file. `unchecked` is what was not looked at, so that it is not run."""

    width: int = 1
    info: dict[str, str] = field(default_factory=dict)
    columns: list[Column] = field(default_factory=list)
    bins: Optional[Bins] = None
    trees: Optional[Trees] = None
    parts: tuple[str, ...] = ()
    unchecked: Optional[Finding] = None

    @property
    def version(self) -> Optional[str]:
        """The release that wrote it, where it tells one."""
        found = _TAG.search(self.info.get("catboost_version_info", ""))
        return found[1] if found else None

    def told(self, name: str) -> dict[str, Any]:
        """Words of the file under this name, empty where it has none. Raises Damaged."""
        try:
            found = json.loads(self.info.get(name) or "{}")
        except (ValueError, RecursionError):
            raise Damaged(f"'{name}' of the model is not valid JSON") from None
        if not isinstance(found, dict):
            raise Damaged(f"'{name}' of the model is no object")
        return found


def walk(source: Source) -> Walked:
    """The facts of a file that CatBoost can follow, or what of it was not checked. Raises Damaged, OSError."""
    size = int.from_bytes(source.read(4, 4), "little")
    if source.size < _START or size > source.size - _START:
        raise Damaged(f"a core of {size:,} bytes is announced, and the file has {source.size:,}", offset=4)
    core = Part(source, _START, size)
    found = Walked()
    try:
        _read_core(found, core)
        _read_parts(found, source, _START + size)
    except UncheckedError as error:
        found.unchecked = finding(error.code, str(error))
    except Damaged as error:
        raise Damaged(str(error), offset=None if error.offset is None else error.offset + _START) from None
    return found


def _read_core(found: Walked, core: Part) -> None:
    root = Core(core).root()
    if root.text(0) != _VERSION:
        raise Damaged(f"a core in the layout {root.text(0)[:40]!r}, where CatBoost reads {_VERSION!r}")
    _read_info(found, root)
    found.parts = tuple(root.texts(3))
    trees = root.table(1)
    if trees is None:
        raise Damaged("a model without trees")
    found.width = trees.number(0, "i")
    if not 1 <= found.width <= _MOST_DIMENSIONS:
        raise Damaged(f"answers of {found.width} numbers", offset=trees.position)
    found.columns = columns_of(trees)
    found.bins = bins_of(trees, found.columns)
    others = [part for part in found.parts if part != _STATISTICS]
    if others or trees.length(ESTIMATED, 4):
        raise UncheckedError("features made of texts or embeddings are not checked here: not run", "unknown-field")
    found.trees = read_trees(trees, found.bins.packed, found.width)


def _read_info(found: Walked, root: Table) -> None:
    for table in root.tables(2):
        name = table.text(0)[:200]
        if not name or name in found.info or table.vector(1, 1) is None:
            raise Damaged("a line of the model's information without its name or value", offset=table.position)
        found.info[name] = table.text(1)
    for name in ("params", "class_params"):
        found.told(name)


def _read_parts(found: Walked, source: Source, end: int) -> None:
    """Statistics where they are told, and nothing behind them. Raises Damaged, UncheckedError, OSError."""
    needed = {} if found.bins is None else found.bins.needed
    if len(found.parts) > 1:
        raise Damaged("the statistics stand there twice", offset=0)
    try:
        end = read_statistics(source, end, needed) if found.parts else end
    except Damaged as error:
        raise Damaged(str(error), offset=None if error.offset is None else error.offset - _START) from None
    if needed and not found.parts:
        raise Damaged("features of statistics, and the file has no statistics", offset=end - _START)
    if end != source.size:
        raise Damaged(f"{source.size - end:,} bytes behind the end of the model", offset=end - _START)
