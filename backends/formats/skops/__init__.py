"""skops: a zip archive of a tree of classes as JSON, and the arrays in it as numpy files; nothing in it is a pickle."""

from __future__ import annotations

from typing import Optional

from backends.core.containers import is_zip
from backends.core.footprint import MB, Footprint
from backends.core.format import Format
from backends.core.inspection import Inspection

_MEMBERS = (b"schema.json", b".npy", b".npz", b".bin")


def _holds_tree(head: bytes, size: Optional[int]) -> bool:
    """Whether what stands at the start of such an archive is there: one of its arrays, or the tree."""
    return is_zip(head) and any(member in head for member in _MEMBERS)


def _footprint(found: Inspection, size: int) -> Footprint:
    """The memory of fitted estimators, and of the tree of classes that is read from JSON."""
    from backends.estimators.footprint import of_estimators

    return of_estimators(found, size, fresh=22 * MB, forked=29 * MB, arrays=1.22, rest=6.0)


FORMATS = (
    Format(
        name="skops",
        suffix=".skops",
        implementation="backends.formats.skops.archive",
        title="a skops file",
        promises=(".skops",),
        starts=is_zip,
        worth=_holds_tree,
        order=29,
        convertible=True,
        not_loadable="not all of it can be read here, and skops would build what was not seen: save the model again",
        adapter="backends.estimators.estimator:Estimator",
        footprint=_footprint,
        extra="skops",
    ),
)
