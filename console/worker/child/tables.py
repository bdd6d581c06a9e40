"""Data files into what a model takes, read in the child."""

from __future__ import annotations

from typing import Any, Optional

from backends.base import Source


class Table:
    """Rows of inputs `X` and, where a target is known, as many truths `y`."""

    def __init__(self, X: Any, y: Any, columns: list[tuple[str, str]], target: Optional[str]) -> None:
        self.X, self.y, self.columns, self.target = X, y, columns, target
        self.rows = len(X)

    def slice(self, start: int, stop: Optional[int]) -> Any:
        """Rows `start` to `stop` of the inputs."""
        return self.X.iloc[start:stop] if hasattr(self.X, "iloc") else self.X[start:stop]

    def truth(self, start: int, stop: Optional[int]) -> Any:
        """The truths of these rows, or None."""
        return None if self.y is None else self.y[start:stop]


def read_table(source: Source, target: Optional[str], model: Any) -> Table:
    """The table behind a descriptor."""
    import numpy

    X = numpy.load(source.file(), allow_pickle=False)
    return Table(X, None, [(f"{i}", str(X.dtype)) for i in range(X.shape[1])], None)


def frame_of(rows: Any, names: list[str]) -> Any:
    """Rows with named columns, as pandas has them."""
    import pandas

    return pandas.DataFrame(rows, columns=names)
