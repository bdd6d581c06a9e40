"""Comparison of the current model with a candidate, from the inspections of both files."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from backends.core.inspection import Inspection, Json, ModelEntry, lies_in
from console.records import Candidate, Judgement, Quantiles

_VALUE_CAP = 200
_PART = re.compile(r"\w+\[(\d+)\]\[1\]")
"""Where a pipeline, union, vote or column transformer keeps its named parts."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison as it was measured: its content, the facts of it and how it did."""

    digest: str
    size: int
    inspection: Inspection
    judgement: Judgement
    metrics: dict[str, float] = field(default_factory=dict)
    latencies: tuple[float, ...] = ()


def entry_at(inspection: Inspection, at: str) -> ModelEntry | None:
    """The facts of the model at this place, of the first one where nothing stands there."""
    found = next((entry for entry in inspection.models if entry.at == at), None)
    return found or next(iter(inspection.models), None)


def describe(side: Side, at: str) -> Candidate:
    """The record of one side, with the class and parameters of the model at `at`."""
    entry = entry_at(side.inspection, at)
    return Candidate(
        digest=side.digest,
        size=side.size,
        model_class=entry.class_name if entry else side.inspection.model_class,
        parameters=_parameters(side.inspection, entry) if entry else dict(side.inspection.parameters),
        metrics=dict(side.metrics),
        latency=quantiles(side.latencies),
        judgement=side.judgement,
        library_versions=dict(side.inspection.library_versions),
    )


def _parameters(inspection: Inspection, entry: ModelEntry) -> dict[str, Json]:
    """The parameters of a model and of what it is built from, named as `set_params` names them (`clf__C`)."""
    found: dict[str, Json] = dict(entry.parameters)
    prefixes = {entry.at: ""}
    entries = {entry.at: entry}
    for part in inspection.models:
        above = max((at for at in entries if lies_in(part.at, at)), key=len, default=None)
        if above is None:
            continue
        step = part.at[len(above) :].lstrip(".")
        attribute = step.split("[")[0]
        if attribute.startswith("_") or attribute.endswith("_"):
            continue
        named = _PART.fullmatch(step)
        steps = entries[above].steps
        name = steps[int(named[1])] if named and int(named[1]) < len(steps) else step
        entries[part.at] = part
        prefixes[part.at] = f"{prefixes[above]}{name}__"
        found.update({prefixes[part.at] + key: value for key, value in part.parameters.items()})
    return found


def changes(current: Candidate, candidate: Candidate) -> tuple[tuple[str, str, str], ...]:
    """(what, before, after) for everything about the two files that differs: class, parameters, versions, trust."""
    found: list[tuple[str, str, str]] = []
    _note(found, "class", current.model_class, candidate.model_class)
    _note_all(found, "", current.parameters, candidate.parameters)
    _note_all(found, "version of ", dict(current.library_versions), dict(candidate.library_versions))
    if current.judgement is not None and candidate.judgement is not None:
        _note(found, "trust", str(current.judgement.verdict), str(candidate.judgement.verdict))
    return tuple(found)


def quantiles(durations: tuple[float, ...]) -> Quantiles | None:
    """Quantiles of durations in milliseconds (nearest rank), None of none."""
    if not durations:
        return None
    ordered = sorted(durations)

    def rank(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    return Quantiles(rank(0.5), rank(0.9), rank(0.99), ordered[-1], len(ordered))


def _note_all(found: list[tuple[str, str, str]], prefix: str, before: dict[str, Json], after: dict[str, Json]) -> None:
    for name in sorted(before.keys() | after.keys()):
        _note(found, prefix + name, before.get(name), after.get(name))


def _note(found: list[tuple[str, str, str]], what: str, before: Json, after: Json) -> None:
    if before != after:
        found.append((what, _shown(before), _shown(after)))


def _shown(value: Json) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _VALUE_CAP else text[: _VALUE_CAP - 1] + "…"
