"""torch.package: an archive with pickles, storages and the Python source that building the model imports; never loaded.

Format: torch/package/package_exporter.py. Members are `NAME/.data/extern_modules`, `NAME/.data/KEY.storage`,
`NAME/.data/ts_code/ID/data.pkl` for TorchScript programs, and sources and pickles by their paths.
"""

from __future__ import annotations

import zipfile
from dataclasses import replace
from typing import Optional

from backends.core.counted import counted
from backends.core.errors import Damaged
from backends.core.findings import finding
from backends.core.inspection import Finding, GlobalRef, Inspection, Json, ModelEntry
from backends.core.source import Source
from backends.core.zip_inside import inspect_members
from backends.core.zip_rules import check_contents, member_source, read_member
from backends.formats.pickle.values import Global, Instance, Value
from backends.formats.pickle.walk import walk
from backends.formats.torch.contents import contents_of
from backends.formats.torch.script import is_own
from backends.formats.torch.storages import Storages, Tensors

_EXTERN = ".data/extern_modules"
_MOST_PICKLES, _SHOWN, _MOST_TEXT, _MOST_NOTE = 500, 20, 4000, 1 << 16
_UNPACK = "torch.jit._script.unpackage_script_module"


def package_root(names: list[str]) -> Optional[str]:
    """The directory of a package in an archive, with its slash; None where it is no package."""
    found = [name for name in names if name.endswith(f"/{_EXTERN}") and name.count("/") == 2]
    return found[0][: -len(_EXTERN)] if found else None


class _Ids:
    """Knows persistent ids of a package: storages, and the programs that its pickles hold."""

    def __init__(self) -> None:
        self.storages = Storages(5)

    def __call__(self, persistent_id: Value) -> Value:
        if type(persistent_id) is tuple and len(persistent_id) == 4 and persistent_id[0] == "reduce_package":
            function = persistent_id[2]
            return function if type(function) is Global and str(function) == _UNPACK else None
        return self.storages(persistent_id)


def inspect_package(source: Source, archive: zipfile.ZipFile, root: str, found: list[Finding]) -> Inspection:
    """The facts of a package. Raises Damaged, OSError."""
    members = {info.filename: info for info in archive.infolist()}
    sources = sorted(name for name in members if name.endswith(".py") and name.startswith(root))
    modules = {name[len(root) : -3].replace("/", ".").removesuffix(".__init__") for name in sources}
    ids, tensors, names, arrays = _Ids(), Tensors(), list[GlobalRef](), []
    pickles = sorted(
        (name for name in members if _is_pickle(name, root)), key=lambda name: name.startswith(f"{root}.data")
    )
    if len(pickles) > _MOST_PICKLES:
        found.append(finding("limit", f"{len(pickles):,} pickles, of which {_MOST_PICKLES:,} are read", 0))
    complete, parameters, models = True, 0, list[ModelEntry]()
    for name in pickles[:_MOST_PICKLES]:
        walked = walk(member_source(source, archive, name), persistent=ids)
        complete = complete and walked.complete
        names += [replace(use, place=f"member {name}") for use in walked.names]
        found.extend(walked.findings)
        outermost = walked.roots[0] if walked.roots else None
        if type(outermost) is Instance and not name.endswith(".debug_pkl"):
            models.append(ModelEntry(name[len(root) :], str(outermost.callee)))
        contents = contents_of(outermost, tensors)
        arrays += contents.tensors
        parameters += contents.parameters()
    found.extend(tensors.findings())
    found.extend(check_contents(archive))
    known = {*sources, *pickles, *(f"{root}.data/{key}.storage" for key in ids.storages.found)}
    others = [info for name, info in members.items() if name not in known]
    inside = inspect_members(source, archive, others)
    told = f"it brings {len(sources)} files of Python, which building the model imports"
    found += [*inside.findings, finding("torch-script", told, 0)]
    details: dict[str, Json] = {
        "container": "torch.package",
        "members": len(members),
        "needs": _lines(archive, members, f"{root}{_EXTERN}"),
        "python": next(iter(_lines(archive, members, f"{root}.data/python_version")), None),
        "code": {name[len(root) :]: _text(archive, members[name]) for name in sources[:_SHOWN]},
        "parameters": parameters or None,
    }
    return Inspection(
        "torch",
        names=tuple(use for use in (*names, *inside.names) if not _is_inside(use, modules)),
        model_class=models[0].class_name if models else None,
        models=tuple(models),
        arrays=tuple(arrays),
        n_weights=sum(storage.count for storage in ids.storages.found.values()),
        complete=complete and not any(each.code != "torch-script" for each in found),
        loadable=False,
        findings=tuple(found),
        details={name: value for name, value in details.items() if value is not None},
        summary=" · ".join(filter(None, ("torch.package", f"{counted(parameters)} params" if parameters else ""))),
    )


def _is_pickle(name: str, root: str) -> bool:
    """Whether a member is a pickle: every file that is neither a source nor a note, a program's own beside it."""
    inner = name[len(root) :]
    if not name.startswith(root) or name.endswith("/"):
        return False
    return name.endswith((".pkl", ".debug_pkl")) or not (inner.startswith((".data/", "byteorder")) or "." in inner)


def _is_inside(use: GlobalRef, modules: set[str]) -> bool:
    """Whether a name is one of the sources inside, which are told as code, or of TorchScript's own reader."""
    return use.module in modules or f"{use.module}.{use.name}" == _UNPACK or is_own(use.module, use.name)


def _lines(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], name: str) -> list[Json]:
    return list(_text(archive, members[name]).split()[:_SHOWN]) if name in members else []


def _text(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    try:
        return read_member(archive, info, _MOST_NOTE).decode("utf-8", "replace")[:_MOST_TEXT]
    except Damaged:
        return ""
