"""PyTorch's own files: a zip archive around one pickle (since 1.6), or five pickles in a row before it; never loaded.

Formats: torch/serialization.py, `_save` (members NAME/data.pkl, NAME/data/KEY, NAME/version) and `_legacy_save` (magic
number, protocol, system, object, storage keys; then for each key 8 bytes count and the numbers). A tensor names its
numbers by a persistent id, `('storage', type, key, location, count)`; nothing else may be one.
"""

from __future__ import annotations

import itertools
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Optional

from backends.core.compression import decompressed
from backends.core.errors import Damaged, NotLoadable
from backends.core.findings import finding
from backends.core.format import LoadedModel
from backends.core.inspection import Finding, Inspection, Json
from backends.core.source import Source
from backends.core.zip_inside import inspect_members
from backends.core.zip_rules import check_contents, check_members, member_source, open_zip, read_member
from backends.formats.pickle.values import Instance, Value
from backends.formats.pickle.walk import Walk, walk
from backends.formats.torch import NOT_RUN
from backends.formats.torch.arrays import OLD_STREAMS, arrays_in, arrays_of_old
from backends.formats.torch.contents import contents_of
from backends.formats.torch.names import MAGIC, is_legacy
from backends.formats.torch.package import inspect_package, package_root
from backends.formats.torch.running import load_script
from backends.formats.torch.script import is_own, program
from backends.formats.torch.storages import Storage, Storages, Tensors

_PROTOCOL = 1001
_MAX_TOLD = 20
_NOTE = 100
_TRACED = "traced_inputs"
"""The name of the inputs that a program was traced with, a pickle and its storages."""
_NO_TENSORS = "its forward{} takes or gives more than tensors and numbers: script a module around it that does not"
_CONSTANTS = "constants"
"""The name of the tensors that a program holds as constants, a pickle and its storages."""
_MEMBERS = ("data.pkl", "version", "byteorder", "constants.pkl", ".data/serialization_id", ".format_version",
            ".storage_alignment")  # fmt: skip
"""What stands in every archive beside the storages."""
_MOST_PICKLES = 2_000


def _archive_root(names: list[str]) -> Optional[str]:
    """The directory of the archive that holds its data.pkl, with its slash; None where there is none."""
    found = [name for name in names if name == "data.pkl" or (name.endswith("/data.pkl") and name.count("/") == 1)]
    return found[0][: -len("data.pkl")] if found else None


def load(source: Source, at: str = "") -> LoadedModel:
    """A TorchScript program, ready to run. Raises Damaged, NotLoadable, what PyTorch raises."""
    if at:
        raise NotLoadable("a TorchScript program is one model: leave out the place")
    with decompressed(source) as opened:
        found = inspect(opened.source)
        if not found.loadable:
            raise NotLoadable(NOT_RUN)
        return load_script(opened.source, found)


def sniff(head: bytes, source: Source) -> bool:
    """Whether it is an archive with a data.pkl, or starts with PyTorch's magic number."""
    if is_legacy(head):
        return True
    if not head.startswith(b"PK\x03\x04") or source.read(0, 4) != head[:4]:
        return False
    try:
        with open_zip(source) as archive:
            names = archive.namelist()
            return _archive_root(names) is not None or package_root(names) is not None
    except Damaged:
        return b"data.pkl" in head


def inspect(source: Source) -> Inspection:
    """Names, tensors and everything odd. Raises Damaged, Unsupported, OSError."""
    with decompressed(source) as opened:
        legacy = is_legacy(opened.source.read(0, 64))
        inspection = _legacy(opened.source) if legacy else _archive(opened.source)
        return replace(
            inspection,
            compression=opened.compression,
            complete=inspection.complete and opened.complete,
            findings=(*opened.findings, *inspection.findings),
        )


def arrays(source: Source) -> Iterator[tuple[str, Any]]:
    """The tensors by their places; none of a package. Raises Damaged, OSError."""
    with decompressed(source) as opened:
        if is_legacy(opened.source.read(0, 64)):
            yield from arrays_of_old(opened.source)
            return
        with open_zip(opened.source) as archive:
            root = _archive_root(archive.namelist())
        if root is not None:
            yield from arrays_in(opened.source, root)


def _inspection(walked: Walk, storages: Storages, root: Value, found: list[Finding], details: dict[str, Json]) -> Any:
    if storages.modules:
        found.append(finding("torch-module", f"{storages.modules} classes come with their source text", 0))
    if storages.odd:
        found.append(finding("torch-storage", f"{storages.odd} storages are described in two ways", 0))
    tensors = Tensors()
    contents = contents_of(root, tensors)
    found.extend(tensors.findings())
    details.update(contents.details())
    details.update(protocol=walked.protocol, opcodes=walked.opcodes, storages=len(storages.found))
    broken = any(each.code not in ("torch-module", "torch-script") for each in found)
    return Inspection(
        format="torch",
        names=walked.names,
        arrays=tuple(contents.tensors),
        model_class=str(root.callee) if type(root) is Instance else None,
        n_weights=sum(each.count for each in storages.found.values()),
        complete=walked.complete and not broken,
        loadable=False,
        findings=(*walked.findings, *found),
        details=details,
        summary=f"TorchScript · {_short(root)}" if "code" in details else contents.summary(),
    )


def _short(root: Value) -> str:
    return str(root.callee).rpartition(".")[2] if type(root) is Instance else "program"


def _archive(source: Source) -> Inspection:
    """A zip archive: its rules, its pickle, and a member of the right size for each storage."""
    with open_zip(source) as archive:
        found = check_members(source, archive)
        members = {info.filename: info for info in archive.infolist()}
        root = _archive_root(list(members))
        if root is None and (package := package_root(list(members))) is not None:
            return inspect_package(source, archive, package, found)
        if root is None:
            raise Damaged("the archive holds no data.pkl", offset=0)
        storages = Storages(5)
        walked = walk(member_source(source, archive, f"{root}data.pkl"), persistent=storages)
        walked.names = tuple(replace(use, place=f"member {root}data.pkl") for use in walked.names)
        constants = _walk_beside(source, archive, root, members, walked, found)
        found.extend(check_contents(archive))
        found.extend(_unread(root, members, storages, constants))
        found.extend(_odd_notes(archive, root, members))
        for storage in storages.found.values():
            found.extend(_sized(storage, members.get(f"{root}data/{storage.key}")))
        for storage in constants.found.values():
            found.extend(_sized(storage, members.get(f"{root}{_CONSTANTS}/{storage.key}")))
        if f"{root}constants.pkl" in members or any(name.startswith(f"{root}code/") for name in members):
            found.append(finding("torch-script", "the archive is a TorchScript program: it holds code", 0))
        foreign = [name for name in members if name.endswith(".npy") or name in ("config.json", "metadata.json")]
        if foreign:
            detail = f"an archive of PyTorch that also holds {foreign[0][:200]!r}"
            found.append(finding("polyglot", detail, members[foreign[0]].header_offset))
        outermost = walked.roots[0] if walked.roots else None
        told, signature = program(archive, root, members, str(outermost.callee) if type(outermost) is Instance else "")
    details: dict[str, Json] = {"container": "zip", "members": len(members), **told}
    model: Inspection = _inspection(walked, storages, outermost, found, details)
    names = tuple(use for use in model.names if not is_own(use.module, use.name)) if told else model.names
    why = _NO_TENSORS.format(details["forward"]) if "forward" in details and not signature.takes else ""
    return replace(model, names=names, signature=signature, loadable=bool(signature.takes), not_run=why)


def _walk_beside(
    source: Source,
    archive: zipfile.ZipFile,
    root: str,
    members: dict[str, zipfile.ZipInfo],
    walked: Walk,
    found: list[Finding],
) -> Storages:
    """Add the names and findings of all members but the first pickle and the numbers; the storages of constants."""
    known = (f"{root}{_TRACED}.pkl", f"{root}{_CONSTANTS}.pkl")
    own = [name for name in members if name in known or name.endswith(".debug_pkl")][:_MOST_PICKLES]
    passed, numbers = {f"{root}data.pkl", *own}, (f"{root}data/", f"{root}{_CONSTANTS}/")
    others = [info for name, info in members.items() if name not in passed and not name.startswith(numbers)]
    inside = inspect_members(source, archive, others)
    walked.names += inside.names
    found.extend(inside.findings)
    constants = Storages(5)
    for name in own:
        storages = constants if name == f"{root}{_CONSTANTS}.pkl" else Storages(5)
        beside = walk(member_source(source, archive, name), persistent=storages)
        walked.names += tuple(replace(use, place=f"member {name}") for use in beside.names)
        found.extend(beside.findings)
    return constants


def _unread(root: str, members: dict[str, zipfile.ZipInfo], storages: Storages, constants: Storages) -> list[Finding]:
    """Members that PyTorch does not write, or that no tensor reads."""
    known = {f"{root}{name}" for name in _MEMBERS} | {f"{root}data/{key}" for key in storages.found}
    known |= {f"{root}{_CONSTANTS}/{key}" for key in constants.found}
    own = (f"{root}code/", f"{root}{_TRACED}")
    others = (name for name in members if name not in known and not name.startswith(own))
    return [
        finding("unread-member", f"nothing reads the member {name[:200]!r}", members[name].header_offset)
        for name in itertools.islice(others, _MAX_TOLD)
        if not name.endswith("/")
    ]


def _odd_notes(archive: zipfile.ZipFile, root: str, members: dict[str, zipfile.ZipInfo]) -> list[Finding]:
    """Members that hold a number or a word (version, byte order) and nothing else in an honest archive."""
    found = []
    for name in (f"{root}{each}" for each in _MEMBERS if not each.endswith(".pkl")):
        info = members.get(name)
        if info is not None and not read_member(archive, info, _NOTE + 1).strip().isalnum():
            found.append(finding("unread-member", f"{name!r} holds more than a word", info.header_offset))
        elif info is not None and info.file_size > _NOTE:
            found.append(finding("unread-member", f"{name!r} holds {info.file_size} bytes", info.header_offset))
    return found


def _sized(storage: Storage, info: Optional[zipfile.ZipInfo]) -> list[Finding]:
    need = storage.count * storage.itemsize
    if info is None:
        return [finding("torch-storage", f"the numbers of storage {storage.key[:100]!r} are not in the archive", 0)]
    if info.file_size != need:
        detail = f"storage {storage.key[:100]!r} needs {need} bytes and has {info.file_size}"
        return [finding("torch-storage", detail, info.header_offset)]
    return []


def _legacy(source: Source) -> Inspection:
    """Five pickles, then the numbers of each storage in the order of their keys."""
    storages = Storages(6)
    walked = walk(source, streams=OLD_STREAMS, persistent=storages)
    roots, found = walked.roots, list[Finding]()
    if len(roots) == OLD_STREAMS:
        if type(roots[0]) is not int or roots[0] != MAGIC or type(roots[1]) is not int or roots[1] != _PROTOCOL:
            found.append(finding("malformed", "PyTorch's magic number or protocol is wrong", 0))
        found.extend(_numbers(source, walked.end, roots[4], storages))
    elif walked.complete:
        found.append(finding("truncated", f"{len(roots)} of PyTorch's {OLD_STREAMS} pickles are there", source.size))
    root = roots[3] if len(roots) > 3 else None
    model: Inspection = _inspection(walked, storages, root, found, {"container": "legacy", "pickles": len(roots)})
    return model


def _numbers(source: Source, offset: int, keys: Value, storages: Storages) -> list[Finding]:
    """Step over the raw numbers, which must be exactly what the pickles announced."""
    if type(keys) is not list or not all(type(key) is str for key in keys):
        return [finding("malformed", "the keys of the storages are no list of strings", offset)]
    for key in keys:
        storage = storages.found.get(key)
        count = int.from_bytes(source.read(offset, 8), "little")
        if storage is None or count != storage.count:
            return [finding("torch-storage", f"storage {key[:100]!r} is not what the pickle says of it", offset)]
        offset += 8 + count * storage.itemsize
        if offset > source.size:
            return [finding("truncated", f"storage {key[:100]!r} is cut off", source.size)]
    if offset < source.size:
        return [finding("trailing-bytes", f"{source.size - offset} bytes follow the last storage", offset)]
    return []
