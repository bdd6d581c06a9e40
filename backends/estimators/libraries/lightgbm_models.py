"""LightGBM: names, categories and the objective of boosters and of the estimators around them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Optional

from backends.core.attributes import attribute
from backends.core.errors import Refusal
from backends.core.inputs import NUMBER, TEXT, Kind
from backends.estimators.libraries.base import Library, as_category, is_category, listed

_MEANINGS = {
    "binary": "predict answers the probability of the second class",
    "cross_entropy": "predict answers probabilities",
    "multiclass": "predict answers a probability for each class",
    "multiclassova": "predict answers a probability for each class",
    "lambdarank": "predict answers scores to rank by",
    "rank_xendcg": "predict answers scores to rank by",
}


class LightGBM(Library):
    """`Booster` and `LGBMClassifier` and its kin, which hold one."""

    placeholder = "Column_{}"

    def stored(self, part: Any) -> Optional[list[str]]:
        """The booster's names."""
        return listed(attribute(_booster(part), "feature_name"))

    def count(self, part: Any) -> Optional[int]:
        """The booster's count."""
        names = self.stored(part)
        return None if names is None else len(names)

    def spelled(self, name: str) -> str:
        """LightGBM writes names down with underscores for blanks."""
        return re.sub(r"\s", "_", name)

    def kinds(self, part: Any, names: Sequence[str]) -> dict[str, Kind]:
        """Categories as they were fitted, numbers everywhere else; nothing where it is not known which is which."""
        stored, places = _stored(part), _places(part)
        if places is None:
            return {}
        kinds = dict.fromkeys(names, Kind(NUMBER))
        for at in _codes(_booster(part)):
            if at < len(names):
                kinds[names[at]] = Kind(NUMBER, words="number (code of a category; the model stores no texts for it)")
        for at, categories in zip(places, stored):
            found = _kind_of(categories)
            if found is None:
                kinds.pop(names[at], None)
            else:
                kinds[names[at]] = found
        return kinds

    def prepared(self, part: Any, frame: Any, decided: list[str]) -> Any:
        """Columns of categories get the dtype they were fitted with, so that their codes are the same."""
        stored, places = _stored(part), _places(part)
        names = list(frame)
        already = sum(is_category(frame[name]) for name in names)
        if not stored or already == len(stored):
            return frame
        if places is None:
            raise Refusal(
                "bad-input",
                f"the model was fitted on {len(stored)} category columns and does not tell which they are: "
                "give a parquet file whose columns have the category dtype",
            )
        made = []
        for at, categories in zip(places, stored):
            if not is_category(frame[names[at]]):
                frame = as_category(frame, names[at], categories, decided)
                made.append(names[at])
        if made:
            decided.append(f"categories as the model stores them: {', '.join(made)}")
        return frame

    def meaning(self, part: Any) -> str:
        """A booster answers what its objective is about, not labels."""
        if type(part).__name__ != "Booster":
            return ""
        found = re.search(r"^objective=(\w+)", _text(part), re.M)
        return _MEANINGS.get(found.group(1), "") if found else ""


def _booster(part: Any) -> Any:
    return part if type(part).__name__ == "Booster" else attribute(part, "booster_")


def _stored(part: Any) -> list[Any]:
    """The categories of each category column that the model was fitted on, in the order of the columns."""
    found = attribute(_booster(part), "pandas_categorical")
    return found if isinstance(found, list) else []


def _text(booster: Any) -> str:
    """The model as text with one tree, which holds its parameters."""
    try:
        return str(booster.model_to_string(num_iteration=1))
    except Exception:
        return ""


def _codes(booster: Any) -> list[int]:
    """The columns that the booster takes as categories."""
    found = re.search(r"^\[categorical_feature: ([\d,]*)\]", _text(booster), re.M)
    return sorted(int(one) for one in found.group(1).split(",") if one) if found else []


def _places(part: Any) -> Optional[list[int]]:
    """The columns whose categories are stored; None where columns and categories cannot be told to belong together.

    They need not: ordered categories are no categories to LightGBM, and whole numbers may be some.
    """
    booster, stored = _booster(part), _stored(part)
    places = _codes(booster)
    if not stored:
        return []
    infos = re.search(r"^feature_infos=(.*)$", _text(booster), re.M)
    ranges = infos.group(1).split(" ") if infos else []
    if len(places) != len(stored) or len(ranges) <= places[-1]:
        return None
    fits = all(
        ranges[at] == "none" or max((int(code) for code in re.findall(r"-?\d+", ranges[at])), default=0) < len(values)
        for at, values in zip(places, stored)
    )
    return places if fits else None


def _kind_of(categories: Any) -> Optional[Kind]:
    if all(isinstance(one, str) for one in categories):
        return Kind(TEXT, frozenset(categories), gaps=True)
    numbers = all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in categories)
    return Kind(NUMBER, loose=True) if numbers else None
