"""safetensors: what its header says is taken for true where it can be nothing else, and refused in all other cases."""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest

from backends.core import directories, registry
from backends.core.errors import Damaged
from backends.core.inspection import ArrayInfo, Inspection
from backends.core.source import MemorySource, Source
from backends.formats.safetensors import FORMATS
from console.records import Verdict
from console.trust.policy import Policy
from console.trust.verdict import judge
from tests.backends.contract import changes
from tests.safetensors_files import INDEX, Tensors, entry, framed, packed, shard, write_shards

(FORMAT,) = FORMATS
GOOD = framed({"a": entry([2], 0, 8)}, bytes(8))


def inspected(data: bytes) -> Inspection:
    assert FORMAT.may_be(data[:4096])
    return FORMAT.inspect(MemorySource(data))


def directory(path: Path) -> Inspection:
    names = FORMAT.members(os.listdir(path)) if FORMAT.members else ()
    fds = {name: os.open(path / name, os.O_RDONLY) for name in names}
    try:
        return FORMAT.inspect_directory({name: Source(fd, name) for name, fd in fds.items()})
    finally:
        for fd in fds.values():
            os.close(fd)


def test_tensors_are_told_in_the_order_of_their_bytes() -> None:
    header = {"b": entry([2, 3], 8, 32), "a": entry([4], 0, 8, "BF16"), "__metadata__": {"format": "pt"}}
    found = inspected(framed(header, bytes(32)))
    assert found.arrays == (ArrayInfo("a", (4,), "BF16", 8), ArrayInfo("b", (2, 3), "F32", 24))
    assert (found.n_weights, found.complete, found.loadable, found.findings) == (10, True, False, ())
    assert found.details == {"parameters by dtype": {"BF16": 4, "F32": 6}, "metadata": {"format": "pt"}}


@pytest.mark.parametrize(
    ("header", "size"),
    [
        ({"__metadata__": {}, "scalar": entry([], 0, 4)}, 4),
        ({"empty": entry([0, 7], 0, 0), "full": entry([1], 0, 4), "last": entry([0], 4, 4)}, 4),
        ({"half a byte each": entry([4], 0, 2, "F4")}, 2),
        ({"empty but huge": entry([0, 2**62], 0, 0)}, 0),
        (b'{"\\ud83d\\ude00": {"dtype":"U8","shape":[1],"data_offsets":[0,1]}}    \n', 1),
    ],
)
def test_what_is_rare_and_right_is_read(header: Any, size: int) -> None:
    assert inspected(framed(header, bytes(size))).complete


ONE = b'{"dtype":"U8","shape":[1],"data_offsets":[0,1]}'


@pytest.mark.parametrize("length", [0x5D, 0x178, 0x8B1F, 0x2E88, 0x2E80])
def test_a_length_that_begins_like_something_else_is_a_length(length: int) -> None:
    """Those of an LZMA, zlib and gzip stream, and of pickles."""
    header = json.dumps({"a": entry([2], 0, 8)}).encode().ljust(length)
    found = registry.inspect(MemorySource(framed(header, bytes(8)), "m.safetensors"))
    assert (found.format, found.complete, found.findings) == ("safetensors", True, ())
    assert registry.may_hold_model(framed(header)[:4096])


def test_a_file_without_tensors_is_one() -> None:
    found = registry.inspect(MemorySource(framed(b"{}      "), "m.safetensors"))
    assert (found.format, found.complete, found.n_weights) == ("safetensors", True, 0)


TWICE = b'{"a":' + ONE + b',"\\u0061":' + ONE + b"}"
HOSTILE = {
    "overlap": (framed({"a": entry([2], 0, 8), "b": entry([2], 4, 12)}, bytes(12)), "'b' overlaps another by 4 bytes"),
    "twice the same bytes": (framed({"a": entry([2], 0, 8), "b": entry([2], 0, 8)}, bytes(8)), "overlaps another by 8"),
    "hole": (framed({"a": entry([2], 0, 8), "b": entry([1], 12, 16)}, bytes(16)), "'b' follows 4 unused bytes"),
    "hole in front": (framed({"a": entry([2], 4, 12)}, bytes(12)), "'a' follows 4 unused bytes"),
    "bytes to spare": (GOOD + b"x", "1 bytes follow the last tensor"),
    "beyond the end": (GOOD[:-1], "cut off"),
    "header beyond the end": (GOOD[:30], "cut off"),
    "header over the cap": (struct.pack("<Q", 100_000_001) + GOOD[8:], "at most 100,000,000"),
    "size of 2^63": (framed({"a": entry([2**63], 0, 8)}, bytes(8)), "does not fit 63 bits"),
    "product of 2^124": (framed({"a": entry([2**62, 2**62], 0, 8)}, bytes(8)), "more elements than fit 63 bits"),
    "offset of 2^64": (framed({"a": entry([2], 0, 2**64)}, bytes(8)), "does not fit 63 bits"),
    "many digits": (framed(b'{"a":{"dtype":' + b"1" * 100_000 + b"}}"), "does not fit 63 bits"),
    "negative offset": (framed({"a": entry([2], -8, 0)}, bytes(8)), "not sizes"),
    "negative shape": (framed({"a": entry([-2, -1], 0, 8)}, bytes(8)), "not sizes"),
    "end before begin": (framed({"a": entry([2], 8, 0)}, bytes(8)), "-8 bytes for 2 elements"),
    "three offsets": (framed({"a": {**entry([2], 0, 8), "data_offsets": [0, 8, 8]}}, bytes(8)), "not sizes"),
    "true as a size": (framed({"a": entry([True], 0, 4)}, bytes(4)), "not sizes"),
    "fraction as a size": (framed(b'{"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}', b"x"), "not sizes"),
    "shape and bytes disagree": (framed({"a": entry([3], 0, 8)}, bytes(8)), "8 bytes for 3 elements of F32"),
    "half a byte": (framed({"a": entry([3], 0, 1, "F4")}, b"x"), "1 bytes for 3 elements of F4"),
    "unknown dtype": (framed({"a": entry([2], 0, 8, "Q7")}, bytes(8)), "dtype Q7"),
    "dtype is no text": (framed({"a": {**entry([2], 0, 8), "dtype": ["F32"]}}, bytes(8)), "dtype"),
    "field too many": (framed({"a": {**entry([2], 0, 8), "code": "x"}}, bytes(8)), "just dtype, shape"),
    "field missing": (framed(b'{"a":{"dtype":"F32","shape":[2]}}', bytes(8)), "just dtype, shape"),
    "tensor is a list": (framed({"a": ["dtype"]}), "just dtype, shape"),
    "key twice": (framed(TWICE, b"x"), "the key 'a' twice"),
    "field twice": (framed(b'{"a":{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}}', b"x"), "twice"),
    "bad UTF-8": (framed(b'{"\xff":{"dtype":"U8"}}'), "not valid UTF-8 at its byte 2"),
    "half a surrogate pair": (framed(b'{"\\ud800":{"dtype":"U8"}}'), "surrogate"),
    "control character": (framed(b'{"a\n":{"dtype":"U8"}}'), "not valid JSON"),
    "NaN": (framed(b'{"a":{"dtype":NaN}}'), "holds NaN"),
    "Infinity": (framed(b'{"a":{"dtype":-Infinity}}'), "holds -Infinity"),
    "nested without end": (framed(b'{"dtype":' + b"[" * 200_000), "nested far deeper"),
    "nested metadata": (framed({"__metadata__": {"a": {"b": "c"}}}), "not text by text"),
    "metadata is a list": (framed({"__metadata__": ["a"]}), "not text by text"),
    "number as metadata": (framed({"__metadata__": {"a": 1}}), "not text by text"),
    "comment": (framed(b'{"a":{"dtype":"U8"} /* */}'), "not valid JSON"),
    "two objects": (framed(b'{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}} {}'), "not valid JSON"),
    "space in front": (framed(b' {"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'), "start with a brace"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "why"), HOSTILE.values(), ids=HOSTILE)
def test_a_header_that_lies_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(Damaged) as refused:
        inspected(data)
    assert why in str(refused.value)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    "header", [b'{"dtype":' + b" " * 90_000_000 + b"0}", b'{"dtype":[' + b"[]," * 600_000 + b"0]}"]
)
def test_a_header_with_more_in_it_than_any_model_is_not_parsed(header: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(json, "loads")
    source = MemorySource(framed(header))
    found = FORMAT.inspect(source)
    assert [each.code for each in found.findings] == ["limit"]
    assert not found.complete


@pytest.mark.parametrize("cut", range(0, len(GOOD) - 1, 7))
def test_a_file_that_is_cut_off_anywhere_is_damaged(cut: int) -> None:
    with pytest.raises(Damaged):
        FORMAT.inspect(MemorySource(GOOD[:cut]))


SHARDS: tuple[Tensors, Tensors] = ({"a": ("F32", [4]), "b": ("BF16", [2])}, {"c": ("F32", [1])})


def test_shards_are_read_as_one(tmp_path: Path) -> None:
    write_shards(tmp_path, *SHARDS)
    found = directory(tmp_path)
    assert [array.name for array in found.arrays] == ["a", "b", "c"]
    assert (found.n_weights, found.complete, found.details["shards"]) == (7, True, 2)


def remapped(path: Path, **changes: str | None) -> None:
    index = json.loads((path / INDEX).read_text())
    weight_map = {**index["weight_map"], **changes}
    index["weight_map"] = {tensor: name for tensor, name in weight_map.items() if name is not None}
    (path / INDEX).write_text(json.dumps(index))


CONTRADICTIONS: dict[str, tuple[Any, str]] = {
    "in no shard": (lambda path: remapped(path, d=shard(1, 2)), "names tensor 'd', which is in no shard"),
    "not in the index": (lambda path: remapped(path, b=None), f"tensor 'b', which {INDEX} does not name"),
    "in another shard": (lambda path: remapped(path, b=shard(2, 2)), f"'b', which {INDEX} places in {shard(2, 2)}"),
    "in two shards": (
        lambda path: (path / shard(2, 2)).write_bytes(packed({"a": ("U8", [1]), "c": ("U8", [1])})),
        f"tensor 'a' is in two shards, {shard(1, 2)} and {shard(2, 2)}",
    ),
    "path to elsewhere": (lambda path: remapped(path, d="../x.safetensors"), "names ../x.safetensors, which"),
    "extra shard": (
        lambda path: (path / shard(3, 3)).write_bytes(packed({"e": ("U8", [1])})),
        f"{shard(3, 3)} is a shard that {INDEX} does not name",
    ),
    "damaged shard": (
        lambda path: (path / shard(2, 2)).write_bytes(packed(SHARDS[1])[:-1]),
        f"{shard(2, 2)}: cut off",
    ),
    "no map": (lambda path: (path / INDEX).write_text('{"weight_map": ["a"]}'), "has no weight_map"),
    "no names in the map": (lambda path: (path / INDEX).write_text('{"weight_map": {"a": {}}}'), "has no weight_map"),
    "no JSON": (lambda path: (path / INDEX).write_text("<html>"), f"{INDEX} is not valid JSON"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "why"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_an_index_that_its_shards_contradict_is_damaged(change: Any, why: str, tmp_path: Path) -> None:
    write_shards(tmp_path, *SHARDS)
    change(tmp_path)
    with pytest.raises(Damaged) as refused:
        directory(tmp_path)
    assert why in str(refused.value)


def test_what_the_other_shards_hold_is_told_where_one_is_missing(tmp_path: Path) -> None:
    write_shards(tmp_path, *SHARDS)
    (tmp_path / shard(2, 2)).unlink()
    found = directory(tmp_path)
    assert [array.name for array in found.arrays] == ["a", "b"]
    assert [each.detail for each in found.findings] == [f"the shard {shard(2, 2)} is missing: 1 of 2 are"]
    assert judge(found, Policy()).verdict is Verdict.DAMAGED
    assert found.summary == "6 F32, BF16"


def test_a_shard_that_is_a_pickle_as_well_is_told_by_name(tmp_path: Path) -> None:
    write_shards(tmp_path, *SHARDS)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a/data.pkl", b"cos\nsystem\n.")
    data = archive.getvalue()
    (tmp_path / shard(2, 2)).write_bytes(framed({"c": entry([len(data)], 0, len(data), "U8")}, data))
    sources = {path.name: MemorySource(path.read_bytes()) for path in tmp_path.iterdir()}
    found = directories.inspect({name: sources[name] for name in directories.members_of(sources)})
    assert [(each.code, each.detail.partition(":")[0]) for each in found.findings] == [("polyglot", shard(2, 2))]


@pytest.mark.parametrize("name", [INDEX, shard(1, 2), shard(2, 2)])
def test_whatever_is_done_to_a_member_ends_in_a_verdict(name: str, tmp_path: Path) -> None:
    write_shards(tmp_path, *SHARDS)
    whole = {path: (tmp_path / path).read_bytes() for path in (INDEX, shard(1, 2), shard(2, 2))}
    for words, changed in changes(whole[name], name, 100, padded=False):
        sources = {path: MemorySource(changed if path == name else data) for path, data in whole.items()}
        try:
            found = directories.inspect(sources)
        except Damaged:
            continue
        assert not (words.startswith("cut") and found.complete)


@pytest.mark.parametrize(
    ("names", "members"),
    [
        ((INDEX, shard(1, 2), shard(2, 2), "config.json", "adapter.safetensors"), 3),
        ((INDEX, "config.json"), 0),
        ((shard(1, 2), shard(2, 2)), 0),
        ((INDEX, "vae.safetensors.index.json", shard(1, 1)), 0),
        ((INDEX, "other-00001-of-00001.safetensors"), 0),
    ],
)
def test_a_directory_is_an_artifact_by_one_index_and_its_shards(names: tuple[str, ...], members: int) -> None:
    assert FORMAT.members is not None
    assert len(FORMAT.members(names)) == members
