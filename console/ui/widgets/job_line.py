"""A job in one line, and in all its words."""

from __future__ import annotations

from textual.content import Content

from console.records import Job, JobState
from console.safe_text import safe
from console.ui import text

__all__ = ["NAMES", "job_line", "job_words"]

NAMES = {"update": "update", "convert": "conversion", "accelerate": "export", "sign": "signing", "seal": "sealing"}
"""What a job of each kind is called."""
_SIGNS = {
    JobState.RUNNING: ("◐", "$accent"),
    JobState.DONE: ("✔", "$success"),
    JobState.FAILED: ("✖", "$error"),
    JobState.CANCELLED: ("▲", "$warning"),
}
_KIND, _WHO, _SPENT, _AGO = 12, 9, 4, 8
_WIDE = 90
"""From so many cells on a line tells who asked for the job."""
_BAR, _SMALL_BAR, _SHARE = 12, 8, 7


def job_line(job: Job, width: int, now: float) -> Content:
    """`◐ update  churn/rf.joblib  ━━━━──── 42%  training 3 of 10  ada  12s`, in columns of this width."""
    sign, style = _SIGNS[job.state]
    who = text.padded(text.cut(safe(job.who), _WHO - 1), _WHO) if width >= _WIDE else ""
    room = width - 2 - _KIND - 2 - len(who) - _SPENT - 1 - _AGO
    name = max(12, min(34, room * 2 // 5))
    path = text.padded(text.cut_middle(safe(job.artifact or "the store"), name), name)
    ended = "" if job.ended is None else text.ago(job.ended, now)
    return Content.assemble(
        (f"{text.sign(sign)} ", style),
        (text.padded(text.cut(NAMES.get(job.kind, safe(job.kind)), _KIND - 1), _KIND), "$foreground"),
        (path, "bold"),
        "  ",
        _how_far(job, max(1, room - name - 2)),
        (f"{who}{text.span(_spent(job, now)):>{_SPENT}} {ended:>{_AGO}}", "$quiet"),
    )


def job_words(job: Job, now: float) -> list[Content]:
    """Everything about a job that a line has no room for."""
    kind = NAMES.get(job.kind, safe(job.kind))
    head = f"{text.clock(job.started)}  {kind} of {safe(job.artifact or 'the store')}, for {safe(job.who)}"
    lines = [Content.styled(f"{head}, {job.state} after {text.span(_spent(job, now))}", "$quiet")]
    if job.state is JobState.RUNNING:
        lines[0] = Content.styled(f"{head}, for {text.span(_spent(job, now))} so far", "$quiet")
    said = job.error.message if job.error is not None else job.result or job.note
    if said:
        lines.append(Content(safe(said, 400)))
    if job.error is not None and job.error.hint:
        lines.append(Content.styled(safe(job.error.hint, 300), "$quiet"))
    return lines


def _spent(job: Job, now: float) -> float:
    return max(0.0, (now if job.ended is None else job.ended) - job.started)


def _how_far(job: Job, width: int) -> Content:
    """The bar and what is being done, or what came of it, in this width."""
    if job.state is not JobState.RUNNING:
        said = job.error.message if job.error is not None else job.result or str(job.state)
        words = text.padded(text.cut(text.one_line(said), width), width)
        return Content.assemble((words, "$foreground" if job.state is JobState.DONE else _SIGNS[job.state][1]), "  ")
    bar = Content("")
    cells = _BAR if width >= 2 * (_BAR + _SHARE) else _SMALL_BAR
    if job.done is not None and width >= cells + _SHARE:
        full = round(cells * min(1.0, max(0.0, job.done)))
        solid, empty = ("#", ".") if text.is_ascii() else ("━", "─")
        bar = Content.assemble((solid * full, "$accent"), (empty * (cells - full), "$line"), f" {job.done:>4.0%}  ")
    room = max(0, width - bar.cell_length)
    return Content.assemble(bar, text.padded(text.cut(text.one_line(job.note or "running"), room), room), "  ")
