"""The formats there are, by name: those in the folders of `backends.formats`, and those of other distributions."""

from __future__ import annotations

import importlib
from functools import lru_cache
from typing import Optional

from backends.core import third_party
from backends.core.errors import Unsupported
from backends.core.format import Format
from backends.core.inspection import Inspection

_LEAST = 12
"""Fewer bytes than this begin like a file by chance."""


@lru_cache(maxsize=1)
def built_in() -> tuple[Format, ...]:
    """The formats that come with the console, in the order in which they are asked."""
    folders = importlib.import_module("backends.formats").BUILT_IN
    packages = (importlib.import_module(f"backends.formats.{folder}") for folder in folders)
    return tuple(sorted((each for package in packages for each in package.FORMATS), key=lambda each: each.order))


@lru_cache(maxsize=1)
def _by_name() -> dict[str, Format]:
    return {each.name: each for each in built_in()}


def named(name: str) -> Format:
    """The format of this name; in children also one of another distribution. Raises Unsupported where there is none."""
    found = _by_name().get(name) or next((each for each in third_party.formats().found if each.name == name), None)
    if found is None:
        raise Unsupported(f"no format is called '{name}'; known formats: {', '.join(_by_name())}")
    return found


def why_not_loadable(inspection: Inspection) -> str:
    """Why nothing is loaded from such a file, and what to do instead."""
    found = _by_name().get(inspection.format)
    return inspection.not_run or (found and found.not_loadable) or f"nothing here runs {inspection.format} files"


def runs_directories(name: str) -> bool:
    """Whether a directory in the format of this name is run; false for a name that is no format's."""
    found = _by_name().get(name)
    return found is not None and found.packed is not None


def title_of(head: bytes) -> Optional[str]:
    """Title of the format whose magic number these first bytes are; None where they are none's."""
    if len(head) < _LEAST:
        return None
    for each in built_in():
        if each.magic and head.startswith(each.magic) and each.may_be(head):
            return each.title
    return None
