"""skops files as a format: inspected by a reader of its own, built by skops in a worker from the names that were
judged."""

from __future__ import annotations

import importlib
import os
import time
import zipfile
from typing import Any

from backends.core.errors import Damaged, NotLoadable
from backends.core.findings import KINDS, finding
from backends.core.format import LoadedModel
from backends.core.inspection import Finding, Inspection, Json
from backends.core.places import resolve
from backends.core.source import Source
from backends.core.zip_inside import Inside, inspect_members
from backends.core.zip_rules import check_contents, check_members, open_zip, read_member
from backends.formats.pickle.estimators import Facts, read_facts
from backends.formats.skops.arrays import Members
from backends.formats.skops.schema import MAX_BYTES, NEWEST, SCHEMA, OverBudgetError, protocol_of, read_schema
from backends.formats.skops.tree import RANDOM, Tree, text_of

_LOADER = b'"__loader__"'
_WITHOUT = "running it needs the Python package skops: install the skops extra"
_MAX_MEMBERS = 10_000


def sniff(head: bytes, source: Source) -> bool:
    """Whether it is a zip with a tree of skops, whatever else is in it."""
    if source.read(0, 4) != head[:4]:
        return False
    try:
        with open_zip(source) as archive:
            there = SCHEMA in archive.namelist()
            return there and _LOADER in read_member(archive, archive.getinfo(SCHEMA), MAX_BYTES)
    except Damaged:
        return False


def inspect(source: Source) -> Inspection:
    """Classes, parameters, arrays, versions, and each name that building it would ask for. Raises Damaged, OSError."""
    with open_zip(source) as archive:
        if len(archive.infolist()) > _MAX_MEMBERS:
            return _not_read(f"the archive has over {_MAX_MEMBERS:,} members, and is not read")
        findings = [*check_members(source, archive), *check_contents(archive)]
        if SCHEMA not in archive.namelist():
            raise Damaged(f"the archive holds no {SCHEMA}", offset=0)
        info = archive.getinfo(SCHEMA)
        try:
            root = read_schema(read_member(archive, info, MAX_BYTES + 1))
        except OverBudgetError as error:
            return _not_read(str(error))
        members = Members(source, archive)
        tree = Tree(members, protocol_of(root), info.header_offset)
        try:
            facts = read_facts([tree.value(root)])
        except RecursionError:
            raise Damaged(f"{SCHEMA} is nested far deeper than any model", offset=info.header_offset) from None
        inside = _unread(source, archive, members)
        found = [*findings, *tree.findings, *members.findings, *inside.findings, *facts.findings]
        return _inspection(root, tree, members, facts, inside, found)


def _not_read(why: str) -> Inspection:
    return Inspection("skops", loadable=False, findings=(finding("limit", why, 0),))


def _unread(source: Source, archive: zipfile.ZipFile, members: Members) -> Inside:
    """Members that the tree does not name, and what is in them."""
    read = members.used | {SCHEMA}
    others = [info for info in archive.infolist() if info.filename not in read]
    inside = inspect_members(source, archive, others)
    told = [
        finding("unread-member", f"nothing reads the member {info.filename[:200]!r}", info.header_offset)
        for info in others[:20]
    ]
    return Inside(inside.names, (*told, *inside.findings))


def _inspection(
    root: dict[str, Any], tree: Tree, members: Members, facts: Facts, inside: Inside, found: list[Finding]
) -> Inspection:
    protocol = protocol_of(root)
    if protocol > NEWEST:
        found.append(finding("skops-node", f"written in protocol {protocol}, and {NEWEST} is the newest known", 0))
    complete = all(KINDS[each.code] == "note" for each in found)
    details: dict[str, Json] = {**facts.details, "protocol": protocol, "nodes": tree.nodes}
    version = text_of(root.get("_skops_version"))
    return Inspection(
        format="skops",
        model_class=facts.model_class,
        names=(*tree.names.values(), *members.names, *inside.names),
        library_versions={**facts.library_versions, **({"skops": version} if version else {})},
        parameters=facts.models[0].parameters if facts.models else {},
        signature=facts.signature,
        models=tuple(facts.models),
        arrays=(*facts.arrays, *members.arrays),
        n_weights=facts.n_weights + members.numbers,
        complete=complete,
        loadable=complete,
        findings=tuple(found),
        details=details,
    )


def load(source: Source, at: str = "") -> LoadedModel:
    """Build the model with skops, which is allowed just the names that the inspection told, and so was judged by.

    Raises NotLoadable, Damaged, and what skops and the classes in the file raise.
    """
    found = inspect(source)
    if not found.loadable:
        raise NotLoadable("not all of this skops file can be read here, so nothing is built from it")
    began = time.perf_counter()
    reader = _skops()
    imported = time.perf_counter()
    with source.file() as file:
        named = {str(name) for name in found.names}.union(map(".".join, RANDOM))
        root = reader.load(file, trusted=sorted(named))
    phases = {"skops": imported - began, "build": time.perf_counter() - imported}
    return LoadedModel(resolve(root, at), "skops", at, phases)


def save(model: Any, fd: int, **options: Any) -> None:
    """Write `model` with skops. Raises NotLoadable for what skops cannot hold, OSError."""
    if options.get("compression") is not None:
        raise NotLoadable("a skops file is written without a compression")
    writer = _skops()
    try:
        data = writer.dumps(model)
    except Exception as error:
        raise NotLoadable(f"skops cannot hold this model: {str(error)[:300]}") from None
    with os.fdopen(os.dup(fd), "wb") as file:
        file.write(data)


def _skops() -> Any:
    try:
        return importlib.import_module("skops.io")
    except ImportError:
        raise NotLoadable(_WITHOUT) from None
