"""The memory that a model inside a directory or an archive takes."""

from __future__ import annotations

from dataclasses import replace

from backends.core.descriptors import built_in
from backends.core.footprint import MB, Footprint
from backends.core.inspection import Inspection

_READERS = 4 * MB
"""Readers of archives and of what stands beside the model."""


def of_inner(found: Inspection, size: int) -> Footprint:
    """The footprint of the model in a layout, reckoned as its own format does; a wide one where that is not known."""
    inner = found.details.get("model format")
    reckon = next((one.footprint for one in built_in() if one.name == inner), None)
    if reckon is None:
        return Footprint(200 * MB, 50 * MB, 2 * size, spread=0.8, between=0.8)
    told = reckon(found, size)
    return replace(told, fresh=told.fresh + _READERS, forked=told.forked + _READERS, mapped=0)
