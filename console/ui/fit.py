"""Fit of a data file to a model as far as names and counts tell it, before anything is started."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from backends.core.inspection import Signature
from console.records import DataColumns, Target

__all__ = ["Fit", "fit_of", "likely_target"]

_TARGET_NAMES = ("target", "y", "label", "labels", "class", "classes", "outcome", "truth", "y_true", "response")
_INDEX_NAMES = ("Unnamed: ", "__index_level_")
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether a file fits, None where that cannot be told yet, and why in words; outside text is in them as it is."""

    fits: bool | None
    words: str


def likely_target(
    columns: DataColumns, signature: Signature, ignored: Collection[str] = (), called: Collection[str] = ()
) -> Target | None:
    """The column that is most likely the truth, None where none is.

    That is what the model does not name, else one that is called as targets are, or as the model is (`called`), else
    the last of one column too many.
    """
    if columns.apart is not None:
        return columns.apart
    names, wanted = columns.names, signature.feature_names
    others = [name for name in names if name not in ignored and not name.startswith(_INDEX_NAMES)]
    if wanted:
        others = [name for name in others if name not in set(wanted)]
        if len(others) == 1:
            return others[0]
        if 1 < len(others) == signature.outputs and signature.classes is None:
            return tuple(others)
    usual = {name.lower(): name for name in reversed(others)}
    named = next((usual[name] for name in (*_TARGET_NAMES, *map(str.lower, called)) if name in usual), None)
    if named is not None or wanted:
        return named
    return others[-1] if others and signature.n_features == len(others) - 1 else None


def fit_of(columns: DataColumns, signature: Signature, target: Target | None, ignored: Collection[str] = ()) -> Fit:
    """How the columns beside the target fit what the model takes."""
    targets = {target} if isinstance(target, str) else set(target or ())
    wanted, count = signature.feature_names, signature.n_features
    inputs = [name for name in columns.names if name not in targets and name not in ignored]
    if wanted and columns.named and columns.total == len(columns.names):
        return _by_name(inputs, wanted)
    found = columns.total - (len(columns.names) - len(inputs))
    indexes = sum(name.startswith(_INDEX_NAMES) for name in inputs) if columns.named else 0
    count = len(wanted) if wanted else count
    if not count:
        return Fit(None, "its file does not tell what the model takes; that is seen when rows are sent")
    if count in (found, found - indexes):
        return Fit(True, f"{_columns(count)} for the {count:,} that the model takes")
    return Fit(False, f"{_columns(found)}, while the model takes {count:,}")


def _by_name(inputs: Sequence[str], wanted: Sequence[str]) -> Fit:
    there, known = set(inputs), set(wanted)
    missing = [name for name in wanted if name not in there]
    surplus = [name for name in inputs if name not in known and not name.startswith(_INDEX_NAMES)]
    parts = []
    if missing:
        parts.append(f"missing of the model's {_columns(len(wanted))}: {_some(missing)}")
    if surplus:
        them = "them" if missing else f"the model's {_columns(len(wanted))}"
        parts.append(f"not among {them}: {_some(surplus)}")
    if parts:
        return Fit(False, "; ".join(parts))
    many = {1: "the one column", 2: "both columns"}.get(len(wanted), f"all {len(wanted):,} columns")
    return Fit(True, f"{many} that the model names {'is' if len(wanted) == 1 else 'are'} there")


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(f"'{name}'" for name in names[:_NAMED]) + more


def _columns(count: int) -> str:
    return f"{count:,} column{'s' * (count != 1)}"
