"""Versions of the libraries that run a model."""

from __future__ import annotations

import sys

_LIBRARIES = ("numpy", "scipy", "sklearn", "joblib", "pandas", "h5py", "xgboost", "lightgbm", "catboost", "torch")


def library_versions() -> dict[str, str]:
    """Versions of the libraries this process has imported."""
    modules = ((name, sys.modules.get(name)) for name in _LIBRARIES)
    return {name: str(getattr(module, "__version__", "")) for name, module in modules if module is not None}
