"""Judges the facts read from an artifact: one verdict, and the reasons in plain words, worst first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from backends.core.descriptors import why_not_loadable
from backends.core.findings import KINDS
from backends.core.inspection import Finding, GlobalRef, Inspection, Json
from console.records import Judgement, Reason, Verdict
from console.trust import allow_list
from console.trust.policy import Policy
from console.trust.policy_file import Pin

SEVERITY = (Verdict.BLOCKED, Verdict.DAMAGED, Verdict.UNSUPPORTED, Verdict.REVIEW, Verdict.SAFE)
"""Worst first: what would run code counts before what is merely broken."""

_BY_KIND = {
    "damaged": Verdict.DAMAGED,
    "evasion": Verdict.BLOCKED,
    "limit": Verdict.BLOCKED,
    "code": Verdict.REVIEW,
    "note": Verdict.SAFE,
}

FINDING_VERDICTS = {
    "trailing-bytes": Verdict.REVIEW,
    "extension-mismatch": Verdict.REVIEW,
    "legacy-zfile": Verdict.REVIEW,
    "unopened": Verdict.UNSUPPORTED,
    "persistent-id": Verdict.BLOCKED,
    "legacy-wrapper": Verdict.BLOCKED,
    "hdf5-external-link": Verdict.BLOCKED,
    "hdf5-external-storage": Verdict.BLOCKED,
    "hdf5-virtual": Verdict.BLOCKED,
    "tensorflow-code": Verdict.BLOCKED,
    "tensorflow-writes": Verdict.BLOCKED,
    "transformers-code": Verdict.BLOCKED,
}
"""Findings judged otherwise than their kind is: broken without harm, worth a look, never seen, or a way to other
files."""

_REASONS_CAP = 100
_SAFE_DISPATCH = re.compile(r"\s*(\d+\s*\*\s*)?n_jobs(\s*\*\s*\d+)?\s*|all|\d+")


def verdict_of_finding(code: str) -> Verdict:
    """The verdict on a file with this finding alone; a code that nobody has judged is not let through."""
    return FINDING_VERDICTS.get(code) or _BY_KIND.get(KINDS.get(code, ""), Verdict.BLOCKED)


def judge(inspection: Inspection, policy: Policy, digest: str | None = None) -> Judgement:
    """The verdict on what was read from one content. `digest` finds the pin of an operator who accepted it before.

    `safe` needs a complete walk and every name on the exact list (or trusted by the policy). Only `review` can be
    accepted, so only there a pin is told.
    """
    weighed = [
        *_names(inspection, policy),
        *_findings(inspection),
        *_completeness(inspection),
        *_remarks(inspection),
    ]
    weighed.sort(key=lambda pair: SEVERITY.index(pair[0]))
    verdict = weighed[0][0] if weighed else Verdict.SAFE
    pin = policy.pin(digest) if verdict is Verdict.REVIEW else None
    pinned = _words_of(pin) if pin else None
    return Judgement(verdict, _capped([reason for _verdict, reason in weighed]), pinned)


def _words_of(pin: Pin) -> str:
    """Who accepted it, when, as which artifact and why."""
    return f"{pin.who} on {_day(pin.when)}{f' for {pin.artifact}' if pin.artifact else ''}: {pin.why}"


def _day(when: str) -> str:
    """`2026-05-01 10:00 UTC` of a time as the policy writes it; another spelling stays as it is."""
    try:
        then = datetime.fromisoformat(when)
    except ValueError:
        return when
    return then.strftime("%Y-%m-%d %H:%M UTC") if then.utcoffset() == timedelta() else when


def refit_hazards(parameters: dict[str, Json]) -> Iterator[tuple[str, str]]:
    """Parameters that would run or write something when the model is trained again: (parameter, what it would do)."""
    for name, value in parameters.items():
        last = name.rpartition("__")[2]
        if last == "memory" and value not in (None, ""):
            yield name, "training would unpickle whatever lies in that cache directory"
        if last == "pre_dispatch" and isinstance(value, str) and not _SAFE_DISPATCH.fullmatch(value):
            yield name, "training would evaluate that text as an expression"


def _names(inspection: Inspection, policy: Policy) -> Iterator[tuple[Verdict, Reason]]:
    """Each name once, and in an archive once for each of its members."""
    seen: set[tuple[str, str, str]] = set()
    for use in inspection.names:
        key = (use.module, use.name)
        where = f", in {use.place}" if use.place and inspection.format == "archive" else ""
        if (*key, where) in seen or allow_list.harmless(use):
            continue
        seen.add((*key, where))
        found = allow_list.danger(*key)
        if found is not None:
            yield Verdict.BLOCKED, Reason("dangerous-name", f"{use} could {found.could}{where}", use.offset)
        elif allow_list.known(use):
            continue
        elif str(use) in policy.trusted:
            source = policy.trusted_in.get(str(use), "the policy")
            yield Verdict.SAFE, Reason("trusted-by-policy", f"{use} is trusted by {source}{where}", use.offset)
        else:
            yield Verdict.REVIEW, Reason("unlisted-name", _unlisted(use) + where, use.offset)
            yield from _not_followed(use, policy)


def _not_followed(use: GlobalRef, policy: Policy) -> Iterator[tuple[Verdict, Reason]]:
    """That a policy file would trust a name, and why its word does not count."""
    where = policy.untrusted_in.get(str(use))
    source = next((one for one in policy.sources if one.path == where), None)
    if source is not None:
        text = f"{where} would trust {use}, but it is not followed: {source.distrusted}"
        yield Verdict.REVIEW, Reason("policy-not-followed", text, use.offset)


def _unlisted(use: GlobalRef) -> str:
    verb = "calls" if use.called else "takes"
    if use.module == "__main__":
        return f"{use} was defined in a script, which the file does not contain: loading {verb} whatever has that name"
    return f"{use} is not on the list of known names: loading imports {use.module} and {verb} {use.name}"


def weighed_findings(inspection: Inspection) -> Iterator[tuple[Verdict, Finding]]:
    """Findings by their own verdicts."""
    for found in inspection.findings:
        yield verdict_of_finding(found.code), found


def _findings(inspection: Inspection) -> Iterator[tuple[Verdict, Reason]]:
    for verdict, found in weighed_findings(inspection):
        yield verdict, Reason(found.code, found.detail, found.offset)


def _completeness(inspection: Inspection) -> Iterator[tuple[Verdict, Reason]]:
    if not inspection.complete:
        yield (
            Verdict.REVIEW,
            Reason("incomplete", "not every byte could be accounted for: there may be more in it"),
        )


def _remarks(inspection: Inspection) -> Iterator[tuple[Verdict, Reason]]:
    """Remarks that change nothing about loading."""
    if inspection.complete and not inspection.loadable:
        yield Verdict.SAFE, Reason("not-loadable", why_not_loadable(inspection))
    parameters = {"": inspection.parameters, **{model.at: model.parameters for model in inspection.models}}
    told: set[str] = set()
    for at, values in parameters.items():
        for name, what in refit_hazards(values):
            text = f"{name} is set{f' at {at}' if at else ''}: {what}, so an update is refused"
            if name not in told:
                told.add(name)
                yield Verdict.SAFE, Reason("refit", text)


def _capped(reasons: list[Reason]) -> tuple[Reason, ...]:
    if len(reasons) <= _REASONS_CAP:
        return tuple(reasons)
    rest = len(reasons) - _REASONS_CAP
    return (*reasons[:_REASONS_CAP], Reason("more", f"and {rest} more reasons of the same or a lesser kind"))
