"""Answers of several axes, and of very many numbers, in a line each."""

from __future__ import annotations

from typing import Any

import pytest

from console.cli.answers_out import table_lines
from console.records.words import tensor_words
from console.ui.widgets.keyvalue import value_text

PICTURE: Any = [[[0.5 + row, 0.25] for row in range(3)] for _channel in range(4)]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (PICTURE, "4x3x2: 0.5 0.25 1.5 … 0.25"),
        ([[1, 2], [3, 4]], "2x2: 1 2 3 … 4"),
        ([0.1] * 41, "41: 0.1 0.1 0.1 … 0.1"),
        ([0.1] * 40, ""),
        ([[]], ""),
        ([["a", "b"]], ""),
        ([[1], "b"], ""),
        ([[1], []], ""),
        ([], ""),
        (3.0, ""),
    ],
)
def test_numbers_in_a_few_words(value: Any, words: str) -> None:
    assert tensor_words(value) == words


def test_a_row_of_a_table_has_a_column_for_each_number_or_one_for_all() -> None:
    line = list(table_lines({"predict": [PICTURE, PICTURE]}, header=True))[1]
    assert line.strip() == "4x3x2: 0.5 0.25 1.5 … 0.25"
    assert list(table_lines({"predict": [[1.0, 2.0]]}, header=True)) == ["predict_0  predict_1", "        1          2"]
    assert value_text(PICTURE) == "4x3x2: 0.5 0.25 1.5 … 0.25"
    assert value_text([["scale", "StandardScaler()"]]) == "[['scale', 'StandardScaler()']]"
