"""Methods that rows can be asked of: which a model has, which is asked unless another is named, and why one is not.

Besides the usual ones that is any public method whose name begins with `predict`, such as `predict_median`.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Optional

from backends.core.attributes import attribute
from backends.core.errors import Refusal
from backends.core.model import CALLED, USUAL
from backends.estimators.libraries.parts import library_of, receivers

_METHODS = ("predict", "predict_proba", "decision_function", "transform", "score")
"""What every model is looked through for, in this order."""
_ON_ROWS = re.compile(r"(?:predict|decision_function|score_samples|transform)(?:_\w+)?\Z")
_ONE_ROW = re.compile(r"(?:predict|transform|score)\w*_one\Z")
_NAMES_CAP = 40


def methods_of(model: Any) -> list[str]:
    """The usual methods that the model has; where none of them answers rows, the others that do."""
    found = [name for name in _METHODS if _why_not(model, name) is None]
    if not set(USUAL).isdisjoint(found):
        return found
    return found + [name for name in _public(model) if name not in _METHODS and _why_not(model, name) is None]


def method_of(model: Any, name: str) -> Callable[..., Any]:
    """The model's method of this name, as one that takes rows. Raises Refusal that says why there is none."""
    why = _why_not(model, name)
    if why is not None:
        able = [one for one in methods_of(model) if one != "score"]
        there = f"; it has {', '.join(able)}" if able else f": {what_it_has(model)}"
        raise Refusal("bad-input", f"{type(model).__name__} {why}{there}")
    method: Callable[..., Any] = getattr(model, name)
    if name == "score":
        return method
    part = _last(model)
    adapted = library_of(part).adapted(part, name, method)
    return _of_records(adapted) if any(library_of(one).records for one in receivers(model)) else adapted


def _of_records(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method of a model that takes a dictionary for each row, as one that takes a data frame."""
    return lambda rows: method(rows.to_dict("records") if hasattr(rows, "iloc") else rows)


def nothing_to_call(model: Any) -> Refusal:
    """The refusal of whatever needs an answer of a model that gives none."""
    others = [name for name in methods_of(model) if name != "score"]
    kind = type(model).__name__
    if others:
        return Refusal(
            "bad-input", f"{kind} has none of {', '.join(USUAL)}; name one of {', '.join(others)} (--method)"
        )
    whys = (_why_not(model, name) or "" for name in USUAL)
    why = next((found for found in whys if found and not found.startswith("has no ")), "")
    reason = f"it {why}" if why else _reason(model, "predict")
    because = f" ({reason})" if reason else ""
    return Refusal("bad-input", f"{kind} has no method that answers rows{because}: {what_it_has(model)}")


def _why_not(model: Any, name: str) -> Optional[str]:
    """Why rows cannot be asked of this method; None where they can."""
    known = name in _METHODS or _ON_ROWS.match(name)
    if _ONE_ROW.match(name) and callable(attribute(model, name)):
        return f"has {name}, which takes one row at a time and no table"
    if not known:
        there = not name.startswith("_") and callable(attribute(model, name))
        return f"has {name}, which this console does not call on rows" if there else f"has no {name}"
    if isinstance(model, type) or _is_data(model) or not callable(attribute(model, name)):
        reason = _reason(model, name)
        return f"has no {name}" + (f" ({reason})" if reason else "")
    why = library_of(model).cannot(model, name)
    return f"has {name}, which {why}" if why else None


def _reason(model: Any, name: str) -> str:
    """Why a model whose class has a method has it not itself, in its own words; "" where it says nothing."""
    if not any(name in vars(kind) for kind in type(model).__mro__):
        return ""
    try:
        getattr(model, name)
    except Exception as error:
        deepest: BaseException = error
        while deepest.__cause__ is not None:
            deepest = deepest.__cause__
        return (str(deepest).strip().splitlines() or [""])[0][:200]
    return ""


def what_it_has(model: Any) -> str:
    """The methods that a model has, and those that this console calls."""
    if isinstance(model, type):
        return f"it is the class {model.__name__}, no fitted model; {CALLED}"
    if _is_data(model):
        return f"it is no model; {CALLED}"
    there = _public(model)
    more = f" and {len(there) - _NAMES_CAP} more" if len(there) > _NAMES_CAP else ""
    return f"it has {', '.join(there[:_NAMES_CAP]) or 'no public method'}{more}; {CALLED}"


def _is_data(model: Any) -> bool:
    """Whether this is plain data, a table or an array, which may have methods of the same names."""
    plain = model is None or isinstance(model, (dict, list, tuple, set, str, bytes, int, float))
    return plain or (hasattr(model, "shape") and (hasattr(model, "dtype") or hasattr(model, "iloc")))


def _public(model: Any) -> list[str]:
    """The names of the model's public methods."""
    try:
        names = dir(model)
    except Exception:
        return []
    return [name for name in names if not name.startswith("_") and callable(attribute(model, name))]


def _last(model: Any) -> Any:
    """The part whose answer the model hands on: itself, or the last step of a pipeline."""
    for _ in range(8):
        steps = attribute(model, "steps")
        inner = steps[-1][1] if isinstance(steps, list) and steps and isinstance(steps[-1], tuple) else None
        inner = inner if inner is not None else attribute(model, "best_estimator_")
        if inner is None:
            return model
        model = inner
    return model
