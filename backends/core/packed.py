"""Artifacts of several files around a model, in a directory or in an archive of them, as a worker gets a directory."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Callable

from backends.core.descriptors import named
from backends.core.errors import Damaged, NotLoadable, Unsupported
from backends.core.findings import KINDS, finding
from backends.core.format import HEAD, LoadedModel
from backends.core.inspection import Finding, GlobalRef, Inspection
from backends.core.registry import inspect, inspect_inside, is_worth_reading, load
from backends.core.source import Source
from backends.core.zip_rules import check_contents, check_members, member_source, open_zip

_MAX_MEMBERS = 2000
_TOLD = 20


def names_in(source: Source) -> tuple[str, ...]:
    """The names of an archive's files; none where it is no archive, or of far more files than an artifact has."""
    try:
        with open_zip(source) as archive:
            found = tuple(
                info.filename for info in archive.infolist()[: _MAX_MEMBERS + 1] if not info.filename.endswith("/")
            )
    except Damaged:
        return ()
    return found if len(found) <= _MAX_MEMBERS else ()


def is_packed(source: Source, head: bytes, members: Callable[[Collection[str]], tuple[str, ...]]) -> bool:
    """Whether a file is an archive whose files make up an artifact by these rules. Raises OSError."""
    return source.read(0, 4) == head[:4] and bool(members(names_in(source)))


@contextmanager
def unpacked(source: Source) -> Iterator[tuple[Mapping[str, Source], list[Finding]]]:
    """The files of an archive by name, and the rules of archives that it breaks. Raises Damaged, OSError."""
    with open_zip(source) as archive:
        findings = [*check_members(source, archive), *check_contents(archive)]
        yield _Files(source, archive), findings


class _Files(Mapping[str, Source]):
    """The files of an archive, each opened when it is first asked for. Asking raises Damaged, OSError."""

    def __init__(self, source: Source, archive: zipfile.ZipFile) -> None:
        self._source = source
        self._archive = archive
        self._names = dict.fromkeys(info.filename for info in archive.infolist() if not info.filename.endswith("/"))
        self._opened: dict[str, Source] = {}

    def __getitem__(self, name: str) -> Source:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._opened:
            found = self._opened[name] = member_source(self._source, self._archive, name)
            found.name, found.depth = os.path.basename(name), self._source.depth + 1
        return self._opened[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def text_in(members: Mapping[str, Source], name: str, limit: int = 1 << 20) -> bytes:
    """The bytes of a small member, none where it is not there. Raises Damaged for one that is not small, OSError."""
    source = members.get(name)
    if source is not None and source.size > limit:
        raise Damaged(f"{name} has {source.size:,} bytes, and at most {limit:,} are read")
    return source.read(0, limit) if source is not None else b""


def model_inside(members: Mapping[str, Source], name: str) -> Inspection:
    """The facts of the member that is the model, each with its place; what nothing reads is not complete.

    Raises Damaged, OSError.
    """
    source = members[name]
    source.name = os.path.basename(name)
    try:
        found = inspect(source)
    except Unsupported as error:
        return Inspection("", loadable=False, details={"not read": f"{name}: {error}"})
    except Damaged as error:
        raise Damaged(f"{name}: {error}", offset=error.offset) from None
    return replace(
        found,
        names=tuple(_placed(use, name) for use in found.names),
        findings=tuple(replace(each, detail=f"{name}: {each.detail}") for each in found.findings),
        details={**found.details, "model file": name, "model format": found.format},
    )


def beside(members: Mapping[str, Source], but: Collection[str]) -> tuple[list[GlobalRef], list[Finding]]:
    """The names and findings of all other members: what could run in one is told. Raises OSError."""
    names: list[GlobalRef] = []
    findings: list[Finding] = []
    for name, source in members.items():
        if name in but or not is_worth_reading(source.read(0, HEAD), source.size):
            continue
        found = inspect_inside(source, name)
        if found is None:
            continue
        names.extend(found.names)
        if found.format and named(found.format).runs_code:
            findings.append(finding("nested-pickle", f"{name} is {named(found.format).title}", 0))
        findings.extend(replace(each, detail=f"{name}: {each.detail}") for each in found.findings)
    return names, findings


def around(inner: Inspection, format_name: str, names: list[GlobalRef], findings: list[Finding]) -> Inspection:
    """The inspection of an artifact around a model: the model's facts, and what else could run or is broken."""
    told = (*inner.findings, *findings)
    broken = any(KINDS[each.code] in ("damaged", "limit") for each in findings)
    return replace(
        inner,
        format=format_name,
        names=(*inner.names, *names),
        findings=told,
        complete=inner.complete and not broken,
        loadable=inner.loadable and not broken,
    )


def load_inside(members: Mapping[str, Source], name: str, at: str) -> LoadedModel:
    """Build the model that one member is, in its own format. Raises NotLoadable, and what that format raises."""
    try:
        found = inspect(members[name])
    except Unsupported as error:
        raise NotLoadable(f"{name} is not run: {error}") from None
    if not found.loadable:
        raise NotLoadable(f"{name} is not run: {named(found.format).not_loadable or 'not all of it can be read'}")
    return load(members[name], found.format, at)


def _placed(use: GlobalRef, name: str) -> GlobalRef:
    return replace(use, place=f"{name}, {use.place}" if use.place else name)


def code_in(members: Mapping[str, Source], code: str, what: str) -> list[Finding]:
    """A finding for Python files among the members, which whoever wrote the artifact would have imported."""
    found = sorted(name for name in members if name.endswith((".py", ".pyc", ".so", ".jar")))
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return [finding(code, f"{what}: {found[0][:200]}{more}", 0)] if found else []
