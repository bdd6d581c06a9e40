"""`inspect` of a directory: one look at everything in it, fit for a pipeline that must say yes or no."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterable, Sequence

from console.cli import explained, shapes
from console.cli.opening import Opened
from console.cli.output import Output, columns, size_words
from console.records import Artifact, Report, Verdict

REFUSED = 3
UNREADABLE = 4
FAILED = 1
NOT_INSPECTED = "not inspected"
"""What stands for a verdict where the machine kept a file from being inspected."""
_TOGETHER = 500
"""So many lines are aligned with each other: nothing is held back for longer, however many files there are."""
_NO_MODEL = frozenset(("unsupported", "not-loadable"))
"""Why a file that could be read is of no concern: it holds no model."""


async def inspect_directory(store: Opened, arguments: argparse.Namespace, output: Output) -> int:
    """Every artifact beneath the directory; the exit code tells whether all is well."""
    begun = time.monotonic()
    counts: Counter[Verdict | None] = Counter()
    codes = {0}
    items = output.items() if output.as_json else None
    block: list[Artifact] = []
    headed = False
    async for report in store.engine.artifacts.beneath(store.path, digest=arguments.digest):
        counts[report.judgement.verdict] += 1
        codes.add(code_of(report))
        if items is not None:
            told = explained.trust_json(store.engine.artifacts.explained(report))
            items.add(shapes.report(report) | {"trust": shapes.judgement(report.judgement) | told})
            continue
        block.append(report.artifact)
        if len(block) == _TOGETHER:
            output.lines(table(block, headed=not headed))
            block, headed = [], True
    if items is not None:
        items.end()
    elif block or not headed:
        output.lines(table(block, headed=not headed))
    output.say(summary(counts, time.monotonic() - begun))
    return worst(codes)


def code_of(report: Report) -> int:
    """What one file means for the exit code."""
    verdict, reasons = report.judgement.verdict, report.judgement.reasons
    if verdict is None:
        return FAILED
    if verdict in (Verdict.BLOCKED, Verdict.REVIEW):
        return REFUSED
    if verdict is Verdict.SAFE or (verdict is Verdict.UNSUPPORTED and reasons and reasons[0].code in _NO_MODEL):
        return 0
    return UNREADABLE


def worst(codes: Iterable[int]) -> int:
    """What would not load without more ado weighs more than what cannot be read."""
    found = set(codes)
    return REFUSED if REFUSED in found else max(found, default=0)


def summary(counts: Counter[Verdict | None], seconds: float) -> str:
    """`2,000 files in 3.1 s (645 a second): 1,990 safe, 10 review`."""
    total = counts.total()
    files = f"{total:,} file{'' if total == 1 else 's'} in {seconds:.1f} s ({total / max(seconds, 1e-3):,.0f} a second)"
    words: dict[Verdict | None, str] = {**{verdict: verdict.value for verdict in Verdict}, None: NOT_INSPECTED}
    found = ", ".join(f"{counts[verdict]:,} {word}" for verdict, word in words.items() if counts[verdict])
    return f"{files}: {found}" if found else files


def table(rows: Sequence[Artifact], *, headed: bool = True) -> Iterable[str]:
    """Aligned lines, one an artifact."""
    if not rows:
        return ["no model artifacts here; `model-console demo` builds a store to look at"]
    cells = [
        (
            row.verdict.value if row.verdict else NOT_INSPECTED if row.why else "?",
            row.path,
            _class(row),
            row.format or "",
            size_words(row.size),
            time.strftime("%Y-%m-%d %H:%M", time.localtime(row.modified)),
            row.problem or row.why.removeprefix(f"{NOT_INSPECTED}, "),
        )
        for row in rows
    ]
    lines = [*columns(("TRUST", "PATH", "CLASS", "FORMAT", "SIZE", "CHANGED", "WHY"), cells, right=("SIZE",))]
    return lines if headed else lines[1:]


def _class(row: Artifact) -> str:
    names = [(row.model_class or "").rpartition(".")[2], *row.steps[-1:]]
    return " › ".join(name.rpartition(".")[2] for name in names)
