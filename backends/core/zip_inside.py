"""The members of an archive that its format does not read itself: inspected as files of their own."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from typing import NamedTuple

from backends.core.descriptors import named
from backends.core.errors import Damaged
from backends.core.findings import finding
from backends.core.format import HEAD
from backends.core.inspection import Finding, GlobalRef
from backends.core.registry import inspect_inside, is_worth_reading
from backends.core.source import Source
from backends.core.zip_rules import member_source, read_member


class Inside(NamedTuple):
    """Names and findings of those members."""

    names: tuple[GlobalRef, ...]
    findings: tuple[Finding, ...]


def inspect_members(source: Source, archive: zipfile.ZipFile, infos: Iterable[zipfile.ZipInfo]) -> Inside:
    """Look for models in these members. Raises OSError; a member that cannot be read is told by `check_contents`."""
    names: list[GlobalRef] = []
    findings: list[Finding] = []
    for info in infos:
        place = f"the member {info.filename[:200]!r}"
        try:
            if not is_worth_reading(read_member(archive, info, HEAD), info.file_size):
                continue
            found = inspect_inside(member_source(source, archive, info.filename), place)
        except Damaged as error:
            findings.append(finding("unread-member", f"{place} cannot be read: {error}", info.header_offset))
            continue
        if found is None:
            continue
        if found.format and named(found.format).runs_code:
            findings.append(finding("nested-pickle", f"{place} is {named(found.format).title}", info.header_offset))
        names.extend(found.names)
        findings.extend(Finding(each.code, f"{place}: {each.detail}", info.header_offset) for each in found.findings)
    return Inside(tuple(names), tuple(findings))
