"""Ways to make a new model out of the current one: fit anew, go on in batches, go on from where it stands."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any, Callable, NamedTuple

from console.worker.child.calls import count
from console.worker.child.live import attribute
from console.worker.child.main import Refusal
from console.worker.child.metrics import take

BATCHES = 20
"""Pieces that the rows are given to `partial_fit` in; progress moves by one at each."""
_MORE_SHARE = 10
"""A warm start adds one in this many estimators to an ensemble."""
_DISPATCH = re.compile(r"\s*(\d+\s*\*\s*)?n_jobs(\s*\*\s*\d+)?\s*|all|\d+")

Step = Callable[[int, int], None]
"""Hears how many pieces are done, and of how many."""


class Fitted(NamedTuple):
    """The new model, and what was changed for its sake, in words."""

    model: Any
    notes: list[str]


def fit(current: Any, mode: str, X: Any, y: Any, step: Step) -> Fitted:
    """A new model from `current`, which may be used up. `mode` is fit, partial_fit or warm_start.

    Raises Refusal when the model cannot be trained so, and whatever its own code raises.
    """
    if mode == "partial_fit":
        return _partial_fit(current, X, y, step)
    if mode == "warm_start":
        return _warm_start(current, X, y)
    if mode != "fit":
        raise Refusal("bad-input", f"there is no way of training called '{mode}'")
    if not hasattr(current, "fit"):
        raise Refusal("bad-input", f"{type(current).__name__} has no fit, so it cannot be trained again")
    return Fitted(_trained(_fresh(current), X, y), [])


def refuse_hazards(model: Any) -> None:
    """Raise Refusal for parameters that would run or unpickle something while training."""
    for name, value in _parameters(model).items():
        last = name.rpartition("__")[2]
        if last == "memory" and value is not None:
            message = "training would unpickle whatever lies in that cache directory"
        elif last == "pre_dispatch" and isinstance(value, str) and not _DISPATCH.fullmatch(value):
            message = "training would evaluate that text as an expression"
        else:
            continue
        raise Refusal("unsafe-parameter", f"the parameter {name} is set: {message}; save the model without it")


def jobs_of(model: Any) -> dict[str, Any]:
    """The `n_jobs` parameters that ask for more than one, by name."""
    found = {name: value for name, value in _parameters(model).items() if name == "n_jobs" or name.endswith("__n_jobs")}
    return {name: value for name, value in found.items() if value not in (None, 1)}


def with_jobs(model: Any, jobs: dict[str, Any]) -> Any:
    """The trained model with the `n_jobs` its parameters had before training was kept to one."""
    known = _parameters(model)
    wanted = {name: value for name, value in jobs.items() if name in known}
    return model.set_params(**wanted) if wanted else model


def _parameters(model: Any) -> dict[str, Any]:
    method = attribute(model, "get_params")
    return dict(method(deep=True)) if callable(method) else {}


def _fresh(model: Any) -> Any:
    """An unfitted copy with the same parameters; what scikit-learn cannot clone is copied as it is."""
    from sklearn.base import clone

    try:
        return clone(model)
    except (TypeError, RuntimeError):
        return copy.deepcopy(model)


def _trained(model: Any, X: Any, y: Any) -> Any:
    model.fit(X) if y is None else model.fit(X, y)
    return model


def _batches(rows: int) -> Iterator[range]:
    size = max(1, -(-rows // BATCHES))
    for start in range(0, rows, size):
        yield range(start, min(start + size, rows))


def _partial_fit(model: Any, X: Any, y: Any, step: Step) -> Fitted:
    """Teach the current model the new rows on top of what it knows; of a pipeline, its last step."""
    steps = attribute(model, "steps")
    last = steps[-1][1] if isinstance(steps, list) and steps else model
    if not hasattr(last, "partial_fit"):
        raise Refusal("bad-input", f'{type(last).__name__} has no partial_fit: use mode = "fit"')
    before = model[:-1] if last is not model and len(steps) > 1 else None
    known = attribute(last, "classes_")
    new = set() if known is None or y is None else {str(one) for one in y} - {str(one) for one in known}
    if new:
        raise Refusal(
            "bad-input", f'partial_fit cannot add the new classes of the target ({len(new)}): use mode = "fit"'
        )
    batches = list(_batches(count(X)))
    for done, batch in enumerate(batches):
        step(done, len(batches))
        rows = take(X, list(batch))
        rows = before.transform(rows) if before is not None else rows
        last.partial_fit(rows) if y is None else last.partial_fit(rows, take(y, list(batch)))
    step(len(batches), len(batches))
    return Fitted(model, [f"taught {count(X)} more rows in {len(batches)} batches"])


def _warm_start(model: Any, X: Any, y: Any) -> Fitted:
    """Fit on from the current solution; an ensemble gets a tenth more estimators, since it keeps those it has."""
    parameters = _parameters(model)
    names = [name for name in parameters if name == "warm_start" or name.endswith("__warm_start")]
    if not names:
        raise Refusal("bad-input", f'{type(model).__name__} has no warm_start: use mode = "fit"')
    notes = []
    for name in names:
        grown = name.replace("warm_start", "n_estimators")
        many = parameters.get(grown)
        if isinstance(many, int):
            more = max(1, many // _MORE_SHARE)
            model.set_params(**{grown: many + more})
            notes.append(f"{grown} grew from {many} to {many + more}")
    model.set_params(**dict.fromkeys(names, True))
    trained = _trained(model, X, y)
    trained.set_params(**{name: parameters[name] for name in names})
    return Fitted(trained, notes)
