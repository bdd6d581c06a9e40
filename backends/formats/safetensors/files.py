"""Inspection of safetensors: one file, or an index with its shards. Nothing in them can run."""

from __future__ import annotations

from collections.abc import Mapping

from backends.core.findings import finding
from backends.core.inspection import Inspection, Json
from backends.core.source import Source
from backends.core.strict_json import OverBudgetError
from backends.formats.safetensors.header import Header, read_header
from backends.formats.safetensors.shards import read_shards

_METADATA_TOLD = 100


def inspect(source: Source) -> Inspection:
    """The tensors of one file. Raises Damaged, OSError."""
    try:
        return _inspection(read_header(source), {})
    except OverBudgetError as error:
        return _not_read(error)


def inspect_directory(members: Mapping[str, Source]) -> Inspection:
    """The tensors of all shards, which are just those that the index names. Raises Damaged, OSError."""
    try:
        header, shards = read_shards(members)
    except OverBudgetError as error:
        return _not_read(error)
    return _inspection(header, {"shards": shards})


def _not_read(error: OverBudgetError) -> Inspection:
    return Inspection("safetensors", loadable=False, findings=(finding("limit", str(error), 0),))


def _inspection(header: Header, details: dict[str, Json]) -> Inspection:
    told: dict[str, Json] = dict(list(header.metadata.items())[:_METADATA_TOLD])
    if header.counts:
        details["parameters by dtype"] = dict(sorted(header.counts.items()))
    if told:
        details["metadata"] = told
    return Inspection(
        "safetensors",
        arrays=header.tensors,
        n_weights=sum(header.counts.values()),
        complete=True,
        loadable=False,
        details=details,
    )
