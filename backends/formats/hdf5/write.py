"""Write an HDF5 file to an open descriptor."""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import io
import os
import platform
from collections.abc import Iterator
from typing import Any

import h5py

_ALIGN_FROM = 64 * 1024
_LIBRARIES = {"scikit-learn": "sklearn", "numpy": "numpy", "scipy": "scipy", "h5py": "h5py"}


def write_versions(file: Any) -> None:
    """Put the version of each library that a model of ours depends on among the attributes of the root group."""
    file.attrs["version python"] = platform.python_version()
    for name, module in _LIBRARIES.items():
        file.attrs[f"version {name}"] = str(importlib.import_module(module).__version__)


@contextlib.contextmanager
def create(fd: int) -> Iterator[Any]:
    """A new HDF5 file in the empty file behind `fd`; large arrays are aligned so that they can be mapped later.

    libhdf5 reads back what it writes, so a descriptor open for writing alone gets an image made in memory.
    Raises OSError.
    """
    settings = {"libver": ("v108", "v110"), "alignment_threshold": _ALIGN_FROM, "alignment_interval": 64}
    if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDWR:
        with io.FileIO(fd, "r+", closefd=False) as raw, h5py.File(raw, "w", **settings) as file:
            yield file
        return
    with h5py.File("model", "w", driver="core", backing_store=False, **settings) as file:
        yield file
        file.flush()
        image = file.id.get_file_image()
    with io.FileIO(fd, "w", closefd=False) as out, io.BufferedWriter(out) as buffered:
        buffered.write(image)
