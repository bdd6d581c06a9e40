"""The index of a sharded model and its shards, read as one: each tensor in just the shard that the index says.

The index is what `save_pretrained` of transformers writes: `metadata`, and `weight_map` from tensor to file name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backends.core.errors import Damaged
from backends.core.inspection import ArrayInfo
from backends.core.source import Source
from backends.core.strict_json import OverBudgetError, check_budget, is_text, parse_object
from backends.formats.safetensors.header import Header, read_header

_INDEX = ".json"


def read_shards(members: Mapping[str, Source]) -> tuple[Header, int]:
    """The tensors of all shards together, and how many shards there are.

    Raises Damaged with the name of the member or tensor that contradicts the rest, OverBudgetError, OSError.
    """
    index = next(name for name in members if name.endswith(_INDEX))
    weight_map = _weight_map(members[index], index)
    shards = sorted(name for name in members if name != index)
    _check_files(set(weight_map.values()), set(shards), index)
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
    missing = next((tensor for tensor in weight_map if tensor not in seen), None)
    if missing is not None:
        raise Damaged(f"{index} names tensor '{missing[:100]}', which is in no shard")
    return Header(tuple(tensors), counts, metadata), len(shards)


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


def _check_files(named: set[str], there: set[str], index: str) -> None:
    if missing := sorted(named - there):
        raise Damaged(f"{index} names {missing[0][:100]}, which is no shard here")
    if extra := sorted(there - named):
        raise Damaged(f"{extra[0]} is a shard that {index} does not name")


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
