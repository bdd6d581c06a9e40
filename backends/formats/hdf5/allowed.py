"""The exact list of names that the HDF5 layouts may build, call or refer to; data, one `role module:name` a line.

Roles: `new` (a class that is instantiated and given state), `call` (called with stored arguments), `name` (only ever
handed over as a value). `tests/make_hdf5_names.py` generates the list from the estimators of scikit-learn.
"""

from __future__ import annotations

import functools
import importlib
import sys
from pathlib import Path
from typing import Any

from backends.core.errors import NotLoadable
from backends.formats.hdf5.layout import split_name

_DATA = Path(__file__).with_name("names.txt")

_MISNAMED = {"_loss": "sklearn._loss._loss"}
"""Modules that compiled classes of some releases give wrongly (scikit-learn up to 1.6), and where they are."""


@functools.cache
def allowed() -> frozenset[str]:
    """Every `role module:name` on the list."""
    lines = _DATA.read_text(encoding="ascii").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def is_allowed(role: str, name: str) -> bool:
    """Whether `module:name` may be used so; what may be built or called may also be referred to."""
    listed = allowed()
    if role == "name":
        return any(f"{each} {name}" in listed for each in ("name", "new", "call"))
    return f"{role} {name}" in listed


def resolve_name(role: str, name: str) -> Any:
    """Import the object behind `module:name`. Raises NotLoadable for what is not on the list or cannot be found."""
    if not is_allowed(role, name):
        raise NotLoadable(
            f"this HDF5 model names {name.replace(':', '.')}, which is not on the list of what the layout may build: "
            "save it as pickle or joblib instead"
        )
    module, qualified = split_name(name)
    try:
        return getattr(importlib.import_module(module), qualified)
    except (ImportError, AttributeError) as error:
        raise NotLoadable(
            f"{name.replace(':', '.')} cannot be found here ({error}): the model was saved with another version of "
            f"{module.partition('.')[0]}"
        ) from error


def name_of(value: Any) -> str:
    """`module:name` of a class or function, proven by looking it up again. Raises NotLoadable when it has none."""
    qualified = str(getattr(value, "__qualname__", None) or getattr(value, "__name__", ""))
    said = str(getattr(value, "__module__", None) or "")
    modules = [_MISNAMED.get(said, said), "numpy", "scipy.special"]
    for module in modules:
        found = getattr(sys.modules.get(module), qualified, None) if qualified else None
        if found is value and value is not None:
            return f"{module}:{qualified}"
    raise NotLoadable(
        f"{qualified or type(value).__name__} has no importable name, so HDF5 cannot refer to it: "
        "use pickle or joblib for this model"
    )
