"""XGBoost: boosters, which are asked with a DMatrix, and the estimators around them."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any, Callable, Optional

from backends.core.attributes import attribute
from backends.core.errors import Refusal
from backends.core.inputs import NUMBER, TEXT, Kind
from backends.estimators.libraries.base import Library, as_category, is_category, listed

_CATEGORY = "c"
_MEANINGS = {
    "binary:logistic": "predict answers the probability of the second class",
    "binary:logitraw": "predict answers log-odds of the second class",
    "reg:logistic": "predict answers probabilities",
    "multi:softprob": "predict answers a probability for each class",
    "multi:softmax": "predict answers the number of the class",
    "rank:ndcg": "predict answers scores to rank by",
    "rank:map": "predict answers scores to rank by",
    "rank:pairwise": "predict answers scores to rank by",
}


class XGBoost(Library):
    """`Booster` and `XGBClassifier` and its kin, which hold one."""

    placeholder = "f{}"

    def stored(self, part: Any) -> Optional[list[str]]:
        """The booster's names, which old versions made up where they were given none."""
        return listed(attribute(_booster(part), "feature_names"))

    def count(self, part: Any) -> Optional[int]:
        """The booster's count."""
        try:
            return int(_booster(part).num_features()) or None
        except Exception:
            return None

    def kinds(self, part: Any, names: Sequence[str]) -> dict[str, Kind]:
        """Categories as they were fitted, numbers everywhere else."""
        kinds = dict.fromkeys(names, Kind(NUMBER))
        stored = _stored(part)
        for name, kind in zip(names, _types(part)):
            if kind != _CATEGORY:
                continue
            values = stored.get(name)
            if values is None:
                kinds.pop(name)
            elif all(isinstance(one, str) for one in values):
                kinds[name] = Kind(TEXT, frozenset(values), gaps=True)
            else:
                kinds[name] = Kind(NUMBER, loose=True)
        return kinds

    def prepared(self, part: Any, frame: Any, decided: list[str]) -> Any:
        """Columns of categories get the dtype they were fitted with. Raises Refusal where the model stores none."""
        names = listed(attribute(_booster(part), "feature_names"))
        wanted = [name for name, kind in zip(names or (), _types(part)) if kind == _CATEGORY and name in frame]
        wanted = [name for name in wanted if not is_category(frame[name])]
        stored = _stored(part) if wanted else {}
        unknown = [name for name in wanted if name not in stored]
        if unknown:
            raise Refusal(
                "bad-input",
                f"the model was fitted on categories in '{unknown[0]}' and what it stores of them cannot be read: it "
                "was trained by XGBoost before 3.1, or pyarrow is not installed with it; give a parquet file whose "
                "columns have the category dtype that it was trained with",
            )
        for name in wanted:
            frame = as_category(frame, name, stored[name], decided)
        if wanted:
            decided.append(f"categories as the model stores them: {', '.join(wanted)}")
        return frame

    def adapted(self, part: Any, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        """A booster's `predict` on a DMatrix of the rows, by the names that it knows."""
        if type(part).__name__ != "Booster" or name != "predict":
            return method
        matrix = sys.modules["xgboost"].DMatrix
        names, types = attribute(part, "feature_names"), attribute(part, "feature_types")

        def predict(rows: Any) -> Any:
            if hasattr(rows, "iloc"):
                return method(matrix(rows, enable_categorical=True))
            return method(matrix(rows, feature_names=names, feature_types=types, enable_categorical=True))

        return predict

    def meaning(self, part: Any) -> str:
        """A booster answers what its objective is about, with all its rounds."""
        if type(part).__name__ != "Booster":
            return ""
        try:
            objective = json.loads(part.save_config())["learner"]["objective"]["name"]
            rounds, best = part.num_boosted_rounds(), part.attributes().get("best_iteration")
        except Exception:
            return ""
        parts = [_MEANINGS[objective]] if objective in _MEANINGS else []
        if best is not None and int(best) + 1 < rounds:
            parts.append(f"predict uses all {rounds} rounds, of which round {int(best) + 1} was the best")
        return "; ".join(parts)


def _booster(part: Any) -> Any:
    if type(part).__name__ == "Booster":
        return part
    try:
        return part.get_booster()
    except Exception:
        return None


def _types(part: Any) -> list[str]:
    return listed(attribute(_booster(part), "feature_types")) or []


def _stored(part: Any) -> dict[str, Any]:
    """Categories by column, which XGBoost stores since 3.1 and tells as arrays of pyarrow."""
    try:
        found = _booster(part).get_categories(export_to_arrow=True).to_arrow()
        return {name: values.to_pandas().array for name, values in found if values is not None}
    except Exception:
        return {}
