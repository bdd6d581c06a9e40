"""Which models may need code that is made while they run: those that name a library not known to do without."""

from __future__ import annotations

import sys

from console.records import Inspection

WITHOUT = frozenset(
    {"sklearn", "numpy", "scipy", "pandas", "joblib", "h5py", "pyarrow", "dateutil", "pytz", "copy_reg"}
)
"""Libraries that run where no memory is both written and executed, as the standard library does; proven by a test."""


def may_compile(inspection: Inspection | None) -> bool:
    """Whether something that the file names may have a compiler of its own, as numba and torch have."""
    packages = {name.module.partition(".")[0] for name in inspection.names} if inspection is not None else set()
    return not packages <= WITHOUT | sys.stdlib_module_names | {"__builtin__"}
