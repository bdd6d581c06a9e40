"""A failure as lines to read: cause and next step first, then the chain of exceptions, then what surrounded it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from textual.content import Content

from console.records import ExceptionInfo, Failure, Frame
from console.safe_text import safe
from console.ui import text
from console.ui.widgets.differences import difference_lines
from console.ui.widgets.text_pane import Hanging, Line

_RELATIONS = {
    "cause": "which was the direct cause of:",
    "context": "and while that was being handled:",
    "group": "with, inside the group:",
}
_LIBRARY = ("/site-packages/", "/dist-packages/", "/lib/python")
_STDERR_LINES = 200
_AGO = 9
_LEAST_WHAT = 12
"""Fewer cells tell nothing of what failed."""
_TABLE = 76
"""Cells for a table of columns, which is not drawn anew for another width."""


def failure_lines(failure: Failure) -> list[Line]:
    """All of a failure, ready for a text pane."""
    return [*_head(failure), *_columns(failure), *_chain(failure.chain), *_surroundings(failure)]


def failure_titles(failures: Sequence[Failure], width: int) -> list[Content]:
    """A line of a list, in columns: how long ago it happened last, in which phase, which artifact, and what.

    Where the names would be cut the phase goes, which the account tells; what happened has the room that is left.
    """
    names = [safe(one.artifact) for one in failures]
    times = [f" {one.count:,}x" if one.count > 1 else "" for one in failures]
    said = [safe(one.phase, 12) + often for one, often in zip(failures, times, strict=True)]
    wanted = text.widest(names)
    if _AGO + text.widest(said) + 2 + wanted > width:
        said = [often.strip() for often in times]
    phase = text.widest(said)
    start = _AGO + (phase + 2 if phase else 0)
    name = min(wanted, max(12, width - start))
    room = width - start - name - 2
    lines = []
    for failure, words, path in zip(failures, said, names, strict=True):
        what = text.cut(_line(what_failed(failure)), room) if room >= _LEAST_WHAT else ""
        parts = [(f"{text.ago(failure.latest):>7}", "$quiet"), (text.padded(words, phase), "$error")]
        parts += [(text.padded(text.cut_middle(path, name), name), "bold"), (what, "")]
        lines.append(Content("  ").join([Content.styled(*part) for part in parts if part[0]]))
    return lines


def what_failed(failure: Failure) -> str:
    """The end of the process, or what was raised; from outside."""
    return failure.exit or (f"{failure.type}: {failure.message}" if failure.type else failure.message)


def _head(failure: Failure) -> Iterator[Line]:
    yield Content.assemble(
        (f"{text.sign('✖')} {safe(failure.phase)} failed", "bold $error"), "  ", (_line(what_failed(failure)), "bold")
    )
    if failure.exit and failure.message and failure.message != failure.exit:
        yield Content(_line(failure.message))
    again = f", {failure.count:,} times until {text.clock(failure.latest)}" if failure.count > 1 else ""
    yield Content.assemble((safe(failure.artifact), "bold"), (f"  {text.clock(failure.when)}{again}", "$quiet"))
    if failure.request or failure.trace:
        yield Content.styled(safe(_asked(failure), 400), "$quiet")
    if failure.hint:
        yield Content("")
        arrow = text.sign("→ ")
        yield Hanging(Content.assemble((arrow, "bold $accent"), (_line(failure.hint, 2000), "bold")), len(arrow))


def _asked(failure: Failure) -> str:
    """The latest request that it happened to: `request r9 · version 7 · trace 0af76519…`."""
    trace = failure.trace.split("-")[1] if failure.trace.count("-") > 1 else failure.trace
    version = f"version {failure.version}" if failure.version else ""
    parts = [f"request {failure.request}" if failure.request else "", version, f"trace {trace}" if trace else ""]
    return text.joined(parts)


def _columns(failure: Failure) -> Iterator[Line]:
    if failure.differences:
        yield Content("")
        yield from difference_lines(failure, _TABLE)


def _chain(chain: Iterable[ExceptionInfo]) -> Iterator[Line]:
    for number, exception in enumerate(chain):
        yield Content("")
        if number:
            yield Content.styled(_RELATIONS.get(exception.relation, "and then:"), "$quiet")
            yield Content("")
        yield Content.assemble((safe(exception.type), "bold $error"), ": ", _line(exception.message, 4000))
        yield from (line for note in exception.notes for line in _block(note, "$warning"))
        frames = exception.frames
        for frame in frames:
            yield from _frame(frame)


def _frame(frame: Frame) -> Iterator[Line]:
    library = any(part in frame.file for part in _LIBRARY)
    place = "$quiet" if library else "$accent"
    where = Content.assemble(
        "  ",
        (safe(frame.file), place),
        (f":{frame.line}", place),
        ("  in ", "$quiet"),
        (safe(frame.function), "bold" if not library else "$quiet"),
    )
    yield Hanging(where, 2)
    if frame.text.strip():
        source = _line(frame.text.strip(), 400)
        yield Hanging(Content.assemble("      ", (source, "$quiet" if library else "$foreground")), 6)


def _surroundings(failure: Failure) -> Iterator[Line]:
    if failure.input:
        yield from _titled("input", [Content(_line(failure.input))])
    if failure.memory is not None:
        memory = failure.memory
        peak = f"peak {text.size(memory.peak)}" if memory.peak else ""
        yield from _titled("memory", [Content(text.joined([f"RSS {text.size(memory.rss)}", peak]))])
    if failure.warnings:
        yield from _titled("warnings", [line for warning in failure.warnings for line in _block(warning, "$warning")])
    if failure.stderr.strip():
        lines = failure.stderr.rstrip("\n").split("\n")[-_STDERR_LINES:]
        yield from _titled("last words (stderr)", [Hanging(Content("  " + safe(line, 2000)), 2) for line in lines])


def _titled(title: str, lines: Iterable[Line]) -> Iterator[Line]:
    yield Content("")
    yield Content.styled(title, "bold $quiet")
    yield from lines


def _block(words: str, style: str) -> Iterator[Line]:
    for line in safe(words, 4000, lines=True).split("\n"):
        yield Hanging(Content.assemble("  ", (line, style)), 2)


def _line(words: str, limit: int = 1000) -> str:
    """Text on one line: its own line breaks become spaces."""
    return safe(" ".join(words.split("\n")), limit)
