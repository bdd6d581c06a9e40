"""Pickles that a copy or a download broke: translated as text, encoded, or filled up with zero bytes."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Optional

from backends.core.findings import KINDS, finding
from backends.core.impostors_encoded import encoded_model, is_translated
from backends.core.inspection import Inspection
from backends.core.source import Source
from backends.core.unfilled import unfilled_from

_LOOK = 1 << 20
_MOST = 16 << 20
_BY_TRANSLATION = ("odd-name", "odd-literal")
"""Findings that carriage returns alone make in a pickle of protocol 0, and that mislead nobody."""
_TRANSLATION = (
    "every line feed has a carriage return before it, as after a copy in text mode (FTP, git's autocrlf,"
    " open(path, 'w')): copy or save it again in binary mode"
)
_ALPHABET = re.compile(rb"[A-Za-z0-9+/_\s-]+=*\s*\Z")
"""Of base64, base32 and hexadecimal digits. No opcode among them makes a tuple or a mark: nothing that was named could
be called with arguments, and no persistent id is one that a reader would follow (PyTorch's are tuples)."""
_BY_CHANCE = frozenset(("truncated", "malformed", "odd-literal", "persistent-id", "odd-build", "limit"))


def with_cause(source: Source, inspection: Inspection) -> Inspection:
    """The inspection of a pickle, with what broke it as a finding; the names of a translated one as they were saved.

    One that unpicklers could read as it is stays what it is. Raises OSError.
    """
    codes = {each.code for each in inspection.findings}
    broken = bool(codes & {"truncated", "malformed"})
    if inspection.compression is not None:
        return inspection
    if (broken or codes.intersection(_BY_TRANSLATION)) and is_translated(source.read(0, _LOOK)):
        kept = (each for each in inspection.findings if each.code not in _BY_TRANSLATION)
        names = tuple(
            replace(use, module=use.module.rstrip("\r"), name=use.name.rstrip("\r")) for use in inspection.names
        )
        findings = (finding("translated", _TRANSLATION, 0), *kept)
        inspection = replace(inspection, names=names, findings=findings, complete=False)
    zeros = unfilled_from(source) if broken or "array-size" in codes else None
    return inspection if zeros is None else replace(inspection, findings=(zeros, *inspection.findings))


def encoded(source: Source, inspection: Inspection) -> Optional[str]:
    """The encoding of a model as text that was read as a pickle and broke off without having named anything; None for
    any other file. Raises OSError.
    """
    found = inspection.findings
    if inspection.compression is not None or inspection.names or source.size > _MOST:
        return None
    if not found or any(each.code not in _BY_CHANCE for each in found) or KINDS[found[-1].code] == "limit":
        return None
    data = source.read(0, source.size)
    return encoded_model(data, data.decode("ascii"), source.name) if _ALPHABET.match(data) else None
