"""CatBoost: names and categories, and predictions that are columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Callable, Optional

from backends.core.attributes import attribute
from backends.core.inputs import NUMBER, TEXT, Kind
from backends.estimators.libraries.base import Library, listed

_LOOKED_AT = 1000
_TAG = re.compile(r"tags/v(\d+(?:\.\d+)+)")
_WHOLE = re.compile(r"-?\d+\.0\Z")
_OF_TEXT = ("get_cat_feature_indices", "get_text_feature_indices")


class CatBoost(Library):
    """`CatBoostClassifier` and its kin, which know their count no more once they were unpickled."""

    placeholder = "{}"

    def stored(self, part: Any) -> Optional[list[str]]:
        """The names."""
        return listed(attribute(part, "feature_names_"))

    def count(self, part: Any) -> Optional[int]:
        """As many as there are names."""
        found = self.stored(part)
        return None if found is None else len(found)

    def kinds(self, part: Any, names: Sequence[str]) -> dict[str, Kind]:
        """Categories and texts are read as they are written: CatBoost takes the number 1 for the text "1"."""
        texts = {at for place in _OF_TEXT for at in _indices(part, place)}
        other = _indices(part, "get_embedding_feature_indices")
        kinds = {name: Kind(NUMBER) for at, name in enumerate(names) if at not in texts | other}
        return {**kinds, **{names[at]: Kind(TEXT, loose=True) for at in texts if at < len(names)}}

    def prepared(self, part: Any, frame: Any, decided: list[str]) -> Any:
        """The frame as it is; that whole numbers are written as others may have been trained with is told."""
        names = list(frame)
        for at in sorted(_indices(part, "get_cat_feature_indices")):
            texts = [one for one in frame[names[at]].head(_LOOKED_AT) if isinstance(one, str)]
            if texts and all(_WHOLE.match(one) for one in texts):
                decided.append(f"'{names[at]}' is taken as written, where '{texts[0]}' is not '{texts[0][:-2]}'")
        return frame

    def adapted(self, part: Any, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        """One label a row, where CatBoost gives a column of them."""
        if name != "predict":
            return method

        def predict(rows: Any) -> Any:
            answer = method(rows)
            column = getattr(answer, "ndim", 0) == 2 and answer.shape[1] == 1
            return answer[:, 0] if column else answer

        return predict

    def meaning(self, part: Any) -> str:
        """The plain class answers raw values, whatever it was trained for."""
        return "predict answers raw values of the formula" if type(part).__name__ == "CatBoost" else ""

    def written(self, part: Any) -> dict[str, str]:
        """The tag of the release that is among its metadata."""
        try:
            found = _TAG.search(str(part.get_metadata()["catboost_version_info"]))
        except Exception:
            return {}
        return {"catboost": found[1]} if found else {}


def _indices(part: Any, place: str) -> set[int]:
    try:
        return {int(at) for at in getattr(part, place)()}
    except Exception:
        return set()
