"""The facts of a file as lines: the model, what it takes, its parts, its arrays and what only its format has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby, islice

from textual.content import Content

from backends.core.inspection import Inspection, Json, ModelEntry, TensorSpec, outermost
from console.records import Report
from console.safe_text import safe
from console.ui import text
from console.ui.keys import key_for
from console.ui.widgets.bars import bar_lines, is_counted
from console.ui.widgets.card import CARD, card_lines, is_card
from console.ui.widgets.keyvalue import pairs, paragraph, section, value_text
from console.ui.widgets.layers import DETAIL as LAYERS
from console.ui.widgets.layers import layer_lines
from console.ui.widgets.module_tree import module_lines

_MOST = 200
_INDEX = re.compile(r"\[[\d, ]+\]$")
_DETAIL = 1000
"""Characters that are shown of one detail."""
_BARS = {"feature_gain": "features by gain", "operators": "operators"}
"""Details that are shown as bars, and the headings of these."""
_TEMPLATE = "chat_template"


def file_lines(report: Report | None, width: int, unread: str = "") -> list[Content]:
    """The lines of the inspection; `unread` says why there is none."""
    if report is None or report.inspection is None:
        words = safe(unread) or "reading …" if report is None else "No model could be read from this file."
        return [*paragraph(text.sign(words), width, style="$quiet"), Content("")]
    found = report.inspection
    return [
        *section("model", _model(report, found, width)),
        *section("language model", card_lines(found.details, width)),
        *section("models in this file", _models(found, width)),
        *section("parameters", _parameters(found, width)),
        *section("signature", _signature(found, width)),
        *section("layers", layer_lines(found, width)),
        *(line for key, title in _BARS.items() for line in section(title, bar_lines(found.details.get(key), width))),
        *section("modules", module_lines(found.arrays, width)),
        *section("arrays", _arrays(found, width)),
        *section("details", _details(found, width)),
        *section("chat template", _template(found, width)),
    ]


def _model(report: Report, found: Inspection, width: int) -> list[Content]:
    size = sum(array.bytes for array in found.arrays)
    steps = found.models[0].steps if found.models else ()
    module = safe(found.model_class).rpartition(".")[0] if found.model_class else ""
    rows = [
        ("class", text.short_class(found.model_class) or safe(found.summary, 100) or "none that is known"),
        ("module", module),
        *((f"step {number}", text.short_class(step)) for number, step in enumerate(steps, 1)),
        ("weights", f"{found.n_weights:,}" if found.n_weights is not None else ""),
        ("arrays", f"{len(found.arrays)}, {text.size(size)} in memory" if found.arrays else ""),
        ("digest", safe(report.artifact.digest or "")),
        ("read", "every byte accounted for" if found.complete else "not every byte could be accounted for"),
    ]
    return pairs(rows, width)


def _models(found: Inspection, width: int) -> list[Content]:
    if len(found.models) < 2:
        return []
    shown = list(islice(_alike(found.models), _MOST))
    lines = pairs(shown, width)
    if len(outermost(found.models)) > 1:
        lines += paragraph(f"{key_for('load')} asks which of them to load.", width, style="$quiet")
    return lines


def _alike(models: Sequence[ModelEntry]) -> Iterator[tuple[str, str]]:
    """Places and classes of the models of a file; those of one class in one list are told in one line."""
    for (place, name), group in groupby(models, lambda one: (_INDEX.sub("", one.at), text.short_class(one.class_name))):
        found = [safe(one.at, 60) for one in group]
        if len(found) == 1:
            yield found[0] or "the root", name
        else:
            yield f"{found[0]}{text.sign('…')}{found[-1][len(safe(place)) :]}", f"{name}, {len(found)} of them"


def _parameters(found: Inspection, width: int) -> list[Content]:
    rows = [(safe(name, 40), value_text(value)) for name, value in list(found.parameters.items())[:_MOST]]
    return pairs(rows, width)


def _signature(found: Inspection, width: int) -> list[Content]:
    signature = found.signature
    names = signature.feature_names or ()
    shown = ", ".join(safe(name, 60) for name in names[:60]) + (
        f" and {len(names) - 60} more" if len(names) > 60 else ""
    )
    classes = signature.classes or ()
    labels = ", ".join(value_text(label, 40) for label in classes[:40]) + (" …" if len(classes) > 40 else "")
    rows = [
        ("inputs", str(signature.n_features) if signature.n_features is not None else ""),
        ("names", shown),
        *((f"takes {safe(one.name, 40)}", _tensor(one)) for one in signature.takes[:_MOST]),
        ("outputs", str(signature.outputs) if signature.outputs is not None else ""),
        *((f"gives {safe(one.name, 40)}", _tensor(one)) for one in signature.gives[:_MOST]),
        ("classes", f"{len(classes)}: {labels}" if classes else ""),
    ]
    return pairs(rows, width)


def _tensor(one: TensorSpec) -> str:
    """`float32 ? x 3 x 224 x 224`; a side of any length is a question mark."""
    sides = "any shape" if one.shape is None else " x ".join("?" if side is None else str(side) for side in one.shape)
    return f"{safe(one.dtype, 20) or 'any type'}  {sides or 'a number'}"


def _arrays(found: Inspection, width: int) -> list[Content]:
    arrays = found.arrays[:_MOST]
    if not arrays:
        return []
    shapes = [" x ".join(str(side) for side in array.shape) or "scalar" for array in arrays]
    kinds = [safe(array.dtype, 30) for array in arrays]
    wide, kind_wide = max(map(len, shapes)), max(map(len, kinds))
    rows = [
        (safe(array.name, 60), f"{shape:<{wide}}  {kind:<{kind_wide}}  {text.size(array.bytes):>4}")
        for array, shape, kind in zip(arrays, shapes, kinds, strict=True)
    ]
    lines = pairs(rows, width)
    if len(found.arrays) > _MOST:
        lines.append(Content.styled(f"and {len(found.arrays) - _MOST} more", "$quiet"))
    return lines


def _details(found: Inspection, width: int) -> list[Content]:
    """The format's own details, without the empty ones."""
    return pairs(
        (
            (safe(name, 30), value_text(value, _DETAIL))
            for name, value in found.details.items()
            if value != "" and not (_is_drawn(name, value) or (name in CARD and is_card(found.details)))
        ),
        width,
    )


def _is_drawn(name: str, value: Json) -> bool:
    """Whether a detail has a section of its own."""
    if name in _BARS:
        return is_counted(value)
    return (name == LAYERS and isinstance(value, list)) or (name == _TEMPLATE and isinstance(value, str))


def _template(found: Inspection, width: int) -> list[Content]:
    """The chat template of a language model as the text that it is."""
    value = found.details.get(_TEMPLATE)
    lines = value.splitlines() if isinstance(value, str) else []
    told = [part for line in lines[:_MOST] for part in paragraph(safe(line, _DETAIL), width)]
    if len(lines) > _MOST:
        told.append(Content.styled(f"and {len(lines) - _MOST} more lines", "$quiet"))
    return told
