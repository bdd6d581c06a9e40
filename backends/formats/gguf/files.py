"""GGUF files: what their header tells of the model, its tensors and its tokenizer."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple, Optional

from backends.core.chat_template import reaches_out
from backends.core.counted import counted
from backends.core.errors import Damaged
from backends.core.findings import finding
from backends.core.inspection import ArrayInfo, Finding, Inspection, Json
from backends.core.source import Source
from backends.formats.gguf.cursor import ARRAY, MOST_KEPT, NUMBERS, TEXT, Cursor
from backends.formats.gguf.types import FILE_TYPES, TYPES

_MOST_PAIRS, _MOST_TENSORS, _MOST_DIMENSIONS = 10_000, 200_000, 4
MOST_PARTS = 2_000
_MOST_NAME = 256
_SHOWN = 8
"""Elements of an array that are kept."""
_MOST_TEXT = 20_000
_MOST_ELEMENTS = 1 << 48
_TENSOR = 8 + 4 + 8 + 4 + 8
_TEMPLATE = "tokenizer.chat_template"
Header = dict[str, Any]


class _Part(NamedTuple):
    """The header of one file: its entries, its tensors, and how it is written."""

    header: Header
    arrays: list[ArrayInfo]
    version: int
    order: str
    unknown: list[int]


def inspect(source: Source) -> Inspection:
    """The facts of one file, from its header alone. Raises Damaged, OSError."""
    return _inspection(_read(source), [])


def inspect_directory(members: Mapping[str, Source]) -> Inspection:
    """The facts of a split model, whose first part has the entries. Raises Damaged with the name of a part, OSError."""
    parts: dict[int, _Part] = {}
    for name, source in sorted(members.items()):
        try:
            part = _read(source)
        except Damaged as error:
            raise Damaged(f"{name}: {error}", offset=error.offset) from None
        number = _whole(part.header, "split.no") or 0
        if number in parts:
            raise Damaged(f"{name} is part {number + 1}, as another file is")
        parts[number] = part
    count = max(_whole(part.header, "split.count") or 0 for part in parts.values())
    missing = [number for number in range(min(count, MOST_PARTS)) if number not in parts]
    found = [finding("truncated", f"part {missing[0] + 1} of {count} is missing")] if missing else []
    if len(parts) > count or count > MOST_PARTS:
        raise Damaged(f"{len(parts)} parts are there, and the header says {count}")
    first = parts[min(parts)]
    arrays = [array for _number, part in sorted(parts.items()) for array in part.arrays]
    announced = _whole(first.header, "split.tensors.count")
    if len({array.name for array in arrays}) < len(arrays):
        raise Damaged("a tensor is in two parts")
    if not missing and announced is not None and announced != len(arrays):
        raise Damaged(f"{len(arrays):,} tensors are in the parts, and {announced:,} are announced")
    header = {key: value for key, value in first.header.items() if key not in ("split.no", "split.count")}
    unknown = [kind for part in parts.values() for kind in part.unknown]
    whole = _inspection(first._replace(header=header, arrays=arrays, unknown=unknown), found)
    return replace(whole, details={**whole.details, "parts": count})


def _read(source: Source) -> _Part:
    version, order = _version(source)
    cursor = Cursor(source, 8, order)
    tensors, pairs = cursor.count(_TENSOR, "tensors"), cursor.count(12, "entries")
    if pairs > _MOST_PAIRS or tensors > _MOST_TENSORS:
        raise Damaged(f"{pairs:,} entries and {tensors:,} tensors, more than any model has", offset=8)
    header = _entries(cursor, pairs)
    arrays, placed, unknown = _tensors(cursor, tensors)
    alignment = _alignment(header)
    _check_places(placed, -(-cursor.at // alignment) * alignment, alignment, source.size)
    return _Part(header, arrays, version, order, unknown)


def _inspection(part: _Part, found: list[Finding]) -> Inspection:
    findings = [*found, *_findings(part.header)]
    if part.unknown:
        kinds = ", ".join(str(kind) for kind in sorted(set(part.unknown))[:_SHOWN])
        findings.append(finding("limit", f"tensors of a type that this reader does not know: {kinds}"))
    return Inspection(
        "gguf",
        arrays=tuple(part.arrays),
        n_weights=sum(_elements(one.shape) for one in part.arrays),
        complete=not findings,
        loadable=False,
        findings=tuple(findings),
        details=_details(part),
        summary=_summary(part.header, part.arrays),
    )


def _version(source: Source) -> tuple[int, str]:
    """The version and the byte order. Raises Damaged."""
    head = source.read(0, 8)
    if len(head) < 8 or head[:4] != b"GGUF":
        raise Damaged("cut off: the file ends within its header", offset=len(head))
    for order in "<>":
        (version,) = struct.unpack(f"{order}I", head[4:])
        if version in (2, 3):
            return version, order
    raise Damaged(f"version {struct.unpack('<I', head[4:])[0]} of GGUF, and 2 and 3 are read", offset=4)


def _entries(cursor: Cursor, pairs: int) -> Header:
    """The entries by their keys, arrays shortened to their first elements. Raises Damaged."""
    found: Header = {}
    for _ in range(pairs):
        begun = cursor.at
        key = cursor.text()
        if key in found or len(key) > _MOST_NAME:
            raise Damaged(f"the entry '{key[:100]}' stands there twice, or is no name", offset=begun)
        found[key] = _value(cursor, int(cursor.number(4)))
    return found


def _value(cursor: Cursor, kind: int) -> Any:
    if kind in NUMBERS:
        return cursor.number(kind)
    if kind == TEXT:
        return cursor.text()
    if kind == ARRAY:
        return _array(cursor)
    raise Damaged(f"an entry of the type {kind}, which GGUF does not have", offset=cursor.at)


def _array(cursor: Cursor) -> tuple[int, list[Any]]:
    """How many elements an array has, and the first of them. Raises Damaged."""
    kind = int(cursor.number(4))
    if kind in NUMBERS:
        size = struct.calcsize(NUMBERS[kind])
        count = cursor.count(size, "numbers")
        first = [cursor.number(kind) for _ in range(min(count, _SHOWN))]
        cursor.skip((count - len(first)) * size)
        return count, first
    if kind != TEXT:
        raise Damaged(f"an array of the type {kind}, which is not read", offset=cursor.at)
    count = cursor.count(8, "texts")
    first = [cursor.text() for _ in range(min(count, _SHOWN))]
    cursor.pass_texts(count - len(first))
    return count, first


def _tensors(cursor: Cursor, count: int) -> tuple[list[ArrayInfo], list[tuple[int, int, str]], list[int]]:
    """The tensors, where each lies as offset, bytes and name, and the types that are not known. Raises Damaged."""
    arrays, placed, names, unknown = [], [], set[str](), []
    for _ in range(count):
        begun = cursor.at
        name = cursor.text()
        if name in names or len(name) > _MOST_NAME:
            raise Damaged(f"the tensor '{name[:100]}' stands there twice, or is no name", offset=begun)
        names.add(name)
        dimensions = int(cursor.number(4))
        if not 0 <= dimensions <= _MOST_DIMENSIONS:
            raise Damaged(f"the tensor '{name[:100]}' has {dimensions} dimensions", offset=begun)
        shape = [int(cursor.number(10)) for _ in range(dimensions)]
        kind = int(cursor.number(4))
        dtype, size = _sized(name, shape, kind, begun)
        if kind not in TYPES:
            unknown.append(kind)
        placed.append((int(cursor.number(10)), size, name))
        arrays.append(ArrayInfo(name, tuple(reversed(shape)), dtype, size))
    return arrays, placed, unknown


def _sized(name: str, shape: list[int], kind: int, offset: int) -> tuple[str, int]:
    """The word for a tensor's type, and its bytes (an unknown one has a bit an element at least); shapes stand
    innermost side first. Raises Damaged."""
    word, block, size = TYPES.get(kind, (f"type {kind}", 8, 1))
    elements = 1
    for side in shape:
        elements *= side
        if elements > _MOST_ELEMENTS or side > _MOST_ELEMENTS:
            raise Damaged(f"the tensor '{name[:100]}' has more elements than any model", offset=offset)
    if kind not in TYPES:
        return word, -(-elements // block)
    if (shape[0] if shape else 1) % block:
        raise Damaged(f"rows of the tensor '{name[:100]}' are no whole blocks of {word}", offset=offset)
    return word, elements // block * size


def _alignment(header: Header) -> int:
    """Where tensors may begin: at its multiples. Raises Damaged for an alignment that is none."""
    alignment = header.get("general.alignment", 32)
    if type(alignment) is not int or not 1 <= alignment <= 1 << 20 or alignment & (alignment - 1):
        raise Damaged(f"an alignment of {str(alignment)[:40]}")
    return alignment


def _check_places(placed: list[tuple[int, int, str]], start: int, alignment: int, size: int) -> None:
    """Raise Damaged where tensors overlap, end behind the file or begin where none can."""
    here = 0
    for offset, length, name in sorted(placed):
        if offset % alignment:
            raise Damaged(f"the tensor '{name[:100]}' begins at no multiple of {alignment}", offset=start + offset)
        if offset < here:
            raise Damaged(f"the tensor '{name[:100]}' overlaps another", offset=start + offset)
        here = offset + length
        if start + here > size:
            raise Damaged(f"cut off: the tensor '{name[:100]}' ends behind the file", offset=size)


def _findings(header: Header) -> list[Finding]:
    found = []
    for key, text in header.items():
        if key.startswith(_TEMPLATE) and isinstance(text, str):
            part = reaches_out(text) if len(text) < MOST_KEPT else "it is longer than any template"
            if part is not None:
                found.append(
                    finding("chat-template", f"the chat template does more than put messages together: {part}")
                )
    return found


def _summary(header: Header, arrays: list[ArrayInfo]) -> str:
    """The architecture, its size and its quantisation: "Llama 1.1B · Q4_K_M"."""
    kind = str(header.get("general.architecture", "")).replace("_", " ")
    total = sum(_elements(one.shape) for one in arrays)
    part = _whole(header, "split.count")
    parts = [f"{kind[:1].upper()}{kind[1:]} {counted(total)}" if total else kind, _quantisation(header, arrays)]
    number = (_whole(header, "split.no") or 0) + 1
    return " · ".join(filter(None, [*parts, f"part {number} of {part}" if part and part > 1 else ""]))


def _quantisation(header: Header, arrays: list[ArrayInfo]) -> str:
    named = FILE_TYPES.get(header.get("general.file_type", -1))
    if named or not arrays:
        return named or ""
    sizes: Counter[str] = Counter()
    for one in arrays:
        sizes[one.dtype] += one.bytes
    return sizes.most_common(1)[0][0]


def _details(part: _Part) -> dict[str, Json]:
    header, arrays = part.header, part.arrays
    kind = str(header.get("general.architecture", ""))
    types: Counter[str] = Counter(one.dtype for one in arrays)
    sizes: Counter[str] = Counter()
    for one in arrays:
        sizes[one.dtype] += one.bytes
    details: dict[str, Json] = {
        "version": part.version,
        "byte_order": "big" if part.order == ">" else None,
        "name": _text(header, "general.name"),
        "architecture": kind or None,
        "licence": _text(header, "general.license"),
        "parameters": sum(_elements(one.shape) for one in arrays),
        "quantisation": _quantisation(header, arrays) or None,
        "context": _whole(header, f"{kind}.context_length"),
        "layers": _whole(header, f"{kind}.block_count"),
        "width": _whole(header, f"{kind}.embedding_length"),
        "heads": _whole(header, f"{kind}.attention.head_count"),
        "key_value_heads": _whole(header, f"{kind}.attention.head_count_kv"),
        "experts": _whole(header, f"{kind}.expert_count"),
        "cache_bytes": cache_bytes(header),
        "tensors_by_type": dict(types),
        "bytes_by_type": dict(sizes),
        "tokenizer": _text(header, "tokenizer.ggml.model"),
        "vocabulary": _length(header, "tokenizer.ggml.tokens"),
        "special_tokens": _special(header),
        "chat_template": (_text(header, _TEMPLATE) or "")[:_MOST_TEXT] or None,
        "split": _whole(header, "split.count"),
    }
    return {name: value for name, value in details.items() if value not in (None, {}, 0)}


def cache_bytes(header: Header) -> Optional[int]:
    """Bytes of the key and value cache in half precision for the whole context: a row of both for each token, layer and
    key-value head (llama.cpp, src/llama-kv-cache.cpp); None where it is not told."""
    kind = str(header.get("general.architecture", ""))
    context, layers = _whole(header, f"{kind}.context_length"), _whole(header, f"{kind}.block_count")
    width, heads = _whole(header, f"{kind}.embedding_length"), _whole(header, f"{kind}.attention.head_count")
    if not (context and layers and width and heads):
        return None
    fewer = _whole(header, f"{kind}.attention.head_count_kv") or heads
    rows = [_whole(header, f"{kind}.attention.{what}_length") or width // heads for what in ("key", "value")]
    found = 2 * layers * context * fewer * sum(rows)
    return found if found < 1 << 62 else None


def _special(header: Header) -> dict[str, Json]:
    names = ("bos", "eos", "unknown", "padding", "separator", "mask")
    found = {name: _whole(header, f"tokenizer.ggml.{name}_token_id") for name in names}
    return {name: number for name, number in found.items() if number is not None}


def _whole(header: Header, key: str) -> Optional[int]:
    value = header.get(key)
    if isinstance(value, tuple) and value[1] and type(value[1][0]) is int:
        return int(max(value[1]))
    return value if type(value) is int else None


def _text(header: Header, key: str) -> Optional[str]:
    value = header.get(key)
    return value if isinstance(value, str) else None


def _length(header: Header, key: str) -> Optional[int]:
    value = header.get(key)
    return int(value[0]) if isinstance(value, tuple) else None


def _elements(shape: tuple[int, ...]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count
