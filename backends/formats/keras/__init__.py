"""Keras files, read without Keras: legacy `.h5` models, weights, and `.keras` archives."""

from __future__ import annotations

from typing import Optional

from backends.core.containers import is_zip
from backends.core.format import Format
from backends.formats.hdf5 import hdf5_format

_MEMBERS = (b"metadata.json", b"config.json", b"model.weights")
_NOT_RUN = (
    "Keras models can be inspected here, but running them arrives later: until then run this one with Keras itself, or"
    " export it with model.export(...) for another runtime"
)


def _holds_model(head: bytes, size: Optional[int]) -> bool:
    """Whether what stands near the start of such an archive is there."""
    return is_zip(head) and any(member in head for member in _MEMBERS)


FORMATS = (
    hdf5_format(
        name="keras-h5",
        implementation="backends.formats.keras.models:KERAS_H5",
        title="a Keras model in HDF5",
        order=11,
        not_loadable=_NOT_RUN,
    ),
    hdf5_format(
        name="keras-weights",
        suffix=".weights.h5",
        implementation="backends.formats.keras.models:KERAS_WEIGHTS",
        title="weights of a Keras model in HDF5",
        order=12,
        not_loadable=_NOT_RUN,
    ),
    Format(
        name="keras",
        suffix=".keras",
        implementation="backends.formats.keras.archive",
        title="a Keras model",
        suffixes=(".zip", ".npz", ".keras"),
        promises=(".keras",),
        starts=is_zip,
        worth=_holds_model,
        order=32,
        compressed=True,
        content="zip",
        not_loadable=_NOT_RUN,
    ),
)
