"""The live score: what the answers of a probe count beside the truth of their rows, as means over all of them."""

from __future__ import annotations

from console.records import Prediction

__all__ = ["Scores"]

_MEANS = {"correct": "accuracy", "absolute": "mean_absolute_error"}
"""The mean of a sum is the metric that scikit-learn calls so."""


class Scores:
    """Adds up answers. `rows` have been compared, `missing` had no truth; `unscored` says why nothing can be."""

    def __init__(self) -> None:
        self.rows = 0
        self.missing = 0
        self.unscored = ""
        self._sums: dict[str, float] = {}

    def add(self, outcome: Prediction) -> None:
        """Take the sums of one answer."""
        told = outcome.score or {}
        self.unscored = outcome.unscored or self.unscored
        self.rows += int(told.get("rows", 0))
        self.missing += int(told.get("missing", 0))
        for name in _MEANS:
            if name in told:
                self._sums[name] = self._sums.get(name, 0.0) + told[name]

    @property
    def means(self) -> dict[str, float]:
        """Accuracy, or mean absolute error; empty where no row was compared."""
        return {_MEANS[name]: found / self.rows for name, found in self._sums.items()} if self.rows else {}
