"""The library versions that a file was written with, as far as its bytes tell without being run."""

from __future__ import annotations

from importlib import metadata

from console.library_versions import Versions
from console.records import Inspection

__all__ = ["versions_of"]


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


def _installed(names: dict[str, str]) -> dict[str, str]:
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except (metadata.PackageNotFoundError, ValueError):
            continue
    return found
