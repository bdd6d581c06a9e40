"""Fit of a file to a model by names and counts, and the column that is most likely the truth."""

from __future__ import annotations

import pytest

from backends.core.inspection import Signature
from console.records import DataColumns, Target
from console.ui.fit import fit_of, likely_target

NAMED = Signature(n_features=2, feature_names=("a", "b"))
COUNTED = Signature(n_features=2)


def columns(*names: str, named: bool = True, apart: str | None = None) -> DataColumns:
    return DataColumns(names, len(names), named, apart)


@pytest.mark.parametrize(
    ("found", "signature", "likely"),
    [
        (columns("a", "b", "churned"), NAMED, "churned"),
        (columns("Unnamed: 0", "a", "churned", "b"), NAMED, "churned"),
        (columns("a", "b", "id", "Label"), NAMED, "Label"),
        (columns("a", "b", "one", "two"), NAMED, None),
        (columns("a", "b", "one", "two"), Signature(2, ("a", "b"), 2), ("one", "two")),
        (columns("a", "b"), NAMED, None),
        (columns("y", "b"), Signature(2, ("y", "b")), None),
        (columns("p", "q", "r"), COUNTED, "r"),
        (columns("y", "q", "r"), COUNTED, "y"),
        (columns("p", "q"), COUNTED, None),
        (columns("0", "1", "2", named=False), COUNTED, "2"),
        (columns("p", "wine", "q", "r"), COUNTED, "wine"),
        (columns("a", "b", apart="y"), NAMED, "y"),
        (columns("p", "class", "q"), Signature(), "class"),
        (columns("p", "q"), Signature(), None),
    ],
)
def test_the_likely_target(found: DataColumns, signature: Signature, likely: Target | None) -> None:
    assert likely_target(found, signature, called=("Wine",)) == likely


@pytest.mark.parametrize(
    ("found", "signature", "target", "fits", "words"),
    [
        (columns("a", "b", "y"), NAMED, "y", True, "both columns that the model names are there"),
        (columns("a", "y"), NAMED, "y", False, "missing of the model's 2 columns: 'b'"),
        (columns("a", "b", "y", "id"), NAMED, "y", False, "not among the model's 2 columns: 'id'"),
        (columns("a", "y", "id"), NAMED, "y", False, "model's 2 columns: 'b'; not among them: 'id'"),
        (columns("Unnamed: 0", "a", "b"), NAMED, None, True, "are there"),
        (columns("0", "1", named=False), NAMED, None, True, "2 columns for the 2 that the model takes"),
        (columns("p", "q", "y"), COUNTED, "y", True, "2 columns for the 2"),
        (columns("p", "q", "y"), COUNTED, None, False, "3 columns, while the model takes 2"),
        (columns("p"), Signature(), None, None, "does not tell"),
    ],
)
def test_the_fit_in_words(
    found: DataColumns, signature: Signature, target: str | None, fits: bool | None, words: str
) -> None:
    fit = fit_of(found, signature, target)
    assert fit.fits is fits
    assert words in fit.words


def test_what_the_recipe_leaves_out_is_no_input() -> None:
    assert fit_of(columns("a", "b", "id"), NAMED, None, ("id",)).fits
    assert likely_target(columns("a", "b", "id"), NAMED, ("id",)) is None
