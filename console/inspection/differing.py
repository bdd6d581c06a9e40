"""How two artifacts differ, from their inspections and the norms of their arrays."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from backends.core.inspection import ArrayInfo, Signature, TensorSpec
from console.records import ArrayChange, ArrayNorm, Change, Differences, Inspection, Report
from console.trust.content_diff import difference, seen_of

_MOST = 2_000
"""Changes of arrays that are listed."""
_NAMES_SHOWN = 8
_DTYPE = 20
_FITTED = re.compile(r"\w_\[\d+\]")
"""The place of a part that fitting has made, whose parameters are those of the whole."""
Norms = Mapping[str, ArrayNorm]


def differences(before: Report, after: Report, norms_before: Norms, norms_after: Norms) -> Differences:
    """The differences from one artifact to another; the norms are empty where they are not known."""
    first, second = before.inspection, after.inspection
    declared = [
        change
        for change in difference(seen_of(before, 0.0), seen_of(after, 0.0)).changes
        if change.what != "parameter" or _FITTED.search(change.name) is None
    ]
    changes = [*declared, *_signature_changes(first, second)]
    measured = bool(norms_before) and bool(norms_after)
    old, new = _arrays(first), _arrays(second)
    found = [
        change
        for name in dict.fromkeys((*old, *new))
        if (change := _array_change(name, old.get(name), new.get(name), norms_before, norms_after)) is not None
    ]
    found.sort(key=_weight)
    alike = sum(name in new for name in old) - sum(None not in (one.before, one.after) for one in found)
    paths = before.artifact.path, after.artifact.path
    return Differences(*paths, tuple(changes), tuple(found[:_MOST]), alike, measured, max(0, len(found) - _MOST))


def _arrays(found: Inspection | None) -> dict[str, ArrayInfo]:
    return {} if found is None else {array.name: array for array in found.arrays}


def _array_change(
    name: str, old: ArrayInfo | None, new: ArrayInfo | None, norms_before: Norms, norms_after: Norms
) -> ArrayChange | None:
    """The change of one array; None where it is the same in both, as far as that is known."""
    before, after = norms_before.get(name), norms_after.get(name)
    if old is not None and new is not None and old.shape == new.shape:
        known = before is not None and after is not None
        if before == after if known else old.dtype == new.dtype:
            return None
    return ArrayChange(name, _array(old), _array(new), _norm(before), _norm(after))


def _norm(one: ArrayNorm | None) -> float | None:
    return None if one is None else one.norm


def _array(one: ArrayInfo | None) -> str | None:
    return None if one is None else f"{one.dtype[:_DTYPE]} {'x'.join(map(str, one.shape)) or 'scalar'}"


def _weight(change: ArrayChange) -> tuple[int, float, str]:
    """The sort key: those of one side alone, then other shapes, then those whose norm has changed most."""
    if change.before is None or change.after is None:
        return 0, 0.0, change.name
    if change.before != change.after:
        return 1, 0.0, change.name
    return 2, -abs(ratio(change)), change.name


def ratio(change: ArrayChange) -> float:
    """How much the norm has changed, as a part of what it was; 0 where it is not known."""
    before, after = change.norm_before, change.norm_after
    if before is None or after is None:
        return 0.0
    return (after - before) / before if before else float(after > 0)


def _signature_changes(first: Inspection | None, second: Inspection | None) -> Iterator[Change]:
    before = {} if first is None else _told(first.signature)
    after = {} if second is None else _told(second.signature)
    for name in dict.fromkeys((*before, *after)):
        if before.get(name) != after.get(name):
            yield Change("signature", name, before.get(name), after.get(name))


def _told(signature: Signature) -> dict[str, str]:
    """Inputs and outputs of a model, by the names that the overview has for them."""
    found: dict[str, str] = {}
    if signature.n_features is not None:
        found["inputs"] = str(signature.n_features)
    if signature.outputs is not None:
        found["outputs"] = str(signature.outputs)
    if signature.feature_names is not None:
        found["names of inputs"] = _listed(signature.feature_names)
    if signature.classes is not None:
        found["classes"] = _listed(signature.classes)
    found |= {f"takes {one.name}": _spec(one) for one in signature.takes}
    return found | {f"gives {one.name}": _spec(one) for one in signature.gives}


def _listed(values: tuple[object, ...]) -> str:
    more = f" and {len(values) - _NAMES_SHOWN} more" if len(values) > _NAMES_SHOWN else ""
    return ", ".join(map(str, values[:_NAMES_SHOWN])) + more


def _spec(one: TensorSpec) -> str:
    shape = "any rank" if one.shape is None else "x".join("?" if side is None else str(side) for side in one.shape)
    return f"{one.dtype or 'any type'} {shape or 'scalar'}"
