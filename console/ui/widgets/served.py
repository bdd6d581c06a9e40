"""Models in service in words: a line of figures for each, and the versions of one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from textual.content import Content

from console.records import ModelStatistics, ServedModel, ServedState, ServedVersion
from console.safe_text import safe
from console.ui import text
from console.ui.rows import Row
from console.ui.widgets.text_pane import Line


class _Column(NamedTuple):
    """A column of the list; the first to go where there is no room has the lowest `drop`, 0 never goes."""

    title: str
    width: int
    drop: int
    right: bool = True


_COLUMNS = (
    _Column("STATE", 10, 0, right=False),
    _Column("NAME", 16, 0, right=False),
    _Column("VERSION", 7, 6),
    _Column("COPIES", 6, 4),
    _Column("REQ/S", 5, 0),
    _Column("P50", 7, 5),
    _Column("P99", 7, 0),
    _Column("ERRORS", 6, 7),
    _Column("QUEUE", 7, 3),
    _Column("BATCH", 5, 2),
    _Column("ASKED", 8, 1),
)
_NAME = 1
_GAP = 2
_WIDEST_NAME = 60
_SIGNS = {
    ServedState.AVAILABLE: ("●", "$success"),
    ServedState.LOADING: ("◐", "$accent"),
    ServedState.UNLOADING: ("◐", "$accent"),
    ServedState.START: ("○", "$quiet"),
    ServedState.END: ("○", "$quiet"),
}


def served_lines(models: Sequence[tuple[ServedModel, Row | None]], width: int) -> tuple[Content, list[Content]]:
    """The titles, and a line for each model, in as many columns as there is room for."""
    shown = list(_COLUMNS)
    while _used(shown) > width and any(one.drop for one in shown):
        shown.remove(min((one for one in shown if one.drop), key=lambda one: one.drop))
    longest = text.widest(safe(model.name) for model, _row in models)
    name = max(shown[_NAME].width, min(longest, _WIDEST_NAME, shown[_NAME].width + width - _used(shown)))
    shown[_NAME] = shown[_NAME]._replace(width=name)
    head = (" " * _GAP).join(_padded(one.title, one) for one in shown)
    gap = Content(" " * _GAP)
    lines = []
    for model, row in models:
        cells = dict(zip((one.title for one in _COLUMNS), _cells(model, row), strict=True))
        lines.append(gap.join([_cell(*cells[one.title], one) for one in shown]))
    return Content.styled(head, "bold $quiet"), lines


def _used(columns: Sequence[_Column]) -> int:
    return sum(one.width + _GAP for one in columns) - _GAP


def _padded(words: str, column: _Column) -> str:
    words = text.cut_middle(words, column.width) if column.title == "NAME" else text.cut(words, column.width)
    blank = text.padded("", column.width - text.widest([words]))
    return blank + words if column.right else words + blank


def _cell(words: str, style: str, column: _Column) -> Content:
    return Content.styled(_padded(words, column), style)


def _cells(model: ServedModel, row: Row | None) -> tuple[tuple[str, str], ...]:
    """Text and style of each column."""
    status = row.status if row is not None else None
    state = (str(status), text.role_style(status.role)) if status is not None else ("–", "$quiet")
    current = next((one.version for one in model.versions if one.current), "")
    others = sum(one.state is ServedState.AVAILABLE and not one.current for one in model.versions)
    worker = row.worker if row is not None else None
    traffic = row.traffic if row is not None else None
    copies = f"{len(worker.pids)}/{worker.copies}" if worker is not None else ""
    found = [state, (safe(model.name), "bold"), (f"{safe(current)} +{others}" if others else safe(current), "")]
    found.append((copies, "$warning" if worker is not None and len(worker.pids) < worker.copies else ""))
    if traffic is None:
        return (*found, *[("", "")] * 7)
    whole, queue = traffic.whole, traffic.queue
    return (
        *found,
        (text.rate(traffic.asked), "bold" if traffic.running else "$quiet"),
        (text.milliseconds(whole.p50 if whole else None), ""),
        (text.milliseconds(whole.p99 if whole else None), ""),
        (
            f"{traffic.errors}" if traffic.errors < 10_000 else text.rate(float(traffic.errors)),
            "$error" if traffic.failing else "$quiet",
        ),
        (text.milliseconds(queue.p99 if queue else None), "$quiet"),
        (f"{traffic.batch:.3g}" if traffic.batch else "", "$quiet"),
        (text.ago(traffic.last), "$quiet"),
    )


def _short(number: int) -> str:
    """A count in at most five digits or so: `522`, `12k`."""
    return f"{number}" if number < 10_000 else text.rate(float(number))


def model_words(model: ServedModel, statistics: Sequence[ModelStatistics], width: int) -> list[Line]:
    """How one model is served, its versions, and what was asked of each."""
    settings = model.settings
    told = [
        safe(model.path, 80),
        f"loaded {'at start' if settings.load == 'start' else 'on demand' if settings.load == 'demand' else 'by hand'}",
        f"at most {settings.max_batch:,} rows a call",
        f"deadline {text.milliseconds(settings.deadline_ms)}",
        f"queue {settings.queue:,}",
    ]
    lines: list[Line] = [Content.styled(text.cut(text.joined(told), width), "$quiet")]
    if model.reason:
        lines.append(Content.styled(text.cut(safe(model.reason, 400), width), "$warning"))
    lines += [Content(""), *(_version(one, statistics, width) for one in model.versions)]
    errors: dict[str, int] = {}
    for counts in statistics:
        for code, number in counts.errors.items():
            errors[code] = errors.get(code, 0) + number
    if errors:
        told = [f"{safe(code, 20)} {number:,}" for code, number in sorted(errors.items(), key=lambda one: -one[1])]
        lines += [Content(""), Content.assemble(("errors  ", "$quiet"), (text.cut(text.joined(told), width - 8), ""))]
    return lines


def _held(version: ServedVersion) -> str:
    """Memory and processor time of its workers: `210M, 12% cpu`."""
    memory = version.memory
    if memory is None:
        return ""
    cpu = "" if version.cpu is None else f", {version.cpu:.0f}% cpu"
    return f"{text.size(memory.rss if memory.pss is None else memory.pss)}{cpu}"


def _version(version: ServedVersion, statistics: Sequence[ModelStatistics], width: int) -> Content:
    """`● 7  available  90 %  stable  12,345 answered  3 failed  210M  9f2c41d0`."""
    glyph, style = _SIGNS[version.state]
    counts = next((one for one in statistics if one.version == version.version), None)
    asked = f"{counts.success.count:,} answered, {counts.fail.count:,} failed" if counts is not None else ""
    labels = ", ".join(safe(one, 20) for one in version.labels)
    told = [
        "current" if version.current else "",
        f"{version.weight:.0%} of requests" if version.weight else "",
        labels,
        asked,
        _held(version),
        safe(version.digest or "").removeprefix("sha256:")[:8],
        "" if version.state is ServedState.AVAILABLE else safe(version.reason, 200),
    ]
    line = Content.assemble(
        (f"{text.sign(glyph)} ", style),
        (f"{safe(version.version):>3}", "bold"),
        (f"  {version.state:<10}", style),
        f"  {text.joined(told)}",
    )
    return text.cut_content(line, width, middle=False)
