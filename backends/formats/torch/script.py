"""The source text in a TorchScript archive: shown, never run."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping

from backends.core.inspection import Json
from backends.core.zip_rules import read_member

_SHOWN = 20
_MOST_TEXT = 4000
_MOST_READ = 1 << 20
_FORWARD = re.compile(r"def forward\((self[^)]*)\)\s*->\s*([^:\n]+(?:\[[^\n]*\])?):")
_ARGUMENT = re.compile(r"(\w+)\s*:\s*([\w.\[\], ]+)")


def program(archive: zipfile.ZipFile, root: str, members: Mapping[str, zipfile.ZipInfo]) -> dict[str, Json]:
    """The source files by name, their number, and what `forward` takes and gives; nothing where there are none."""
    names = sorted(name for name in members if name.startswith(f"{root}code/") and name.endswith(".py"))
    if not names:
        return {}
    texts = {name[len(root) :]: _text(archive, members[name]) for name in names[:_SHOWN]}
    shown: dict[str, Json] = {name: text[:_MOST_TEXT] for name, text in texts.items()}
    found: dict[str, Json] = {"source_files": len(names), "code": shown}
    forward = next((told for text in texts.values() if (told := _forward(text))), None)
    return found if forward is None else {**found, "forward": forward}


def _text(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    return read_member(archive, info, _MOST_READ).decode("utf-8", "replace")


def _forward(text: str) -> str:
    """The arguments of the method that answers and its result, in a line."""
    found = _FORWARD.search(text)
    if found is None:
        return ""
    arguments = [f"{name}: {kind.strip(' ,')}" for name, kind in _ARGUMENT.findall(found[1]) if name != "self"]
    return f"({', '.join(arguments)}) → {found[2].strip()}"[:300]
