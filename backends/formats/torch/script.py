"""The source text in a TorchScript archive: shown, never run."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from typing import Optional

from backends.core.inspection import Json, Signature, TensorSpec
from backends.core.zip_rules import read_member

_BUILDERS = frozenset(
    ("restore_type_tag", "build_intlist", "build_tensorlist", "build_doublelist", "build_boollist")
).union(("build_tensor_from_id",))
"""Functions of torch/jit/_pickle.py, which TorchScript's pickles name."""
_SHOWN = 20
_MOST_TEXT = 4000
_MOST_READ = 1 << 20
_MOST_HEAD = 2000
"""Characters of the head of a function that are read."""
_FORWARD = re.compile(r"def forward\((self[^)]*)\)\s*->\s*([^:\n]+(?:\[[^\n]*\])?):")
_TAKEN: dict[str, tuple[str, Optional[tuple[()]]]] = {
    "Tensor": ("", None),
    "int": ("int64", ()),
    "float": ("float64", ()),
    "bool": ("bool", ()),
}
"""Types of arguments that are given to a program: dtype and shape of the tensor that is asked for."""
_ARGUMENT = re.compile(r"(\w+)\s*:\s*([\w.\[\], ]+)")


def is_own(module: str, name: str) -> bool:
    """Whether a pickle of TorchScript's names this for its own reader, which builds classes of the program in the same
    archive and lists of one type, and imports nothing."""
    return module.split(".")[0] == "__torch__" or (module == "torch.jit._pickle" and name in _BUILDERS)


def program(
    archive: zipfile.ZipFile, root: str, members: Mapping[str, zipfile.ZipInfo], main: str
) -> tuple[dict[str, Json], Signature]:
    """The source files by name, their number, and what `forward` of the class `main` (with its module) takes and
    gives; nothing where there are none."""
    names = sorted(name for name in members if name.startswith(f"{root}code/") and name.endswith(".py"))
    if not names:
        return {}, Signature()
    module, _, short = main.rpartition(".")
    own = f"{root}code/{module.replace('.', '/')}.py"
    names.sort(key=lambda name: name != own)
    texts = {name[len(root) :]: _text(archive, members[name]) for name in names[:_SHOWN]}
    shown: dict[str, Json] = {name: text[:_MOST_TEXT] for name, text in texts.items()}
    found: dict[str, Json] = {"source_files": len(names), "code": shown}
    text = texts.get(own[len(root) :], "")
    head = text.find(f"class {short}(Module)")
    begin = text.find("def forward(", head)
    forward = _FORWARD.match(text[begin : begin + _MOST_HEAD]) if head >= 0 and begin >= 0 else None
    if forward is None:
        return found, Signature()
    arguments = [(name, kind.strip(" ,")) for name, kind in _ARGUMENT.findall(forward[1]) if name != "self"]
    found["forward"] = f"({', '.join(f'{name}: {kind}' for name, kind in arguments)}) → {forward[2].strip()}"[:300]
    return found, _signature(arguments, forward[2].strip())


def _text(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    return read_member(archive, info, _MOST_READ).decode("utf-8", "replace")


def _signature(arguments: list[tuple[str, str]], result: str) -> Signature:
    """The tensors of a program that takes tensors and numbers and gives one tensor or a tuple; else nothing."""
    count = 1 if result == "Tensor" else len(re.findall(r"Tensor", result)) if result.startswith("Tuple[Tensor") else 0
    if not count or any(kind not in _TAKEN for _name, kind in arguments):
        return Signature()
    names = ["output"] if count == 1 else [f"output_{number}" for number in range(count)]
    takes = tuple(TensorSpec(name, *_TAKEN[kind]) for name, kind in arguments[:_SHOWN])
    return Signature(takes=takes, gives=tuple(TensorSpec(name) for name in names[:_SHOWN]))
