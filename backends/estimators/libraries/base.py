"""Entries of libraries: what each tells of its models; what it leaves out is as scikit-learn has it, or unknown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable, Optional

from backends.core.attributes import attribute
from backends.core.errors import Refusal
from backends.core.inputs import Constant, Kind


class Library:
    """The models of one library: of each `part`, a fitted object of it, what it knows."""

    picks = False
    """Whether the models take the columns that they need out of a frame, whatever else is in it."""
    wants_array = False
    """Whether the models cannot be given a data frame."""
    records = False
    """Whether the models take a dictionary for each row."""

    placeholder = ""
    """The form of the names that the library makes up for columns of an array, with the number in braces."""

    def stored(self, part: Any) -> Optional[list[str]]:
        """The names of the inputs as the model has them, be they made up."""
        return None

    def made_up(self, names: list[str]) -> bool:
        """Whether these names were made up."""
        return bool(self.placeholder) and numbered(names, self.placeholder)

    def names(self, part: Any) -> Optional[list[str]]:
        """The names of the inputs in the model's order; None where it has none."""
        found = self.stored(part)
        return None if found is None or self.made_up(found) else found

    def placeholders(self, part: Any) -> Optional[list[str]]:
        """The names that the library made up for columns of an array."""
        found = self.stored(part)
        return found if found is not None and self.made_up(found) else None

    def count(self, part: Any) -> Optional[int]:
        """How many inputs there are; None where only scikit-learn's attributes may tell."""
        return None

    def kinds(self, part: Any, names: Sequence[str]) -> dict[str, Kind]:
        """Column name to what is expected there; columns of which nothing is known are left out."""
        return {}

    def constant(self, part: Any) -> Optional[Constant]:
        """The column that is added where a file has all others."""
        return None

    def spelled(self, name: str) -> str:
        """A column's name as the library writes it down."""
        return name

    def prepared(self, part: Any, frame: Any, decided: list[str]) -> Any:
        """The data frame as the model takes it; what was done is appended to `decided`. Raises Refusal."""
        return frame

    def adapted(self, part: Any, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        """The method as one that takes rows and gives one answer for each."""
        return method

    def cannot(self, part: Any, name: str) -> str:
        """Why a method that the model has cannot be asked rows; "" where it can."""
        return ""

    def meaning(self, part: Any) -> str:
        """The meaning of what `predict` answers, where that is not what its name says."""
        return ""

    def written(self, part: Any) -> dict[str, str]:
        """Versions of libraries that the model says it was written with."""
        return {}


def listed(found: Any) -> Optional[list[str]]:
    """Names as a list of texts, also of a method that gives them; None for none."""
    if callable(found):
        try:
            found = found()
        except Exception:
            return None
    if found is None or isinstance(found, (str, bytes)):
        return None
    try:
        return [str(name) for name in found] or None
    except TypeError:
        return None


def numbered(names: Optional[Sequence[str]], *forms: str) -> bool:
    """Whether these are the names of one of the forms, counted up from zero."""
    return names is not None and any(list(names) == [form.format(at) for at in range(len(names))] for form in forms)


def is_category(column: Any) -> bool:
    """Whether a column has the category dtype of pandas."""
    return attribute(attribute(column, "dtype"), "categories") is not None


def as_category(frame: Any, name: str, categories: Any, decided: list[str]) -> Any:
    """The frame with this column as one of these categories, in their order; values that are none become missing.

    Raises Refusal where no value at all is a category.
    """
    import pandas

    column = frame[name]
    levels = pandas.Index(categories)
    found = pandas.Categorical.from_codes(levels.get_indexer(column), categories=levels)
    there = column.notna().to_numpy()
    unknown = there & (found.codes < 0)
    if unknown.any() and unknown.sum() == there.sum():
        some = ", ".join(f"'{one}'" for one in list(categories)[:3])
        message = f"column '{name}' holds none of the categories that the model knows ({some} …)"
        raise Refusal("bad-input", message)
    if unknown.any():
        decided.append(f"'{name}' has {int(unknown.sum()):,} values that the model does not know: taken as missing")
    return frame.assign(**{name: pandas.Series(found, index=frame.index)})
