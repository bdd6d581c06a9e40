from __future__ import annotations

import pytest

from console.records import DataFile
from console.ui.widgets.data_line import fitted, read_words

FILE = DataFile("/d/a.csv", 3, (), None, "separated by ',', header, utf-8, ignored: a, b, c, columns by name")


@pytest.mark.parametrize(
    ("width", "words"),
    [
        (70, "separated by ',' · header · utf-8 · ignored: a, b, c · columns by name"),
        (69, "separated by ',' · header · … · ignored: a, b, c · columns by name"),
        (65, "separated by ',' · … · ignored: a, b, c · columns by name"),
        (31, "separated by ',…columns by name"),
    ],
)
def test_the_middle_gives_way_to_both_ends(width: int, words: str) -> None:
    assert read_words(FILE, width) == words


def test_the_separator_tells_more_than_the_encoding() -> None:
    file = DataFile("/d/a.csv", 3, (), None, "separated by ',', header, utf-8, columns by name")
    assert read_words(file, 47) == "separated by ',' · header · … · columns by name"
    assert read_words(file, 40) == "separated by ',' · … · columns by name"


def test_nothing_decided_is_nothing_said() -> None:
    assert read_words(DataFile("a", 1), 10) == ""
    assert fitted([], 10) == ""
