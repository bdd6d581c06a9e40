"""Pickles that went through a copy in text mode, which puts a carriage return before every line feed."""

from __future__ import annotations

from dataclasses import replace

from backends.core.findings import finding
from backends.core.impostors_encoded import is_translated
from backends.core.inspection import GlobalRef, Inspection
from backends.core.source import Source

__all__ = ["translated"]

_LOOK = 1 << 20
_BY_IT = ("odd-name", "odd-literal")
"""Findings that the carriage returns alone make in a pickle of protocol 0, and that mislead nobody."""
_DETAIL = (
    "every line feed has a carriage return before it, as after a copy in text mode (FTP, git's autocrlf,"
    " open(path, 'w')): copy or save it again in binary mode"
)


def translated(source: Source, inspection: Inspection) -> Inspection:
    """The inspection of a pickle, with that cause where it was translated so; the names are told as they were.

    One that unpicklers could read as it is stays what it is. Raises OSError.
    """
    if inspection.compression is not None or not (_BROKEN & {each.code for each in inspection.findings}):
        return inspection
    if not is_translated(source.read(0, _LOOK)):
        return inspection
    findings = tuple(each for each in inspection.findings if each.code not in _BY_IT)
    names = tuple(map(_as_written, inspection.names))
    return replace(inspection, names=names, findings=(finding("translated", _DETAIL, 0), *findings), complete=False)


_BROKEN = frozenset(("truncated", "malformed", *_BY_IT))


def _as_written(use: GlobalRef) -> GlobalRef:
    return replace(use, module=use.module.rstrip("\r"), name=use.name.rstrip("\r"))
