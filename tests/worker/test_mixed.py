"""Columns of numbers in which some texts stand, which a model may have failed on."""

from __future__ import annotations

from typing import Any

import numpy
import pandas
import pytest

from console.worker.child.mixed import mixed


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (pandas.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}), ""),
        (pandas.DataFrame({"a": ["1", "2", "5%", "3"], "b": [1, 2, 3, 4]}), "texts among the numbers of 'a' (row 3)"),
        (
            pandas.DataFrame([[1, "n/a"], [2, 3.5], [3, 4.5]], columns=["a", "b"]),
            "texts among the numbers of 'b' (row 1)",
        ),
        (pandas.DataFrame({"a": ["1", "", None, "2"]}), ""),
        (pandas.DataFrame({"a": ["red", "1", "blue"]}), ""),
        (
            pandas.DataFrame([["1", "1", "x"], ["2", "y", "2"], ["x", "3", "3"]]),
            "'0' (row 3), '1' (row 2), '2' (row 1)",
        ),
        (numpy.array([["1", 2], ["3", "?"], ["5", 6]], dtype=object), "texts among the numbers of '1' (row 2)"),
        (numpy.array(["1", "x", "2"], dtype=object), ""),
        (numpy.zeros((2, 2)), ""),
        ([[1, 2]], ""),
    ],
)
def test_texts_among_numbers(rows: Any, says: str) -> None:
    assert says in mixed(rows) if says else not mixed(rows)
