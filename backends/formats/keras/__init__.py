"""Keras files, read without Keras and run by it: legacy `.h5` models, weights, and `.keras` archives."""

from __future__ import annotations

from typing import Optional

from backends.core.containers import is_zip
from backends.core.footprint import MB, linear
from backends.core.format import Format
from backends.formats.hdf5 import hdf5_format

_MEMBERS = (b"metadata.json", b"config.json", b"model.weights")
_NOT_WRITTEN = "a Keras model is written by Keras: model.save(...)"
_FOOTPRINT = linear(409 * MB, 390 * MB, arrays=1.07, rest=1.0, between=0.4)
"""With PyTorch as the backend of Keras; others take less."""


def _holds_model(head: bytes, size: Optional[int]) -> bool:
    """Whether what stands near the start of such an archive is there."""
    return is_zip(head) and any(member in head for member in _MEMBERS)


FORMATS = (
    hdf5_format(
        name="keras-h5",
        implementation="backends.formats.keras.models:KERAS_H5",
        title="a Keras model in HDF5",
        order=11,
        not_writable=_NOT_WRITTEN,
        extra="keras",
        footprint=_FOOTPRINT,
    ),
    hdf5_format(
        name="keras-weights",
        suffix=".weights.h5",
        implementation="backends.formats.keras.models:KERAS_WEIGHTS",
        title="weights of a Keras model in HDF5",
        order=12,
        not_loadable="these are weights without the model that they belong to: save the whole model with Keras, "
        "model.save('model.keras'), and load that",
        not_writable=_NOT_WRITTEN,
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
        not_writable=_NOT_WRITTEN,
        extra="keras",
        footprint=_FOOTPRINT,
    ),
)
