"""Libraries that a file names: the versions it was written with, and whether any of them compiles code as it runs."""

from __future__ import annotations

import sys
from functools import cache
from importlib import metadata

from backends.core.descriptors import built_in
from console.library_versions import Versions
from console.records import Inspection

WITHOUT = frozenset(
    {"sklearn", "numpy", "scipy", "pandas", "joblib", "h5py", "pyarrow", "dateutil", "pytz", "copy_reg"}
)
"""Libraries that run where no memory is both written and executed, as the standard library does; proven by a test."""


def may_compile(inspection: Inspection | None) -> bool:
    """Whether something that the file names, or what runs its format, may have a compiler of its own, as numba has."""
    packages = {name.module.partition(".")[0] for name in inspection.names} if inspection is not None else set()
    if inspection is not None and any(each.compiles for each in built_in() if each.name == inspection.format):
        return True
    return not packages <= WITHOUT | sys.stdlib_module_names | {"__builtin__"}


def versions_of(inspection: Inspection | None, python: str | None) -> Versions:
    """Those of the file, and beside them the console's own where `python` names no other interpreter.

    The child that loads the file tells what it has itself; until then, the console's own are what it will have.
    """
    written = dict(inspection.library_versions) if inspection is not None else {}
    numpy = _numpy_major(inspection)
    if numpy:
        written.setdefault("numpy", numpy)
    return Versions(written, {} if python is not None else _installed(written))


def _numpy_major(inspection: Inspection | None) -> str:
    """The first number of numpy's version: its arrays name `numpy.core` until 1, and `numpy._core` from 2 on."""
    names = inspection.names if inspection is not None else ()
    modules = {name.module.split(".")[1] for name in names if name.module.startswith("numpy.")}
    if "_core" in modules:
        return "2"
    return "1" if "core" in modules else ""


_version = cache(metadata.version)
_ALSO = {"xgboost": ("xgboost-cpu",)}
"""Distributions that bring the same library under another name."""


def _installed(names: dict[str, str]) -> dict[str, str]:
    found = {}
    for name in names:
        for distribution in (name, *_ALSO.get(name, ())):
            try:
                found[name] = _version(distribution)
                break
            except (metadata.PackageNotFoundError, ValueError):
                continue
    return found
