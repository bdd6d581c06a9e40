"""The prediction for one row, in lines: the answer, whether it is right, and how sure it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.content import Content

from console.records import Json, Prediction, WorkerView
from console.safe_text import safe
from console.ui import text
from console.ui.widgets.keyvalue import answer_text, pairs, paragraph, value_text
from console.ui.widgets.warned import warned_lines, warnings_of

_LABEL = 11
_MOST_CLASSES = 10
_LEAST_BAR = 6


def answer_lines(
    outcome: Prediction | None,
    truth: Json,
    classes: Sequence[Json] | None,
    width: int,
    worker: WorkerView | None = None,
) -> list[Content]:
    """The answer to one row and, where it was scored, how it stands to the truth; then what is wrong with it.

    `classes` are the labels the columns of `predict_proba` stand for, `worker` is who answered.
    """
    if outcome is None:
        return []
    lines: list[Content] = []
    if "predict" in outcome.outputs:
        lines += _said(_only(outcome.outputs["predict"]), truth, outcome, width)
    lines += warned_lines(warnings_of(worker, outcome.warnings), width)
    shares = _only(outcome.outputs.get("predict_proba"))
    if isinstance(shares, list) and any(isinstance(one, list) for one in shares):
        lines += [Content(""), *pairs([("predict_proba", value_text(shares, 400))], width, len("predict_proba") + 2)]
    elif isinstance(shares, list):
        lines += [Content(""), *_bars(shares, classes, width)]
    for name in ("decision_function", "transform"):
        value = _only(outcome.outputs.get(name))
        if value is not None:
            label = max(_LABEL, len(name) + 2)
            lines += [*([Content("")] if lines else []), *pairs([(name, value_text(value, 400))], width, label)]
    return [*lines, Content(""), _took(outcome)]


def _said(answer: Json, truth: Json, outcome: Prediction, width: int) -> list[Content]:
    meant = _meant(outcome.score or {})
    predicted = (answer_text(answer), "bold $accent"), (meant[0], "$quiet")
    lines = [Content.assemble(("predicted".ljust(_LABEL), "$quiet"), *predicted)]
    if outcome.score is None and not outcome.unscored:
        return lines
    if (outcome.score or {}).get("missing"):
        return [*lines, Content.assemble(("truth".ljust(_LABEL), "$quiet"), ("none in this row", "$quiet"))]
    verdict, style = _compared(outcome.score or {})
    lines.append(
        Content.assemble(
            ("truth".ljust(_LABEL), "$quiet"),
            (answer_text(truth), "bold"),
            (meant[1], "$quiet"),
            (f"   {verdict}", style),
        )
    )
    if outcome.unscored:
        lines += paragraph(f"not compared: {safe(outcome.unscored, 400)}", width, style="$warning")
    return lines


def _meant(score: Mapping[str, float]) -> tuple[str, str]:
    """The meaning of answer and truth of one row for an outlier detector, which may spell them in two ways."""
    if "outliers" not in score:
        return "", ""
    flagged, outlier = (" outlier" if score[name] else " inlier" for name in ("flagged", "outliers"))
    return flagged, outlier


def _compared(score: Mapping[str, float]) -> tuple[str, str]:
    """Right or wrong for labels, the distance for measures, as the worker counted it for the one row."""
    if "absolute" in score:
        return f"off by {score['absolute']:.4g}", "$quiet"
    if "correct" not in score:
        return "", "$quiet"
    return (f"{text.sign('✔')} right", "$success") if score["correct"] else (f"{text.sign('✖')} wrong", "$error")


def _bars(shares: Sequence[Json], classes: Sequence[Json] | None, width: int) -> list[Content]:
    """The surest classes first, a bar each; of several labels a row, which have no classes of their own, by number."""
    fits = classes is not None and len(classes) == len(shares) and not any(isinstance(one, list) for one in classes)
    known = classes if classes is not None and fits else range(len(shares))
    named = zip(shares, known, strict=True)
    numbers = [(share, answer_text(label, 40)) for share, label in named if isinstance(share, (int, float))]
    ranked = sorted(numbers, reverse=True)[:_MOST_CLASSES]
    label = min(18, text.widest(name for _, name in ranked))
    room = max(_LEAST_BAR, width - label - 10)
    mark = "=" if text.is_ascii() else "━"
    return [
        Content.assemble(
            (f"{text.padded(text.cut(name, label), label)} ", ""),
            (f"{share:6.3f}  ", "$quiet"),
            (mark * round(room * share), "$accent"),
        )
        for share, name in ranked
    ]


def _took(outcome: Prediction) -> Content:
    spent = [f"worker {text.milliseconds(outcome.worker_ms)}", f"round trip {text.milliseconds(outcome.round_trip_ms)}"]
    return Content.styled(text.joined(spent), "$quiet")


def _only(column: Json) -> Json:
    return column[0] if isinstance(column, list) and column else None
