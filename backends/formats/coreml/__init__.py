"""Core ML of Apple: a model in one file, or a package with its weights beside it; named and told, not run."""

from __future__ import annotations

from collections.abc import Collection

from backends.core.format import Format

_MANIFEST, _DATA = "Manifest.json", "Data"
_NEWEST = 63


def _starts(head: bytes) -> bool:
    """Whether these are a version of the specification, and a description that begins with an input that has a name."""
    if len(head) < 8 or head[0] != 0x08 or not 1 <= head[1] <= _NEWEST or head[2] != 0x12:
        return False
    at = 3
    while at < 12 and at < len(head) and head[at] >= 0x80:
        at += 1
    return head[at + 1 : at + 2] == b"\x0a" and _is_named(head[at + 2 :])


def _is_named(feature: bytes) -> bool:
    """Whether a feature's message, from its length on, begins with a name."""
    at = next((number for number, byte in enumerate(feature[:5]) if byte < 0x80), 5) + 1
    length = feature[at + 1] if len(feature) > at + 1 and feature[at] == 0x0A else 0
    name = feature[at + 2 : at + 2 + length]
    return 0 < length < 0x80 and len(name) == length and all(byte >= 0x20 for byte in name)


def folders(names: Collection[str]) -> tuple[str, ...]:
    """The directories of a package, which has a manifest and data."""
    whole = _MANIFEST in names and _DATA in names
    return tuple(name for name in names if name == _DATA or name.startswith(f"{_DATA}/")) if whole else ()


def members(names: Collection[str]) -> tuple[str, ...]:
    """The manifest of a package and its data."""
    data = [name for name in names if name.startswith(f"{_DATA}/") and "." in name.rpartition("/")[2]]
    holding = {name[:at] for name in data for at, mark in enumerate(name) if mark == "/"}
    files = [name for name in data if name not in holding]
    there = _MANIFEST in names and any(name.endswith(".mlmodel") for name in files)
    return tuple(sorted((_MANIFEST, *files))) if there else ()


FORMATS = (
    Format(
        name="coreml",
        suffix=".mlmodel",
        implementation="backends.formats.coreml.specification",
        title="a Core ML model",
        suffixes=(".mlmodel", ".model", ".pb"),
        promises=(".mlmodel",),
        starts=_starts,
        order=45,
        includes=("pickle", "archive"),
        members=members,
        folders=folders,
        not_loadable="Core ML runs on Apple's systems alone: export the model to ONNX where it was trained",
        not_writable="a Core ML model is written by coremltools",
    ),
)
