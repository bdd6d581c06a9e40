"""Inspection of safetensors: one file, or an index with its shards. Nothing in them can run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

from backends.core.counted import counted
from backends.core.findings import finding
from backends.core.inspection import Finding, Inspection, Json
from backends.core.numbers import numbers
from backends.core.source import Source
from backends.core.strict_json import OverBudgetError
from backends.formats.safetensors.header import WORDS, Header, read_header
from backends.formats.safetensors.shards import read_shards
from backends.formats.safetensors.write import write_tensors

__all__ = ["arrays", "inspect", "inspect_directory", "write_tensors"]

_METADATA_TOLD = 100


def inspect(source: Source) -> Inspection:
    """The tensors of one file. Raises Damaged, OSError."""
    try:
        return _inspection(read_header(source), {})
    except OverBudgetError as error:
        return _not_read(error)


def arrays(source: Source) -> Iterator[tuple[str, Any]]:
    """The tensors of one file in the order of their bytes. Raises Damaged, OverBudgetError, OSError."""
    header = read_header(source)
    at = source.size - sum(tensor.bytes for tensor in header.tensors)
    for tensor in header.tensors:
        dtype = WORDS.get(tensor.dtype, "")
        found = numbers(source, at, prod(tensor.shape), dtype)
        at += tensor.bytes
        if found is not None:
            yield tensor.name, found


def inspect_directory(members: Mapping[str, Source]) -> Inspection:
    """The tensors of all shards, which are just those that the index names. Raises Damaged, OSError."""
    try:
        shards = read_shards(members)
    except OverBudgetError as error:
        return _not_read(error)
    missing = tuple(
        finding("truncated", f"the shard {name[:200]} is missing: {len(shards.missing)} of {shards.named} are")
        for name in shards.missing[:1]
    )
    return _inspection(shards.header, {"shards": shards.named}, missing)


def _not_read(error: OverBudgetError) -> Inspection:
    return Inspection("safetensors", loadable=False, findings=(finding("limit", str(error), 0),))


def _inspection(header: Header, details: dict[str, Json], found: tuple[Finding, ...] = ()) -> Inspection:
    told: dict[str, Json] = dict(list(header.metadata.items())[:_METADATA_TOLD])
    if header.counts:
        details["parameters by dtype"] = dict(sorted(header.counts.items()))
    if told:
        details["metadata"] = told
    return Inspection(
        "safetensors",
        arrays=header.tensors,
        n_weights=sum(header.counts.values()),
        complete=not found,
        loadable=False,
        findings=found,
        details=details,
        summary=_summary(header),
    )


def _summary(header: Header) -> str:
    """How many numbers there are, and of which types: "22.7M F32"."""
    most = sorted(header.counts, key=lambda dtype: -header.counts[dtype])[:2]
    return f"{counted(sum(header.counts.values()))} {', '.join(most)}" if most else ""
