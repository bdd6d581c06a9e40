"""The index of a sharded model and its shards, read as one: each tensor in just the shard that the index says.

The index is what `save_pretrained` of transformers writes: `metadata`, and `weight_map` from tensor to file name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from backends.core.errors import Damaged
from backends.core.inspection import ArrayInfo
from backends.core.source import Source
from backends.core.strict_json import OverBudgetError, check_budget, is_text, parse_object
from backends.formats.safetensors.header import Header, read_header

_INDEX = ".json"


class Shards(NamedTuple):
    """The tensors of the shards that are there, how many the index has `named`, and which of them are missing."""

    header: Header
    named: int
    missing: tuple[str, ...]


def read_shards(members: Mapping[str, Source]) -> Shards:
    """The tensors of all shards together.

    Raises Damaged with the name of the member or tensor that contradicts the rest, OverBudgetError, OSError.
    """
    index = next(name for name in members if name.endswith(_INDEX))
    weight_map = _weight_map(members[index], index)
    shards = sorted(name for name in members if name != index)
    named = set(weight_map.values())
    absent = _absent(named, set(shards), index)
    tensors: list[ArrayInfo] = []
    counts: dict[str, int] = {}
    metadata: dict[str, str] = {}
    seen: dict[str, str] = {}
    for name in shards:
        header = _header(members[name], name)
        _check_tensors(header, name, weight_map, seen, index)
        tensors += header.tensors
        metadata.update(header.metadata)
        for dtype, count in header.counts.items():
            counts[dtype] = counts.get(dtype, 0) + count
    lost = next((tensor for tensor, shard in weight_map.items() if tensor not in seen and shard not in absent), None)
    if lost is not None:
        raise Damaged(f"{index} names tensor '{lost[:100]}', which is in no shard")
    return Shards(Header(tuple(tensors), counts, metadata), len(named), absent)


def _weight_map(source: Source, index: str) -> dict[str, str]:
    check_budget(source.size, index)
    found: Any = parse_object(source.read(0, source.size), index).get("weight_map")
    if type(found) is not dict or not is_text(*found.values()):
        raise Damaged(f"{index} has no weight_map from tensors to files")
    return found


def _header(source: Source, name: str) -> Header:
    try:
        return read_header(source)
    except Damaged as error:
        raise Damaged(f"{name}: {error}", offset=error.offset) from None
    except OverBudgetError as error:
        raise OverBudgetError(f"{name}: {error}") from None


def _absent(named: set[str], there: set[str], index: str) -> tuple[str, ...]:
    """The shards that the index names and nobody has. Raises Damaged for one that it does not name, or that is none."""
    if extra := sorted(there - named):
        raise Damaged(f"{extra[0]} is a shard that {index} does not name")
    shard = re.compile(re.escape(index.removesuffix(".safetensors.index.json")) + r"-\d+-of-\d+\.safetensors")
    absent = tuple(sorted(named - there))
    if strange := next((name for name in absent if shard.fullmatch(name) is None), None):
        raise Damaged(f"{index} names {strange[:100]}, which is no shard here")
    return absent


def _check_tensors(header: Header, shard: str, weight_map: dict[str, str], seen: dict[str, str], index: str) -> None:
    """Raise Damaged where a shard has a tensor that the index does not look for there, or another shard has as well."""
    for tensor in header.tensors:
        if tensor.name in seen:
            raise Damaged(f"tensor '{tensor.name[:100]}' is in two shards, {seen[tensor.name]} and {shard}")
        if weight_map.get(tensor.name) != shard:
            where = weight_map.get(tensor.name)
            told = f"places in {where[:100]}" if where is not None else "does not name"
            raise Damaged(f"{shard} holds tensor '{tensor.name[:100]}', which {index} {told}")
        seen[tensor.name] = shard
