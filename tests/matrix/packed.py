"""The same rows in the binary forms of numpy, scipy, HDF5 and Arrow."""

from __future__ import annotations

import io
from typing import Any

import h5py
import numpy as np
import pandas as pd
from scipy import sparse

from tests.matrix.sheets import Written, file, plain
from tests.matrix.subjects import Subject


@file
def parquet(subject: Subject) -> Written:
    held = io.BytesIO()
    subject.sheet.to_parquet(held)
    return plain(subject, held.getvalue(), suffix="parquet")


@file
def parquet_with_index(subject: Subject) -> Written:
    """Names of rows as an index, which is no input."""
    held = io.BytesIO()
    subject.sheet.set_index(pd.Index([f"r{at}" for at in subject.sheet.index], name="row")).to_parquet(held)
    return plain(subject, held.getvalue(), suffix="parquet", told="left out")


@file
def feather(subject: Subject) -> Written:
    held = io.BytesIO()
    subject.sheet.to_feather(held)
    return plain(subject, held.getvalue(), suffix="feather")


@file
def npy(subject: Subject) -> Written:
    """Numbers as one array with the truth behind them; where there are texts, an array of named fields."""
    held = io.BytesIO()
    if _numeric(subject.sheet):
        width, count = subject.frame.shape[1], len(subject.targets)
        np.save(held, subject.sheet.to_numpy(dtype=float))
        target = tuple(str(width + at) for at in range(count)) or None
        named = target[0] if target is not None and len(target) == 1 else target
        told = "position" if subject.named else ""
        return plain(subject, held.getvalue(), suffix="npy", target=named, told=told)
    columns = {name: _column(subject.sheet[name]) for name in (*subject.columns, *subject.targets)}
    fields = np.empty(len(subject.frame), dtype=[(name, column.dtype) for name, column in columns.items()])
    for name, column in columns.items():
        fields[name] = column
    np.save(held, fields)
    return plain(subject, held.getvalue(), suffix="npy")


@file
def npz(subject: Subject) -> Written:
    held = io.BytesIO()
    np.savez(held, allow_pickle=False, **_arrays(subject))
    return _of_arrays(subject, held.getvalue(), "npz")


@file
def hdf5(subject: Subject) -> Written:
    held = io.BytesIO()
    with h5py.File(held, "w") as place:
        for name, column in _arrays(subject).items():
            texts = column.dtype.kind == "U"
            data = column.astype(object) if texts else column
            place.create_dataset(name, data=data, dtype=h5py.string_dtype() if texts else None)
    return _of_arrays(subject, held.getvalue(), "h5")


@file
def sparse_matrix(subject: Subject) -> Written:
    """The columns of numbers alone; of a model that wants others the matrix lacks those."""
    frame = subject.frame[subject.numbers]
    held = io.BytesIO()
    numbers = frame.to_numpy(dtype=float) if subject.numbers else np.eye(len(subject.frame), 2)
    sparse.save_npz(held, sparse.csr_matrix(numbers))
    lacks = None if frame.shape == subject.frame.shape else rf"\b{numbers.shape[1]} columns|text"
    return plain(subject, held.getvalue(), suffix="npz", target=None, lacks=lacks, sparse=True)


def _numeric(table: pd.DataFrame) -> bool:
    return all(dtype.kind in "iufb" for dtype in table.dtypes)


def _column(column: pd.Series[Any]) -> np.ndarray:
    return column.to_numpy() if column.dtype.kind in "iufb" else np.array(column.tolist(), dtype="U")


def _arrays(subject: Subject) -> dict[str, np.ndarray]:
    """Inputs as one array and the truth beside them; where some are texts, an array for each column."""
    if not _numeric(subject.frame):
        return {name: _column(subject.sheet[name]) for name in (*subject.columns, *subject.targets)}
    found = {"X": subject.frame.to_numpy(dtype=float), "feature_names": np.array(subject.columns, dtype="U")}
    if len(subject.targets) == 1:
        found["y"] = _column(subject.truth.iloc[:, 0])
    elif subject.targets:
        found["y"] = subject.truth.to_numpy()
    return found


def _of_arrays(subject: Subject, data: bytes, suffix: str) -> Written:
    target = "y" if subject.targets and _numeric(subject.frame) else subject.targets[0] if subject.targets else None
    return plain(subject, data, suffix=suffix, target=target)
