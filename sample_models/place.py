"""Where a sample writes: models by format, data files, recipes. The same values each time."""

from __future__ import annotations

import csv
import importlib.util
import os
import pickle
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from backends.core import registry

HAS_FRAMES = importlib.util.find_spec("pandas") is not None


def new(root: Path, name: str) -> Path:
    """The path of a file of the store, its directory made."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def save(root: Path, name: str, model: Any, **options: Any) -> None:
    """Write `model` at `name`: HDF5 through the console's own layout, anything else by joblib with its `options`."""
    path = new(root, name)
    if path.suffix != ".h5":
        joblib.dump(model, path, **options)
        return
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        registry.save(model, "hdf5", fd)
    finally:
        os.close(fd)


def pickled(root: Path, name: str, model: Any, *, protocol: int = 5) -> None:
    """Write `model` by the standard library's pickle."""
    new(root, name).write_bytes(pickle.dumps(model, protocol=protocol))


def text(root: Path, name: str, content: str) -> None:
    """Write a small text file, a recipe for instance."""
    new(root, name).write_text(content, "utf-8")


def table(root: Path, name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file; numpy's numbers are written as Python's."""
    with new(root, name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([cell.item() if isinstance(cell, np.generic) else cell for cell in row] for row in rows)


def split(
    root: Path, name: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, train: int
) -> tuple[Sequence[Sequence[object]], Sequence[Sequence[object]]]:
    """Write `rows` as `<name>-train.csv` (the first `train`) and `<name>-holdout.csv`; return both parts."""
    table(root, f"{name}-train.csv", columns, rows[:train])
    table(root, f"{name}-holdout.csv", columns, rows[train:])
    return rows[:train], rows[train:]


def named(values: Any, columns: Sequence[str]) -> Any:
    """`values` with column names where pandas is installed, so that a model keeps them; else the plain array."""
    if not HAS_FRAMES:
        return np.asarray(values)
    import pandas

    return pandas.DataFrame(values, columns=list(columns))
