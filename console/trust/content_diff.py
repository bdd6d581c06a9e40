"""How a content differs from the one that stood at its path before, in what it names and declares.

Only what matters for that is kept of a content: a few kilobytes however large the file is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from hashlib import blake2b

from console.records import Artifact, Change, ContentDiff, Inspection, Json, Report
from console.trust import allow_list

_NAMES = 2000
_PARAMETERS = 300
_LONGEST = 120
_CHANGES = 200
_ORDER = ("verdict", "name", "finding", "format", "class", "library", "parameter", "weights", "size")


@dataclass(frozen=True, slots=True)
class Seen:
    """Summary of one content that was inspected. `names` maps each global to how it is used ("called" or "named")."""

    when: float
    size: int
    digest: str | None = None
    format: str | None = None
    model_class: str | None = None
    verdict: str | None = None
    names: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    libraries: dict[str, str] = field(default_factory=dict)
    findings: tuple[str, ...] = ()
    weights: int | None = None
    version: int | None = None

    def fingerprint(self) -> str:
        """The same for contents of which the same was read. The verdict is left out: a policy may change it."""
        facts = replace(self, when=0.0, digest=None, verdict=None, version=None)
        return blake2b(to_json(facts).encode(), digest_size=10).hexdigest()


def seen_of(report: Report, when: float) -> Seen:
    """The remembered facts of a content that was inspected."""
    row, found = report.artifact, report.inspection
    if found is None:
        codes = tuple(reason.code for reason in report.judgement.reasons[:_CHANGES])
        return Seen(when, row.size, row.digest, row.format, verdict=str(report.judgement.verdict), findings=codes)
    return replace(_facts(row, found), when=when, verdict=str(report.judgement.verdict))


def _facts(row: Artifact, found: Inspection) -> Seen:
    used: dict[str, str] = {}
    for use in found.names[:_NAMES]:
        used[_cut(str(use))] = "called" if use.called or used.get(str(use)) == "called" else "named"
    return Seen(
        when=0.0,
        size=row.size,
        digest=row.digest,
        format=f"{found.format} in {found.compression}" if found.compression else found.format,
        model_class=_cut(found.model_class) if found.model_class else None,
        names=used,
        parameters=dict(_parameters(found)),
        libraries={_cut(name): _cut(version) for name, version in list(found.library_versions.items())[:50]},
        findings=tuple(sorted({one.code for one in found.findings})),
        weights=found.n_weights,
    )


def _parameters(found: Inspection) -> Iterator[tuple[str, str]]:
    """Parameters by the place of their model within the outermost one, so that a dict around it changes none."""
    by_place = {model.at: model.parameters for model in found.models} or {"": found.parameters}
    outermost = next(iter(by_place))
    inside = all(place == outermost or place.startswith((f"{outermost}.", f"{outermost}[")) for place in by_place)
    left = _PARAMETERS
    for place, values in by_place.items():
        at = place[len(outermost) :].lstrip(".") if inside else place
        for name, value in values.items():
            if not left:
                return
            left -= 1
            yield _cut(f"{at}.{name}" if at else name), _value(value)


def _value(value: Json) -> str:
    """A value in a line; what is cut off still tells by its hash that it differs."""
    words = json.dumps(value, sort_keys=True)
    if len(words) <= _LONGEST:
        return words
    return f"{words[: _LONGEST - 12]}… {blake2b(words.encode(), digest_size=5).hexdigest()}"


def _cut(text: str) -> str:
    return text if len(text) <= 2 * _LONGEST else f"{text[: 2 * _LONGEST]}…"


def difference(before: Seen, now: Seen) -> ContentDiff:
    """The changes from one content to the next, those that matter most first."""
    changes = [
        *_single("verdict", before.verdict, now.verdict),
        *_mapped("name", before.names, now.names),
        *_mapped("finding", dict.fromkeys(before.findings, "found"), dict.fromkeys(now.findings, "found")),
        *_single("format", before.format, now.format),
        *_single("class", before.model_class, now.model_class),
        *_mapped("library", before.libraries, now.libraries),
        *_mapped("parameter", before.parameters, now.parameters),
        *_single("weights", _number(before.weights), _number(now.weights)),
        *_single("size", str(before.size), str(now.size)),
    ]
    changes.sort(key=lambda change: (_ORDER.index(change.what), change.what == "name" and _harmlessness(change)))
    kept, left_out = tuple(changes[:_CHANGES]), max(0, len(changes) - _CHANGES)
    return ContentDiff(before.when, kept, before.digest, before.version, left_out)


def _harmlessness(change: Change) -> int:
    """The sort key of a change: new before gone, and dangerous names before unlisted ones before known ones."""
    module, _, last = change.name.rpartition(".")
    level = 0 if allow_list.danger(module, last) else 2 if (module, last) in allow_list.allowed() else 1
    return level if change.before is None else 3 + level


def _single(what: str, before: str | None, after: str | None) -> Iterator[Change]:
    if before != after:
        yield Change(what, "", before, after)


def _mapped(what: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Change]:
    """Keys that are new, then those that are gone, then those with another value."""
    yield from (Change(what, name, None, value) for name, value in after.items() if name not in before)
    yield from (Change(what, name, value, None) for name, value in before.items() if name not in after)
    for name, value in after.items():
        if before.get(name, value) != value:
            yield Change(what, name, before[name], value)


def _number(value: int | None) -> str | None:
    return None if value is None else str(value)


def to_json(seen: Seen) -> str:
    """As ASCII, so that any name can be kept."""
    return json.dumps(asdict(seen), separators=(",", ":"))


def from_json(text: str) -> Seen:
    """The record again. Raises ValueError, TypeError for what is none."""
    found = json.loads(text)
    if not isinstance(found, dict) or set(found) != {one.name for one in fields(Seen)}:
        raise ValueError("no record of a content")
    return Seen(**{**found, "findings": tuple(found["findings"])})
