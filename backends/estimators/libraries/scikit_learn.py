"""scikit-learn's transformers that take something else than rows: a label each, or a dictionary each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

from backends.core.attributes import attribute
from backends.core.inputs import NUMBER, TEXT, Kind
from backends.estimators.libraries.base import Library, listed

_OF_LABELS = ("LabelEncoder", "LabelBinarizer", "MultiLabelBinarizer")


class Preprocessing(Library):
    """Encoders, of which some are for the truth and not for the rows."""

    def cannot(self, part: Any, name: str) -> str:
        """Encoders of labels take no rows."""
        return "takes labels and no rows" if type(part).__name__ in _OF_LABELS else ""


class Dictionaries(Library):
    """Vectorizers of dictionaries, which get one for each row of a table."""

    picks = True
    records = True

    def names(self, part: Any) -> Optional[list[str]]:
        """The keys; one of a text is written down with each of its texts behind it."""
        return list(_keys(part)) or None

    def count(self, part: Any) -> Optional[int]:
        """As many as there are keys."""
        return len(_keys(part)) or None

    def kinds(self, part: Any, names: Sequence[str]) -> dict[str, Kind]:
        """Texts where the keys have some, numbers where they have none; nothing where they have both."""
        keys = _keys(part)
        found = {name: Kind(NUMBER, loose=True) for name in names if keys.get(name) == {None}}
        texts = {name for name in names if None not in keys.get(name, {None})}
        return {**found, **{name: Kind(TEXT, gaps=True, loose=True) for name in texts}}

    def cannot(self, part: Any, name: str) -> str:
        """A hasher of texts or of pairs takes lists of them."""
        kind = attribute(part, "input_type") or "dict"
        return "" if kind == "dict" else f"takes lists ({kind}) and no rows"


def _keys(part: Any) -> dict[str, set[Optional[str]]]:
    """Key to the texts that it is known with; None stands for a number."""
    separator = str(attribute(part, "separator") or "=")
    found: dict[str, set[Optional[str]]] = {}
    for name in listed(attribute(part, "feature_names_")) or ():
        key, _, text = name.partition(separator)
        found.setdefault(key, set()).add(text if separator in name else None)
    return found
