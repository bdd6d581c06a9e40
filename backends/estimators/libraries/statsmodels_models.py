"""statsmodels: results of arrays, of frames and of formulas."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any, Optional

from backends.core.attributes import attribute
from backends.core.inputs import TEXT, Constant, Kind
from backends.estimators.libraries.base import Library, listed

_CONSTANTS = ("const", "Intercept")
_MEANINGS = {
    "Logit": "predict answers the probability of the second class",
    "Probit": "predict answers the probability of the second class",
    "MNLogit": "predict answers a probability for each class",
    "Poisson": "predict answers the expected count",
}


class Statsmodels(Library):
    """Results of a model with a design matrix; one of a formula makes its design of a frame by itself."""

    def stored(self, part: Any) -> Optional[list[str]]:
        """The columns of the design; a formula makes it of variables with names of their own."""
        return None if _specification(part) is not None else _design_names(part)

    def made_up(self, names: list[str]) -> bool:
        """Whether they are `x1` and so on, with the constant where it stands."""
        plain = [name for name in names if name != "const"]
        return plain == [f"x{at}" for at in range(1, len(plain) + 1)]

    def names(self, part: Any) -> Optional[list[str]]:
        """The columns of the design, or the variables of the formula."""
        return _variables(part) if _specification(part) is not None else super().names(part)

    def count(self, part: Any) -> Optional[int]:
        """The columns of the design, also where its data were removed."""
        design = attribute(part, "model")
        if _specification(part) is not None or _over_time(part) or not _has_design(design):
            return None
        names = _design_names(part)
        shape = getattr(attribute(part, "params"), "shape", None)
        return len(names) if names else (int(shape[0]) if shape else None)

    def kinds(self, part: Any, names: Sequence[str]) -> dict[str, Kind]:
        """Variables of a formula that it takes as categories of text."""
        found = {}
        for factor, info in _factors(part):
            categories = attribute(info, "categories")
            code = str(attribute(factor, "code") or "")
            if categories is None or not all(isinstance(one, str) for one in categories):
                continue
            used = [name for name in _names_in(code) if name in names]
            if len(used) == 1:
                found[used[0]] = Kind(TEXT, frozenset(categories), gaps=True)
        return found

    def constant(self, part: Any) -> Optional[Constant]:
        """The column that `add_constant` added."""
        design = attribute(part, "model")
        data = attribute(design, "data")
        at = attribute(data, "const_idx")
        if _specification(part) is not None or not attribute(data, "k_constant") or not isinstance(at, int):
            return None
        names = _design_names(part)
        if names is not None and names[at] not in _CONSTANTS:
            return None
        rows = attribute(design, "exog")
        value = float(rows[0, at]) if getattr(rows, "ndim", 0) == 2 and len(rows) else 1.0
        return Constant(at, names[at] if names else None, value)

    def cannot(self, part: Any, name: str) -> str:
        """Models of time series take no rows, and some others more than rows."""
        if type(attribute(part, "model")).__name__ == "GLMGam":
            return "takes the columns of its smooth terms apart"
        return "takes a range of time and no rows" if _over_time(part) else ""

    def meaning(self, part: Any) -> str:
        """Models of classes answer probabilities."""
        design = attribute(part, "model")
        if type(attribute(design, "family")).__name__ == "Binomial":
            return "predict answers the probability of the second class"
        return _MEANINGS.get(type(design).__name__, "")


class Picking(Statsmodels):
    """Results of a formula."""

    picks = True


def of(part: Any) -> Library:
    """The entry for these results."""
    return Picking() if _specification(part) is not None else Statsmodels()


def _design_names(part: Any) -> Optional[list[str]]:
    """The columns of the design, without the parameters that some models count among them."""
    if _over_time(part):
        return None
    design = attribute(part, "model")
    found = listed(attribute(design, "exog_names"))
    rows, extra = attribute(design, "exog"), attribute(design, "k_extra")
    if found is None or not (hasattr(rows, "shape") or isinstance(extra, int)):
        return found
    inflated = attribute(design, "k_inflate") is not None
    names = [name for name in found if not name.startswith("inflate_")] if inflated else found
    count = rows.shape[-1] if getattr(rows, "ndim", 0) == 2 else len(found) - (extra or 0)
    return names[:count] if 0 < count < len(found) else found


def _has_design(design: Any) -> bool:
    return attribute(design, "exog_names") is not None or attribute(attribute(design, "data"), "k_constant") is not None


def _over_time(part: Any) -> bool:
    """Whether this is a model of a time series, whose predictions are asked by time."""
    return any(kind.__module__.startswith("statsmodels.tsa.") for kind in type(attribute(part, "model")).__mro__)


def _specification(part: Any) -> Any:
    """The parsed formula, by patsy or formulaic; None without a formula."""
    design = attribute(part, "model")
    data = attribute(design, "data")
    found = attribute(data, "model_spec") or attribute(data, "design_info")
    return found if found is not None else attribute(design, "formula")


def _factors(part: Any) -> list[tuple[Any, Any]]:
    infos = attribute(_specification(part), "factor_infos")
    return list(infos.items()) if isinstance(infos, dict) else []


def _variables(part: Any) -> Optional[list[str]]:
    """The columns that the formula reads, as far as they can be told."""
    specification = _specification(part)
    required = attribute(specification, "required_variables")
    if required is not None:
        return sorted(str(name) for name in required) or None
    used = dict.fromkeys(name for factor, _info in _factors(part) for name in _names_in(str(attribute(factor, "code"))))
    frame = attribute(attribute(attribute(part, "model"), "data"), "frame")
    if frame is not None:
        return [name for name in used if name in list(frame)] or None
    return list(used) or None


def _names_in(code: str) -> Iterator[str]:
    """The variables that an expression reads: names that are no functions or modules, and what `Q("…")` quotes."""
    try:
        tree = ast.parse(code.strip(), mode="eval")
    except SyntaxError:
        return
    inner = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    inner |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and id(node) not in inner:
            yield node.id
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Q":
            yield from (str(one.value) for one in node.args if isinstance(one, ast.Constant))
