"""`inspect` of a directory: one look at everything in it, fit for a pipeline that must say yes or no."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from console.cli import explained, json_shapes
from console.cli.output import Items, Output, columns, size_words
from console.cli.session import Opened
from console.records import Artifact, Report, SweepTotals, Verdict

REFUSED = 3
UNREADABLE = 4
NO_MODEL = 5
FAILED = 1
NOT_INSPECTED = "not inspected"
"""What stands for a verdict where the machine kept a file from being inspected."""
_TOGETHER = 500
"""So many lines are aligned with each other: nothing is held back for longer, however many files there are."""
_CODES = {"unsupported": NO_MODEL, "foreign-format": NO_MODEL, "no-model": NO_MODEL, "not-loadable": 0}
"""What an `unsupported` file that could be read means for the exit code, by the reason."""
_NAMED = 5
"""Files that a sentence names."""


async def inspect_directory(store: Opened, arguments: argparse.Namespace, output: Output) -> int:
    """Every artifact beneath the directory; the exit code tells whether all is well."""
    begun = time.monotonic()
    seen = Seen()
    items = Items() if output.as_json else None
    block: list[Artifact] = []
    headed = False
    totals = SweepTotals()
    async for part in store.engine.artifacts.sweep(store.path, digest=arguments.digest):
        totals, report = part.totals or totals, part.report
        if report is None or part.explanation is None:
            continue
        seen.add(report)
        if items is not None:
            told = explained.trust_json(part.explanation)
            items.add(json_shapes.report(report) | {"trust": json_shapes.judgement(report.judgement) | told})
            continue
        block.append(report.artifact)
        if len(block) == _TOGETHER:
            output.lines(table(block, headed=not headed))
            block, headed = [], True
    if items is not None:
        items.end()
    elif block or not headed:
        output.lines(table(block, headed=not headed))
    output.say(summary(seen.verdicts, time.monotonic() - begun, totals.no_model))
    output.say(remainder(seen, totals))
    return worst(seen.codes)


@dataclass(slots=True)
class Seen:
    """The artifacts of a scan by their verdicts and by their exit codes, with the first paths of each code."""

    verdicts: Counter[Verdict | None] = field(default_factory=Counter)
    codes: Counter[int] = field(default_factory=Counter)
    paths: dict[int, list[str]] = field(default_factory=dict)

    def add(self, report: Report) -> None:
        """Count one more."""
        self.verdicts[report.judgement.verdict] += 1
        code = code_of(report)
        self.codes[code] += 1
        if self.codes[code] <= _NAMED:
            self.paths.setdefault(code, []).append(report.artifact.path)

    def named(self, code: int) -> str:
        """The first paths with this code, and how many more there are."""
        paths = self.paths.get(code, [])
        more = self.codes[code] - len(paths)
        return ", ".join(paths) + (f" and {more:,} more" if more else "")


def code_of(report: Report) -> int:
    """The exit code that one file asks for."""
    verdict, reasons = report.judgement.verdict, report.judgement.reasons
    if verdict is None:
        return FAILED
    if verdict in (Verdict.BLOCKED, Verdict.REVIEW):
        return REFUSED
    if verdict is Verdict.SAFE:
        return 0
    return _CODES.get(reasons[0].code, UNREADABLE) if verdict is Verdict.UNSUPPORTED and reasons else UNREADABLE


def worst(codes: Iterable[int]) -> int:
    """The exit code of a sweep: what would not load without more ado weighs most, a promise that is not kept least."""
    found = set(codes)
    return next((code for code in (REFUSED, UNREADABLE, FAILED, NO_MODEL) if code in found), 0)


def summary(counts: Counter[Verdict | None], seconds: float, no_model: int = 0) -> str:
    """`2,000 files in 3.1 s (645 a second): 1,990 safe, 10 review`; `no_model` were read and are no artifacts."""
    total = counts.total() + no_model
    files = f"{_files(total)} in {seconds:.1f} s ({total / max(seconds, 1e-3):,.0f} a second)"
    words: dict[Verdict | None, str] = {**{verdict: verdict.value for verdict in Verdict}, None: NOT_INSPECTED}
    found = ", ".join(f"{counts[verdict]:,} {word}" for verdict, word in words.items() if counts[verdict])
    return f"{files}: {found}" if found else files


def remainder(seen: Seen, tally: SweepTotals) -> str:
    """`312 files hold no model; 2 could not be read: a.pkl, b.zip; never opened or followed: 1 symbolic link`."""
    parts = [f"{_files(tally.no_model)} hold{'s' if tally.no_model == 1 else ''} no model"]
    if unread := seen.codes[UNREADABLE]:
        parts.append(f"{unread:,} could not be read: {seen.named(UNREADABLE)}")
    if failed := seen.codes[FAILED]:
        parts.append(f"{failed:,} could not be inspected by this machine now: {seen.named(FAILED)}")
    if empty := seen.codes[NO_MODEL]:
        verb = "promises" if empty == 1 else "promise"
        parts.append(f"{empty:,} {verb} a model that nothing here reads: {seen.named(NO_MODEL)}")
    if tally.special:
        kinds = (
            f"{count:,} {kind.partition(' ')[2]}{'' if count == 1 else 's'}"
            for kind, count in sorted(tally.special.items())
        )
        parts.append(f"never opened or followed: {', '.join(kinds)}")
    return "; ".join(parts)


def _files(count: int) -> str:
    return f"{count:,} file{'' if count == 1 else 's'}"


def table(rows: Sequence[Artifact], *, headed: bool = True) -> Iterable[str]:
    """Aligned lines, one an artifact."""
    if not rows:
        return ["no model artifacts here; `model-console demo` builds a store to look at"]
    cells = [
        (
            row.verdict.value if row.verdict else NOT_INSPECTED if row.why else "?",
            f"{row.path} -> {row.link}" if row.link else row.path,
            _class(row),
            row.format or "",
            size_words(row.size) if row.modified else "",
            time.strftime("%Y-%m-%d %H:%M", time.localtime(row.modified)) if row.modified else "",
            row.problem or row.why.removeprefix(f"{NOT_INSPECTED}, "),
        )
        for row in rows
    ]
    lines = [*columns(("TRUST", "PATH", "CLASS", "FORMAT", "SIZE", "CHANGED", "WHY"), cells, right=("SIZE",))]
    return lines if headed else lines[1:]


def _class(row: Artifact) -> str:
    if row.summary:
        return row.summary
    names = [(row.model_class or "").rpartition(".")[2], *row.steps[-1:]]
    return " › ".join(name.rpartition(".")[2] for name in names)
