"""Inputs of a loaded model: names, count, kinds of columns, and what has to be done to a table before it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Optional

NUMBER, TEXT = "number", "text"


@dataclass(frozen=True)
class Kind:
    """One column's kind; `categories` are the texts it was fitted with, `gaps` whether some were missing.

    `words` name what is expected better than the kind does; with `loose` the library takes other dtypes too.
    """

    kind: str
    categories: frozenset[str] = frozenset()
    gaps: bool = False
    words: str = ""
    loose: bool = False


@dataclass(frozen=True)
class Constant:
    """A column of one value that a design has at this place, and that files leave out."""

    at: int
    name: Optional[str]
    value: float = 1.0


class Inputs:
    """Inputs of which names and count are known, or that they are `one_text` for each row, or nothing; a format that
    knows more has a subclass."""

    def __init__(
        self, names: Optional[Sequence[str]] = None, count: Optional[int] = None, *, one_text: bool = False
    ) -> None:
        self._names = names
        self._count = count
        self._one_text = one_text and not names

    @property
    def names(self) -> Optional[list[str]]:
        """The names in the model's own order; None where it knows none, or only names that a library made up."""
        return list(self._names) if self._names else None

    @property
    def placeholders(self) -> Optional[list[str]]:
        """Names that hold where the columns of a file are just these, such as a library makes up for an array's."""
        return None

    @property
    def count(self) -> Optional[int]:
        """How many inputs the model takes; None where it does not say. Zero is not said."""
        return self._count or None

    @property
    def picks(self) -> bool:
        """Whether the model takes the columns that it needs out of a frame, whatever else is in it."""
        return False

    @property
    def takes_array(self) -> bool:
        """Whether the model is known to want an array and no frame."""
        return False

    @property
    def by_name(self) -> bool:
        """Whether the model picks columns of a data frame by their names, which an array has not."""
        return False

    @property
    def takes_texts(self) -> bool:
        """Whether the one input of the model is text."""
        return self._one_text

    @property
    def constant(self) -> Optional[Constant]:
        """The constant column that files leave out; None where the model has none."""
        return None

    def kinds(self, names: list[str]) -> dict[str, Kind]:
        """Column name to what the model expects there; columns of which nothing is known are left out."""
        return {}

    def spelled(self, name: str) -> str:
        """A column's name as the model's library writes it down."""
        return name

    def prepared(self, frame: Any, decided: list[str]) -> Any:
        """The data frame as the model takes it; what was done is appended to `decided`. Raises Refusal."""
        return frame


def kind_of(values: Any) -> Optional[str]:
    """The kind of an array of labels or categories, NUMBER or TEXT; None where it is neither."""
    kind = getattr(getattr(values, "dtype", None), "kind", "")
    if kind in "biuf" and kind:
        return NUMBER
    if kind in "US" and kind:
        return TEXT
    if kind == "O":
        some = [value for value in list(values)[:100] if value is not None and value == value]
        return TEXT if some and all(isinstance(value, str) for value in some) else None
    return None
