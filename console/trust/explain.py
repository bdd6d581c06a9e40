"""A verdict in plain words: what the names in a file could do, where they stand, and what it would take to load it."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Iterator

from backends.core import registry
from backends.core.findings import FINDING_CODES, KINDS
from backends.core.inspection import Finding, GlobalRef, Inspection
from console.records import Claim, ContentDiff, Evidence, Explanation, Judgement, Reason, Verdict
from console.trust import allow_list
from console.trust.policy import Policy
from console.trust.verdict import SEVERITY, weighed_findings

_MENTIONS = 50
_NAMED = 5
_MEANINGS = {entry.code: entry.meaning for entry in FINDING_CODES}
_KINDS = {
    "damaged": "The bytes are broken or incomplete.",
    "evasion": "No honest program writes this: it serves to hide something from whoever only looks.",
    "limit": "What comes after it was not read, so nobody can say what it would do.",
    "code": "It can run or read something by itself.",
    "note": "",
}
_SCRIPT = "names what was defined in a script that the file does not contain"
_OF_REASONS = {
    "incomplete": Verdict.REVIEW,
    "not-loadable": Verdict.SAFE,
    "policy-not-followed": Verdict.REVIEW,
    "refit": Verdict.SAFE,
    "trusted-by-policy": Verdict.SAFE,
}
"""What reasons that stand behind no name and no finding make of a file by themselves."""
_GETATTR = ("builtins.getattr", "__builtin__.getattr")
_HEADLINES: dict[Verdict | None, str] = {
    Verdict.SAFE: "Every byte was read, and it names nothing but what models need.",
    Verdict.REVIEW: "Something in it has to be looked at by a person before it is loaded.",
    Verdict.BLOCKED: "It is built to mislead whoever looks at it, so it is not loaded.",
    Verdict.DAMAGED: "The file is broken: it cannot be loaded, and nothing in it was run.",
    Verdict.UNSUPPORTED: "Nothing here reads this format, so nobody can say what is in it.",
}
_OTHER_FILES = ("no-model", "file")
"""Reasons that say themselves what stands where a model should."""
_CUT_OFF = frozenset(("truncated", "damaged-compression", "incomplete"))
_FIRST_HALF = re.compile(r'(?:"[^"]*"|.)*?(?=: | \(pickle says|\Z)', re.DOTALL)
"""Up to the first colon that does not stand in what is quoted from the file."""

_TRY_AGAIN = "nothing is known of the file yet: it is inspected once the machine can do it again"


def explain(
    found: Inspection | None, judgement: Judgement, policy: Policy, since: ContentDiff | None = None
) -> Explanation:
    """The explanation of `judgement` on what was found; `since` marks what the last version did not have.

    Without facts the reasons of the judgement are all there is to say, without a verdict the first of them.
    """
    if judgement.verdict is None:
        return Explanation(f"It is {judgement.reasons[0].detail}.", takes=(_TRY_AGAIN,), since=since)
    points = list(_other_reasons(judgement.reasons, judgement.verdict, found))
    if found is not None:
        points += [*_name_points(found, policy, _new_names(since)), *_finding_points(found)]
    unlisted = () if found is None else tuple(_unlisted(found, policy))
    line = _policy_line(unlisted) if judgement.verdict is Verdict.REVIEW else None
    ordered = tuple(_sorted(points))
    headline = _headline(judgement, ordered, unlisted)
    runs = found is None or found.loadable
    takes = tuple(_takes(judgement, ordered, line, _members(found))) if runs else ()
    return Explanation(headline, ordered, takes, line, since)


def _new_names(since: ContentDiff | None) -> frozenset[str]:
    changes = since.changes if since is not None else ()
    return frozenset(one.name for one in changes if one.what == "name" and one.before is None)


def _sorted(points: Iterable[Claim]) -> list[Claim]:
    """Worst first, and what is new before what was there already."""
    return sorted(points, key=lambda one: (SEVERITY.index(one.verdict), not any(each.new for each in one.mentions)))


# names


def _name_points(found: Inspection, policy: Policy, fresh: frozenset[str]) -> Iterator[Claim]:
    """One point for all names that could do the same, one for each library that is not listed."""
    groups: dict[tuple[str, str], list[Evidence]] = {}
    for use in _once(found.names, every_place=found.format == "archive"):
        key = _group(use, policy)
        if key is not None:
            groups.setdefault(key, []).append(_mention(use, found, str(use) in fresh))
    for (code, about), mentions in groups.items():
        mentions.sort(key=lambda one: (not one.new, one.offset or 0))
        kept, more = tuple(mentions[:_MENTIONS]), max(0, len(mentions) - _MENTIONS)
        if code == "dangerous-name":
            yield Claim(code, Verdict.BLOCKED, f"could {about}", _way_out(kept), kept, more)
        elif about == "__main__":
            text = "Loading it takes whatever has that name in the worker, which may be nothing."
            yield Claim(code, Verdict.REVIEW, _SCRIPT, text, kept, more)
        else:
            title = f"names {about}, which is on no list of known names"
            if about in _known_libraries():
                title = f"names parts of {about} that are not on the list of known names"
            text = f"Loading it imports {about} and runs what is named here. A policy can trust these names."
            yield Claim(code, Verdict.REVIEW, title, text, kept, more)


def _way_out(mentions: tuple[Evidence, ...]) -> str:
    """The conditions under which a file that is blocked by these names alone would be allowed."""
    if all(one.name in _GETATTR for one in mentions):
        return (
            "It is allowed as the method of a class on the list, such as str.split: save the model without methods of "
            "objects and attributes of attributes."
        )
    return "No policy can trust such a name: the file is allowed once it is saved without it."


@functools.cache
def _known_libraries() -> frozenset[str]:
    return frozenset(module.partition(".")[0] for module, _ in allow_list.allowed())


def _once(uses: Iterable[GlobalRef], *, every_place: bool = False) -> Iterator[GlobalRef]:
    seen: set[tuple[str, str, str]] = set()
    for use in uses:
        key = (use.module, use.name, use.place if every_place else "")
        if key not in seen:
            seen.add(key)
            yield use


def _group(use: GlobalRef, policy: Policy) -> tuple[str, str] | None:
    """The group of a name: (code, what it could do, or its library); None where it is known and harmless."""
    if allow_list.harmless(use):
        return None
    found = allow_list.danger(use.module, use.name)
    if found is not None:
        return "dangerous-name", found.could
    if allow_list.known(use) or str(use) in policy.trusted:
        return None
    return "unlisted-name", use.module.partition(".")[0]


def _unlisted(found: Inspection, policy: Policy) -> Iterator[GlobalRef]:
    for use in _once(found.names):
        group = _group(use, policy)
        if group is not None and group[0] == "unlisted-name":
            yield use


def _mention(use: GlobalRef, found: Inspection, new: bool) -> Evidence:
    at = next((one.at for one in found.models if one.class_name == str(use)), "")
    words = "named, not called"
    if use.called:
        words = f"called with {use.arguments}" if use.arguments else "called"
    if not str(use).isascii():
        words += f", spelled {ascii(str(use))[1:-1]}"
    where = _where(use, found, at)
    return Evidence(str(use), words, where, use.offset, use.place, at, use.called, use.arguments, new)


def _where(use: GlobalRef, found: Inspection, at: str) -> str:
    parts = []
    if use.offset or registry.counts_in_bytes(found.format):
        of = f" of {use.place}" if use.place else ""
        unpacked = f", after {found.compression} is unpacked" if found.compression else ""
        parts.append(f"byte {use.offset:,}{of}{unpacked}")
    if at:
        parts.append(f"in the model at {at}")
    return ", ".join(parts)


# findings


def _finding_points(found: Inspection) -> Iterator[Claim]:
    """One point for each kind of finding."""
    groups: dict[str, list[tuple[Verdict, Finding]]] = {}
    for verdict, one in weighed_findings(found):
        groups.setdefault(one.code, []).append((verdict, one))
    for code, findings in groups.items():
        worst = min((verdict for verdict, _ in findings), key=SEVERITY.index)
        mentions = tuple(
            Evidence(one.detail, where=f"byte {one.offset:,}" if one.offset is not None else "", offset=one.offset)
            for _, one in findings[:_MENTIONS]
        )
        text = _KINDS.get(KINDS.get(code, ""), "")
        yield Claim(code, worst, _MEANINGS.get(code, code), text, mentions, max(0, len(findings) - _MENTIONS))


def _other_reasons(reasons: Iterable[Reason], worst: Verdict, found: Inspection | None) -> Iterator[Claim]:
    """Reasons that stand behind no name and no finding; where there are no facts, all of them."""
    told: set[str] = set()
    if found is not None:
        told = {"dangerous-name", "unlisted-name", "more", *(one.code for one in found.findings)}
        if any(KINDS.get(one.code) in ("damaged", "limit") for one in found.findings):
            told.add("incomplete")
    for reason in reasons:
        if reason.code not in told:
            verdict = _OF_REASONS.get(reason.code, worst)
            where = f"byte {reason.offset:,}" if reason.offset is not None else ""
            mentions = (Evidence("", where=where, offset=reason.offset),) if where else ()
            yield Claim(reason.code, verdict, reason.detail, "", mentions)


# the sentence on top, and the way out


def _headline(judgement: Judgement, points: tuple[Claim, ...], unlisted: tuple[GlobalRef, ...]) -> str:
    dangerous = [one for one in points if one.code == "dangerous-name"]
    if len(dangerous) == 1 and len(dangerous[0].mentions) == 1:
        only = dangerous[0].mentions[0]
        verb = "calls" if only.called else "names"
        return f"Loading it {verb} {_familiar(only.name)}, which {dangerous[0].title}."
    if dangerous:
        return f"Loading it could {_joined([one.title.removeprefix('could ') for one in dangerous[:3]])}."
    if judgement.verdict is Verdict.REVIEW and judgement.pinned:
        return f"It was accepted by {judgement.pinned}."
    if judgement.verdict is Verdict.REVIEW and unlisted:
        libraries = list(dict.fromkeys(use.module.partition(".")[0] for use in unlisted))
        if libraries == ["__main__"]:
            return "It needs code from a script that is not part of the file."
        shown = [name for name in libraries if name != "__main__"]
        rest = f" and {len(shown) - 3} more" if len(shown) > 3 else ""
        return f"Loading it runs code of {', '.join(shown[:3])}{rest}, which this console does not know."
    if judgement.verdict is Verdict.BLOCKED and any(KINDS.get(one.code) == "limit" for one in points):
        return "It is too large, too deep or too slow to be read to its end, so nobody can say what it would do."
    if judgement.verdict is Verdict.UNSUPPORTED and any(one.code == "unopened" for one in points):
        return "Not all of it could be opened, so nobody can say what is in it."
    if judgement.verdict is Verdict.UNSUPPORTED and judgement.reasons[0].code in _OTHER_FILES:
        return _sentence(judgement.reasons[0].detail)
    if judgement.verdict is Verdict.DAMAGED and _is_cut_off(points):
        return "The file is cut off: not all of it is here, and nothing in it was run."
    if judgement.verdict is Verdict.SAFE and any(one.code == "trusted-by-policy" for one in points):
        return "Every byte was read, and every name in it is one that models need or that the policy trusts."
    return _HEADLINES[judgement.verdict]


def _sentence(detail: str) -> str:
    """The first half of what is said of a file, before its figures and the long advice, as a sentence."""
    found = _FIRST_HALF.match(detail)
    first = found[0] if found else detail
    return f"{first[:1].upper()}{first[1:]}."


def _is_cut_off(points: tuple[Claim, ...]) -> bool:
    """Whether all that makes a file damaged is that its end is missing."""
    broken = [one for one in points if one.verdict is Verdict.DAMAGED]
    return all(one.code in _CUT_OFF or "cut off" in one.title for one in broken)


def _familiar(name: str) -> str:
    """`posix.system (os.system)`: what Python writes into a pickle is not what people type."""
    module, _, rest = name.partition(".")
    return f"{name} (os.{rest})" if module in ("posix", "nt") else name


def _joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _takes(judgement: Judgement, points: tuple[Claim, ...], line: str | None, archive: str) -> Iterator[str]:
    """The ways of using this file all the same; `archive` names the models in one."""
    codes = {one.code for one in points if one.verdict is judgement.verdict}
    if archive and judgement.verdict in (Verdict.REVIEW, Verdict.SAFE):
        yield f"unpack it, and load what was in it: {archive}"
    elif judgement.verdict is Verdict.REVIEW and not judgement.pinned:
        yield "accept this content: load it, type yes; that is recorded and holds for exactly these bytes"
        if line is not None:
            yield "or trust these names in every file, with a line in policy.toml"
        if any(one.title == _SCRIPT for one in points):
            yield "or save the model again from a module that can be imported, not from a script or notebook"
    elif judgement.verdict is Verdict.BLOCKED and "dangerous-name" in codes:
        yield "nothing makes it load: no policy can trust such names"
        yield "have the model trained or saved again by somebody you trust, without them"
    elif judgement.verdict is Verdict.BLOCKED:
        yield "nothing makes it load as it is; ask for the file again where it was made"
    elif judgement.verdict is Verdict.DAMAGED:
        yield "copy it again from where it was made, and compare the sizes"
        if _is_cut_off(points):
            yield "or wait, where it is still written or downloaded (.part, .crdownload)"


def _members(found: Inspection | None) -> str:
    """The models in an archive, "" of any other file."""
    if found is None or found.format != "archive":
        return ""
    held = found.details.get("holds")
    names = [str(one["member"]) for one in held if isinstance(one, dict)] if isinstance(held, list) else []
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more or "its members"


def _policy_line(unlisted: tuple[GlobalRef, ...]) -> str | None:
    """The line that trusts these names; none for names of a script, which mean something else in each."""
    listed = [str(use) for use in unlisted if use.module != "__main__"]
    return f"trusted = [{', '.join(json.dumps(name) for name in listed)}]" if listed and len(listed) <= 40 else None
