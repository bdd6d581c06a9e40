"""The binary layout of XGBoost before 3.1: facts of its head and its trees; nothing runs it any more.

Layout: `LearnerModelParamLegacy`, `GBTreeModelParam` and `RegTree::Load` of XGBoost 1.7, in the byte order of x86.
"""

from __future__ import annotations

import struct

from backends.core.errors import Damaged
from backends.core.inspection import Inspection, Json, ModelEntry, Signature
from backends.core.source import Source

_CLASS = "xgboost.core.Booster"
_PARAMETERS, _GBTREE, _TREE = 136, 160, 148
_NODE = 20 + 16
_MOST_TREES, _MOST_NODES, _MOST_NAME, _MOST_TEXTS = 1 << 20, 1 << 24, 100, 1000


def inspect(source: Source) -> Inspection:
    """The facts of one file. Raises Damaged, OSError."""
    at = 4 if source.read(0, 4) == b"binf" else 0
    head = _taken(source, at, _PARAMETERS)
    _base_score, features, classes = struct.unpack_from("<fIi", head)
    major, minor = struct.unpack_from("<II", head, 20)
    objective, at = _name(source, at + _PARAMETERS)
    booster, at = _name(source, at)
    details: dict[str, Json] = {"objective": objective, "booster": booster, "classes": classes or None}
    if booster in ("gbtree", "dart"):
        trees, nodes, deepest, at = _trees(source, at)
        if booster == "dart":
            at = _listed(source, at, 4)
        details.update({"trees": trees, "nodes": nodes, "deepest": deepest})
        at = _attributes(source, at, head)
    version = f"{major}.{minor}" if major else ""
    return Inspection(
        "xgboost-binary",
        model_class=_CLASS,
        library_versions={"xgboost": version} if version else {},
        signature=Signature(features or None, outputs=max(classes, 1)),
        models=(ModelEntry("", _CLASS, version=version or None),),
        complete=at == source.size,
        loadable=False,
        details={name: value for name, value in details.items() if value not in (None, 0)},
        summary=f"GBDT {details.get('trees', 0):,} trees · {objective}" if "trees" in details else objective,
    )


def _trees(source: Source, at: int) -> tuple[int, int, int, int]:
    """How many trees and nodes there are, the depth of the deepest that is told, and where they end. Raises Damaged."""
    (count,) = struct.unpack_from("<i", _taken(source, at, _GBTREE))
    if not 0 <= count <= _MOST_TREES:
        raise Damaged(f"{count:,} trees are announced", offset=at)
    at, total, deepest = at + _GBTREE, 0, 0
    for number in range(count):
        _roots, nodes, _deleted, depth = struct.unpack_from("<4i", _taken(source, at, _TREE))
        if not 1 <= nodes <= _MOST_NODES:
            raise Damaged(f"tree {number} announces {nodes:,} nodes", offset=at)
        at += _TREE + nodes * _NODE
        if at > source.size:
            raise Damaged(f"cut off: tree {number} ends behind the file", offset=source.size)
        total, deepest = total + nodes, max(deepest, depth)
    _taken(source, at, 4 * count)
    return count, total, deepest, at + 4 * count


def _attributes(source: Source, at: int, head: bytes) -> int:
    """The end of the attributes and of the names of metrics, where the head tells of such. Raises Damaged."""
    attributes, metrics = struct.unpack_from("<ii", head, 12)
    for told, texts in ((attributes, 2), (metrics, 1)):
        if told:
            (count,) = struct.unpack("<Q", _taken(source, at, 8))
            if count > _MOST_TEXTS:
                raise Damaged(f"{count:,} attributes are announced", offset=at)
            at += 8
            for _ in range(count * texts):
                at = _listed(source, at, 1)
    return at


def _listed(source: Source, at: int, width: int) -> int:
    """The end of a list of things of so many bytes each, with their number before them. Raises Damaged."""
    (count,) = struct.unpack("<Q", _taken(source, at, 8))
    if count > source.size // width or at + 8 + count * width > source.size:
        raise Damaged(f"cut off: {count:,} values are announced", offset=at)
    return int(at + 8 + count * width)


def _name(source: Source, at: int) -> tuple[str, int]:
    (length,) = struct.unpack("<Q", _taken(source, at, 8))
    if length > _MOST_NAME:
        raise Damaged(f"a name of {length:,} bytes", offset=at)
    return _taken(source, at + 8, length).decode("ascii", "replace"), at + 8 + length


def _taken(source: Source, at: int, length: int) -> bytes:
    found = source.read(at, length)
    if len(found) < length:
        raise Damaged("cut off: the file ends within its head", offset=source.size)
    return found
