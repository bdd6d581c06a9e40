"""Ways to make a new model out of the current one: fit anew, go on in batches, go on from where it stands."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any, Callable, NamedTuple, Optional

from backends.core.attributes import attribute
from backends.core.errors import Refusal
from console.worker.child.answers import take
from console.worker.child.calls import count
from console.worker.child.labels import known_labels, spelling
from console.worker.child.lazy import numpy

BATCHES = 20
"""Pieces that the rows are given to `partial_fit` in; progress moves by one at each."""
_MORE_SHARE = 10
"""A warm start adds one in this many estimators to an ensemble."""
_NAMED = 5
"""So many classes are named in a refusal."""
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
    y = _alike(model, X, y, "partial_fit", complete=False)
    batches = list(_batches(count(X)))
    for done, batch in enumerate(batches):
        step(done, len(batches))
        rows = take(X, list(batch))
        rows = before.transform(rows) if before is not None else rows
        last.partial_fit(rows) if y is None else last.partial_fit(rows, take(y, list(batch)))
    step(len(batches), len(batches))
    return Fitted(model, [f"taught {count(X)} more rows in {len(batches)} batches"])


def _alike(model: Any, X: Any, y: Any, mode: str, *, complete: bool) -> Any:
    """`y` spelled as the model's classes are, for a model that goes on from what it knows.

    Raises Refusal for other features, another number of outputs, or other classes than it knows; with `complete` they
    must be the very same, since a warm start takes the n-th class of the target for the n-th that it knows.
    """
    _same_features(model, X, mode)
    if y is None:
        return None
    truth, known = numpy.asarray(y), attribute(model, "classes_")
    outputs, width = _outputs(model), truth.shape[1] if truth.ndim > 1 else 1
    if outputs is not None and outputs != width:
        raise Refusal("bad-input", f'the model has {outputs} outputs, the target has {width}: use mode = "fit"')
    if isinstance(known, list):
        for position, classes in enumerate(known):
            _same_classes(truth[:, position] if truth.ndim > 1 else truth, classes, mode, complete)
        return y
    if known is None or width > 1:
        return y
    y = known_labels(y, known)
    _same_classes(numpy.asarray(y), known, mode, complete)
    return y


def _same_classes(truth: Any, classes: Any, mode: str, complete: bool) -> None:
    there = {spelling(one) for one in truth.ravel().tolist()}
    known = {spelling(one) for one in numpy.asarray(classes).tolist()}
    parts = [f"adds {_listed(there - known)}"] if there - known else []
    if complete and known - there:
        parts.append(f"lacks {_listed(known - there)}")
    if parts:
        cannot = "add new classes" if not complete else "change the classes"
        message = f'{mode} cannot {cannot} that the model knows: the target {" and ".join(parts)}; use mode = "fit"'
        raise Refusal("bad-input", message)


def _listed(classes: set[str]) -> str:
    named = ", ".join(f"'{one[:60]}'" for one in sorted(classes)[:_NAMED])
    return named + (f" and {len(classes) - _NAMED} more" if len(classes) > _NAMED else "")


def _same_features(model: Any, X: Any, mode: str) -> None:
    names, count_ = attribute(model, "feature_names_in_"), attribute(model, "n_features_in_")
    if names is not None and hasattr(X, "columns") and list(X.columns) != [str(name) for name in names]:
        raise Refusal(
            "bad-input", f"{mode} takes the features that the model knows, in their order: {list(names)[:20]}"
        )
    width = X.shape[1] if getattr(X, "ndim", 0) == 2 else count_
    if count_ is not None and width != count_:
        raise Refusal("bad-input", f'the model knows {count_} features, the rows have {width}: use mode = "fit"')


def _outputs(model: Any) -> Optional[int]:
    """How many values the model answers for a row, where that can be told."""
    steps = attribute(model, "steps")
    last = steps[-1][1] if isinstance(steps, list) and steps else model
    known, weights = attribute(last, "classes_"), attribute(last, "coef_")
    if known is not None:
        return len(known) if isinstance(known, list) else None
    found = attribute(last, "n_outputs_")
    if isinstance(found, int):
        return found
    dimensions = getattr(weights, "ndim", 0)
    return (weights.shape[0] if dimensions == 2 else 1) if dimensions else None


def _growing(name: str, parameters: dict[str, Any]) -> Optional[str]:
    """The parameter that counts what a warm start adds to: trees, which boosting by histograms calls iterations."""
    histograms = name.replace("warm_start", "max_bins") in parameters
    found = name.replace("warm_start", "max_iter" if histograms else "n_estimators")
    return found if isinstance(parameters.get(found), int) else None


def _warm_start(model: Any, X: Any, y: Any) -> Fitted:
    """Fit on from the current solution; an ensemble gets a tenth more estimators, since it keeps those it has."""
    parameters = _parameters(model)
    names = [name for name in parameters if name == "warm_start" or name.endswith("__warm_start")]
    if not names:
        raise Refusal("bad-input", f'{type(model).__name__} has no warm_start: use mode = "fit"')
    y = _alike(model, X, y, "warm_start", complete=True)
    notes = []
    for name in names:
        grown = _growing(name, parameters)
        if grown is not None:
            many = parameters[grown]
            more = max(1, many // _MORE_SHARE)
            model.set_params(**{grown: many + more})
            notes.append(f"{grown} grew from {many} to {many + more}")
    model.set_params(**dict.fromkeys(names, True))
    trained = _trained(model, X, y)
    trained.set_params(**{name: parameters[name] for name in names})
    return Fitted(trained, notes)
