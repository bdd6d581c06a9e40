"""numpy's own files: one array, or an archive of them."""

from __future__ import annotations

from typing import Optional

from backends.core.containers import is_zip
from backends.core.format import Format

_NO_MODEL = "this file holds arrays, no model: use it as data (--data), or load a model that uses it"


def _holds_arrays(head: bytes, size: Optional[int]) -> bool:
    return is_zip(head) and b".npy" in head


FORMATS = (
    Format(
        name="npy",
        suffix=".npy",
        implementation="backends.formats.npy.arrays:NPY",
        title="a numpy array",
        promises=(".npy",),
        magic=(b"\x93NUMPY",),
        order=20,
        compressed=True,
        bytewise=True,
        not_loadable=_NO_MODEL,
    ),
    Format(
        name="npz",
        suffix=".npz",
        implementation="backends.formats.npy.arrays:NPZ",
        title="an archive of numpy arrays",
        promises=(".npz",),
        starts=is_zip,
        worth=_holds_arrays,
        order=31,
        compressed=True,
        bytewise=True,
        not_loadable=_NO_MODEL,
    ),
)
