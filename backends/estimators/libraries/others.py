"""Libraries of which little has to be known: where their names are, or what their methods cannot be asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

from backends.core.attributes import attribute
from backends.core.inputs import NUMBER, TEXT, Kind
from backends.estimators.libraries.base import Library, listed


class Lifelines(Library):
    """Regressions of survival, which take the columns that they need out of a frame."""

    picks = True

    def names(self, part: Any) -> Optional[list[str]]:
        """The variables of the formula, or the columns there were; the baseline's constant is none of them."""
        mappings = attribute(attribute(part, "regressors"), "mappings")
        if not isinstance(mappings, dict):
            return None
        found: dict[str, None] = {}
        for columns in mappings.values():
            required = attribute(columns, "required_variables")
            found.update(dict.fromkeys(sorted(map(str, required)) if required is not None else listed(columns) or []))
        found.pop("Intercept", None)
        return list(found) or None

    def cannot(self, part: Any, name: str) -> str:
        """Curves of a whole population are asked by time."""
        return "" if attribute(part, "regressors") is not None else "takes times and no rows"


class Interpret(Library):
    """Explainable boosting machines, which give names to columns of arrays."""

    placeholder = "feature_{:04d}"

    def stored(self, part: Any) -> Optional[list[str]]:
        """The names."""
        return listed(attribute(part, "feature_names_in_"))

    def kinds(self, part: Any, names: Sequence[str]) -> dict[str, Kind]:
        """The categories of nominal columns are the keys of their bins."""
        types, bins = listed(attribute(part, "feature_types_in_")) or [], attribute(part, "bins_") or []
        found = {name: Kind(NUMBER) for name, kind in zip(names, types) if kind == "continuous"}
        for name, kind, levels in zip(names, types, bins):
            if kind == "nominal" and levels and isinstance(levels[0], dict):
                found[name] = Kind(TEXT, frozenset(map(str, levels[0])), gaps=True, loose=True)
        return found


class CategoryEncoders(Library):
    """Encoders of categories, which know the dtypes that they were fitted on and often the categories."""

    def kinds(self, part: Any, names: Sequence[str]) -> dict[str, Kind]:
        """Columns of objects are text, with the categories of the encoder's own numbering where it has one."""
        dtypes = [getattr(dtype, "kind", "O") for dtype in attribute(part, "feature_dtypes_in_") or ()]
        mappings = attribute(attribute(part, "ordinal_encoder"), "mapping")
        known = {one["col"]: list(one["mapping"].index) for one in mappings or () if isinstance(one, dict)}
        found = {name: Kind(NUMBER) for name, kind in zip(names, dtypes) if kind in "biuf"}
        for name, kind in zip(names, dtypes):
            if kind not in "biuf" and name in (attribute(part, "cols") or ()):
                texts = frozenset(one for one in known.get(name, ()) if isinstance(one, str))
                found[name] = Kind(TEXT, texts, gaps=bool(texts), loose=True)
        return found


class PyGAM(Library):
    """Additive models, which know their count alone."""

    def count(self, part: Any) -> Optional[int]:
        """The columns they were fitted on."""
        found = (attribute(part, "statistics_") or {}).get("m_features")
        return found if isinstance(found, int) else None


class NGBoost(Library):
    """Boosting of distributions, which knows its count alone."""

    def count(self, part: Any) -> Optional[int]:
        """The columns it was fitted on."""
        found = attribute(part, "n_features")
        return found if isinstance(found, int) else None


class Mlxtend(Library):
    """Estimators for arrays; those around others leave the names to them."""

    wants_array = True


class Prophet(Library):
    """Forecasts by date, which take the columns that they need out of a frame."""

    picks = True

    def names(self, part: Any) -> Optional[list[str]]:
        """The date, and what else was added to the model."""
        extra = attribute(part, "extra_regressors")
        bounds = ["cap"] if attribute(part, "growth") == "logistic" else []
        return ["ds", *bounds, *(extra if isinstance(extra, dict) else ())]

    def kinds(self, part: Any, names: Sequence[str]) -> dict[str, Kind]:
        """Nothing: dates may be of any dtype."""
        return {}


class Forecasters(Library):
    """Forecasters of sktime, which are asked by time."""

    def cannot(self, part: Any, name: str) -> str:
        """They take no rows."""
        return "takes a horizon of time and no rows"
