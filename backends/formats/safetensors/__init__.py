"""safetensors: tensors by name and nothing else, in one file or in a directory of shards with an index.

Cheap to import, since a scan asks it about first bytes and names of entries; `files` and `shards` do the reading.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from backends.core.format import Format

_INDEX = ".safetensors.index.json"
_KEYS = (b'"dtype"', b'"__metadata__"')


def _starts(head: bytes) -> bool:
    """A header's length in 8 bytes, far beneath the largest there could be, then JSON that tells of tensors, or {}."""
    text = head[8:].lstrip(b" ")
    described = text.startswith(b"{}") or any(key in text for key in _KEYS)
    return head[5:8] == bytes(3) and text.startswith(b"{") and described


def _members(names: Collection[str]) -> tuple[str, ...]:
    """The index and its shards; none where there are several indexes, or no shard is there."""
    indexes = [name for name in names if name.endswith(_INDEX)]
    if len(indexes) != 1:
        return ()
    shard = re.compile(re.escape(indexes[0].removesuffix(_INDEX)) + r"-\d+-of-\d+\.safetensors")
    shards = [name for name in names if shard.fullmatch(name)]
    return tuple(sorted((*indexes, *shards))) if shards else ()


FORMATS = (
    Format(
        name="safetensors",
        suffix=".safetensors",
        implementation="backends.formats.safetensors.files",
        title="safetensors",
        promises=(".safetensors",),
        starts=_starts,
        order=25,
        of_header=True,
        members=_members,
        not_loadable="safetensors holds tensors and not the program that computes with them: export the model to ONNX "
        "with the library that it was trained in",
        not_writable="safetensors holds tensors by name, and no model of another format is that",
    ),
)
