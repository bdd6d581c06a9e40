"""The weights of a directory: the files that transformers would take, held against the index where there is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

from backends.core.errors import Damaged
from backends.core.findings import finding
from backends.core.inspection import ArrayInfo, Finding, GlobalRef, Inspection
from backends.core.packed import model_inside
from backends.core.source import Source
from backends.core.strict_json import check_budget, is_text, parse_settings
from backends.formats.transformers import weights_in

_INDEX = ".index.json"
_WHOLE = ("model.safetensors", "pytorch_model.bin")
_NAMED = 100


@dataclass
class Weights:
    """`files` are those taken, `missing` what the index names beside them, `surplus` what nothing names."""

    files: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()
    index: str = ""
    tensors: list[ArrayInfo] = field(default_factory=list)
    elements: dict[str, int] = field(default_factory=dict)
    """Numbers by dtype."""
    count: int = 0
    names: list[GlobalRef] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    complete: bool = True
    formats: set[str] = field(default_factory=set)

    def add(self, found: Inspection) -> None:
        """Take the facts of one more file."""
        self.tensors.extend(found.arrays)
        for one in found.arrays:
            self.elements[one.dtype] = self.elements.get(one.dtype, 0) + prod(one.shape)
        self.count += found.n_weights or 0
        self.formats.add(found.format)
        self.take_evidence(found)

    def take_evidence(self, found: Inspection) -> None:
        """Take what could run or is broken in a file, and no facts."""
        self.names.extend(found.names)
        self.findings.extend(found.findings)
        self.complete = self.complete and found.complete

    @property
    def why_not(self) -> str:
        """Why they are not loaded; empty where they are."""
        if self.missing:
            return f"{self.missing[0]} is missing"
        if any(each.code == "transformers-weights" for each in self.findings):
            return "its files and its index disagree"
        return "" if self.files and self.formats <= {"safetensors", "torch"} else "its weights are no tensors"


def read_weights(members: Mapping[str, Source]) -> Weights:
    """The weights of these members. Raises Damaged, OverBudgetError, OSError."""
    there = weights_in(members)
    index = next((name for name in there if name.endswith(_INDEX)), "")
    files = tuple(name for name in there if name in _WHOLE)
    if files or not index:
        files = files or tuple(name for name in there if not name.endswith(_INDEX))
        found, placed = Weights(files), dict[str, str]()
    else:
        placed = _weight_map(members[index], index)
        found = _by_index(placed, there, index)
    for name in found.files:
        whole = model_inside(members, name)
        _check(found, placed, name, whole.arrays)
        found.add(whole)
    for name in members:
        if "/" in name and name.endswith((".safetensors", ".bin")):
            found.take_evidence(model_inside(members, name))
    found.surplus = tuple(one for one in there if one not in (*found.files, found.index))
    for name in found.surplus:
        if not name.endswith(_INDEX):
            found.take_evidence(model_inside(members, name))
    if placed and not found.missing:
        absent = placed.keys() - {one.name for one in found.tensors}
        if absent:
            _disagree(found, f"{index} names tensor '{min(absent)[:_NAMED]}', which is in no file")
    return found


def _weight_map(source: Source, index: str) -> dict[str, str]:
    check_budget(source.size, index)
    listed = parse_settings(source.read(0, source.size), index)
    found = listed.get("weight_map") if type(listed) is dict else None
    if type(found) is not dict or not is_text(*found.values()):
        raise Damaged(f"{index} has no weight_map from tensors to files")
    return found


def _by_index(placed: Mapping[str, str], there: tuple[str, ...], index: str) -> Weights:
    """The files that an index names, those there are and those that are missing."""
    named = set(placed.values())
    found = Weights(
        tuple(one for one in there if one in named), missing=tuple(sorted(named.difference(there))), index=index
    )
    outside = [one for one in found.missing if one.startswith(("/", "\\", "~")) or ".." in one or ":" in one]
    for one in outside[:5]:
        found.findings.append(finding("unsafe-path", f"{index} names weights at {one[:200]!r}", 0))
    if found.missing and not outside:
        more = f" and {len(found.missing) - 1:,} more" if len(found.missing) > 1 else ""
        _disagree(found, f"{index} names {found.missing[0][:200]}{more}: not there")
    if not placed:
        _disagree(found, f"{index} names no tensors")
    return found


def _check(found: Weights, placed: Mapping[str, str], file: str, tensors: tuple[ArrayInfo, ...]) -> None:
    """Note the first tensor of a file that the index does not look for there."""
    odd = next((one.name for one in tensors if placed.get(one.name) != file), None) if placed else None
    if odd is not None:
        where = placed.get(odd)
        told = f"places in {where[:_NAMED]}" if where is not None else "does not name"
        _disagree(found, f"{file} holds tensor '{odd[:_NAMED]}', which {found.index} {told}")


def _disagree(found: Weights, detail: str) -> None:
    found.findings.append(finding("transformers-weights", detail, 0))
    found.complete = False
