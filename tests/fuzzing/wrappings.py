"""Wrappings of a pickle: compressions, HDF5 attributes and datasets, assets of Keras archives, other pickles."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import h5py
import joblib
import numpy as np

__all__ = ["MAX_WRAPPED", "WRAPPINGS"]

MAX_WRAPPED = 60_000
"""The most bytes that an attribute of an HDF5 file takes."""

_LAYER = {"module": "keras.layers", "class_name": "Dense", "config": {"name": "d", "activation": "relu"}}
_CONFIG = json.dumps({"module": "keras", "class_name": "Sequential", "config": {"name": "s", "layers": [_LAYER]}})


def _hdf5(fill: Callable[[Any, bytes], object]) -> Callable[[bytes], bytes]:
    def wrap(data: bytes) -> bytes:
        file = io.BytesIO()
        with h5py.File(file, "w") as made:
            made["numbers"] = np.zeros(3)
            fill(made, data)
        return file.getvalue()

    return wrap


def _rows(made: Any, data: bytes) -> None:
    rows = made.create_dataset("rows", (3,), h5py.vlen_dtype("u1"))
    rows[0], rows[2] = np.zeros(3, "u1"), np.frombuffer(data, "u1")


def _model(made: Any, data: bytes) -> None:
    made.attrs["model_config"] = _CONFIG
    made.create_group("model_weights")
    made.create_group("beside").attrs["x"] = np.void(data)


def _keras(data: bytes) -> bytes:
    weights, file = io.BytesIO(), io.BytesIO()
    with h5py.File(weights, "w") as made:
        made["layers/dense/vars/0"] = [[1.0]]
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", _CONFIG)
        archive.writestr("model.weights.h5", weights.getvalue())
        archive.writestr("assets/words.txt", data)
    return file.getvalue()


def _joblib(data: bytes) -> bytes:
    file = io.BytesIO()
    joblib.dump({"a": np.frombuffer(data, "u1")}, file)
    return file.getvalue()


WRAPPINGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "nothing": ("model.bin", bytes),
    "zlib": ("model.bin", zlib.compress),
    "gzip": ("model.bin", gzip.compress),
    "bz2": ("model.bin", bz2.compress),
    "xz": ("model.bin", lzma.compress),
    "lzma": ("model.bin", lambda data: lzma.compress(data, lzma.FORMAT_ALONE)),
    "an opaque attribute": ("model.h5", _hdf5(lambda made, data: made.attrs.__setitem__("x", np.void(data)))),
    "an attribute of bytes": (
        "model.h5",
        _hdf5(lambda made, data: made["numbers"].attrs.__setitem__("x", np.frombuffer(data, "u1"))),
    ),
    "a dataset of bytes": (
        "model.h5",
        _hdf5(lambda made, data: made.create_dataset("x", data=np.frombuffer(data, "u1"))),
    ),
    "an opaque dataset": ("model.h5", _hdf5(lambda made, data: made.create_dataset("x", data=np.void(data)))),
    "a row of a dataset": ("model.h5", _hdf5(_rows)),
    "beside a Keras model": ("model.h5", _hdf5(_model)),
    "a Keras asset": ("model.keras", _keras),
    "a compressed Keras asset": ("model.keras", lambda data: _keras(zlib.compress(data))),
    "bytes in a pickle": ("model.pkl", lambda data: pickle.dumps([data, 1], 4)),
    "bytes in an old pickle": ("model.pkl", lambda data: pickle.dumps([data, 1], 2)),
    "an array in a pickle": ("model.pkl", lambda data: pickle.dumps([np.frombuffer(data, "u1")], 5)),
    "an array in a joblib file": ("model.joblib", _joblib),
    "a pickle in a pickle": ("model.pkl", lambda data: pickle.dumps([pickle.dumps((0, data), 4)], 4)),
}
"""Title to the name of the file and what makes it of the bytes of a pickle."""
