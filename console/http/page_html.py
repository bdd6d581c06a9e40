"""The page's HTML: a table of models, one of them in detail, a form to ask it and its answer. Everything is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any
from urllib.parse import urlencode

from console import __version__
from console.http.answers import SCORES
from console.http.json_text import encode
from console.http.named import newest_first
from console.http.page_examples import command, example_rows
from console.http.page_style import STYLE
from console.records import ModelStatistics, ServedModel, ServedState, ServedVersion, Tensor

_STATES = {
    ServedState.START: ("○", "not loaded", "idle"),
    ServedState.LOADING: ("◐", "loading", "warn"),
    ServedState.AVAILABLE: ("●", "ready", "good"),
    ServedState.UNLOADING: ("◐", "unloading", "warn"),
    ServedState.END: ("○", "ended", "idle"),
}
_SHOWN_ROWS = 50
_SHOWN_TENSORS = 6
MAX_FIELDS = 60


@dataclass
class FormAnswer:
    """The request made in the form, and the answer to it or why there is none; `host` is whom the browser asked."""

    host: str = "localhost"
    fields: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, Sequence[Any]] | None = None
    classes: Sequence[Any] | None = None
    version: str = ""
    took_ms: float = 0.0
    error: str = ""
    hint: str = ""


def page(
    models: Sequence[ServedModel],
    statistics: Sequence[ModelStatistics],
    chosen: ServedModel | None,
    asked: FormAnswer,
) -> bytes:
    """The whole document."""
    counted = _counted(models)
    detail = _detail(chosen, asked) if chosen is not None else _notice(asked)
    title = f"{chosen.name} · model-console" if chosen is not None else "model-console"
    text = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head><body>
<header><h1><a href="/">model-console</a></h1><p>{counted}</p>
<nav><a href="/openapi.json">OpenAPI</a><a href="/metrics">Metrics</a></nav></header>
<main{' class="split"' if chosen is not None else ""}>
{_table(models, statistics, chosen)}{detail}</main>
<footer>model-console {escape(__version__)} · Open Inference Protocol at <code>/v2</code>, TensorFlow Serving at
<code>/v1</code>, MLflow at <code>/invocations</code></footer></body></html>
"""
    return text.encode("utf-8", "replace")


def _counted(models: Sequence[ServedModel]) -> str:
    """How many models there are, and how they stand."""
    loaded, ready = sum(model.loaded for model in models), sum(model.ready for model in models)
    words = [f"{len(models):,} model{'' if len(models) == 1 else 's'}", f"{loaded:,} loaded"]
    words += [f"{ready - loaded:,} on demand"] if ready > loaded else []
    return " · ".join(words)


def _table(models: Sequence[ServedModel], statistics: Sequence[ModelStatistics], chosen: ServedModel | None) -> str:
    if not models:
        return '<section class="card empty">There are no models in this store.</section>'
    rows = "".join(_row(model, statistics, model is chosen, short=chosen is not None) for model in models)
    more = "" if chosen is not None else _MORE_HEADS
    return (
        f'<section class="card scroll"><table><thead><tr><th>State</th><th>Model</th>{more}'
        f"{_LATENCY_HEADS}</tr></thead><tbody>{rows}</tbody></table></section>"
    )


_LATENCY_HEADS = "".join(f'<th class="number wide" title="of the last minute">{one}</th>' for one in ("p50", "p99"))
_MORE_HEADS = '<th class="wide">Versions</th><th class="wide">Class</th><th class="number wide">Requests</th>'


def _row(model: ServedModel, statistics: Sequence[ModelStatistics], chosen: bool, *, short: bool) -> str:
    own = [item for item in statistics if item.name == model.name]
    requests = sum(item.success.count + item.fail.count for item in own)
    link = "/?" + urlencode({"model": model.name})
    failed = not model.loaded and bool(model.reason) and _waiting(model)[2] == "bad"
    reason = f'<div class="small soft">{escape(model.reason)}</div>' if failed else ""
    more = ""
    if not short:
        alive = [escape(version.version) for version in newest_first(model) if version.state in _ALIVE]
        versions = ", ".join(alive) or "–"
        known = (model.model_class or model.format).rpartition(".")[2]
        more = (
            f'<td class="wide">{versions}</td><td class="wide small">{escape(known)}</td>'
            f'<td class="number wide">{requests:,}</td>'
        )
    return (
        f"<tr{' class=chosen' if chosen else ''}><td>{_state(model)}</td>"
        f'<td class="name"><a href="{escape(link)}">{escape(model.name)}</a>{reason}</td>{more}'
        f"{_latency(own)}</tr>"
    )


_ALIVE = (ServedState.AVAILABLE, ServedState.LOADING, ServedState.UNLOADING)


def _state(model: ServedModel) -> str:
    glyph, word, colour = _STATES[ServedState.AVAILABLE] if model.loaded else _waiting(model)
    return f'<span class="state {colour}">{glyph} {word}</span>'


def _waiting(model: ServedModel) -> tuple[str, str, str]:
    """How a model that does not answer is shown."""
    states = {version.state for version in model.versions}
    if ServedState.LOADING in states:
        return _STATES[ServedState.LOADING]
    if ServedState.START in states and model.settings.load == "demand":
        return "○", "on demand", "idle"
    if ServedState.START in states or model.settings.load == "never" or not (model.versions or model.reason):
        return "○", "not loaded", "idle"
    return "✖", "not ready", "bad"


def _latency(statistics: Sequence[ModelStatistics]) -> str:
    """The times of the last minute in their cells."""
    recent = next((item.recent for item in statistics if item.recent is not None), None)
    told = ("–", "–") if recent is None else (f"{recent.p50:.2f} ms", f"{recent.p99:.2f} ms")
    return "".join(f'<td class="number wide">{one}</td>' for one in told)


def _detail(model: ServedModel, asked: FormAnswer) -> str:
    return (
        f'<section class="card detail"><div class="pad"><h2>{escape(model.name)}</h2>{_facts(model)}</div>'
        f"{_notice(asked)}{_answer(asked)}"
        f'<div class="pad"><h3>Try it</h3>{_form(model, asked)}</div>'
        f'<div class="pad"><h3>Versions</h3>{_versions(model)}</div>'
        f"{_terminal(model, asked.host)}</section>"
    )


def _facts(model: ServedModel) -> str:
    signature = model.signature
    facts = {
        "State": _state(model) + (f" <span>{escape(model.reason)}</span>" if model.reason else ""),
        "Class": escape(model.model_class or "unknown"),
        "Format": f"{escape(model.format)} · {escape(model.verdict)}",
        "Inputs": _tensors(model.inputs) or (f"{signature.n_features} columns" if signature.n_features else "unknown"),
        "Outputs": _tensors(model.outputs) or escape(", ".join(model.methods)) or "unknown",
    }
    if signature.classes:
        facts["Classes"] = escape(", ".join(str(label) for label in signature.classes[:20]))
    return "<dl>" + "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in facts.items()) + "</dl>"


def _tensors(tensors: Sequence[Tensor]) -> str:
    if len(tensors) > _SHOWN_TENSORS:
        return f"{len(tensors)} columns, each {tensors[0].datatype} {_shape(tensors[0].shape)}"
    return "<br>".join(f"{escape(tensor.name)} {tensor.datatype} {_shape(tensor.shape)}" for tensor in tensors)


def _shape(shape: Iterable[int]) -> str:
    return "[" + ", ".join("any" if size < 0 else str(size) for size in shape) + "]"


def _versions(model: ServedModel) -> str:
    if not model.versions:
        return '<p class="soft">none is loaded</p>'
    return "".join(_version(version) for version in newest_first(model)[:20])


def _version(version: ServedVersion) -> str:
    glyph, word, colour = _STATES[version.state]
    tags = [*(["current"] if version.current else []), *version.labels]
    if 0 < version.weight < 1:
        tags.append(f"{version.weight:.0%} of the traffic")
    shown = "".join(f'<span class="tag">{escape(tag)}</span>' for tag in tags)
    state = f'<span class="state {colour}">{glyph} {word}</span>'
    reason = f'<div class="small soft">{escape(version.reason)}</div>' if version.reason else ""
    return f'<div class="version">Version {escape(version.version)} {state}{shown}{reason}</div>'


def _notice(asked: FormAnswer) -> str:
    if not asked.error:
        return ""
    hint = f'<p class="soft">{escape(asked.hint)}</p>' if asked.hint else ""
    return f'<div class="pad" id="answer"><div class="notice"><p>{escape(asked.error)}</p>{hint}</div></div>'


def _form(model: ServedModel, asked: FormAnswer) -> str:
    names = field_names(model)
    link = "/?" + urlencode({"model": model.name}) + "#answer"
    cells = "".join(
        f'<label>{escape(name)}<input name="f{at}" autocomplete="off" value="{escape(asked.fields.get(f"f{at}", ""))}">'
        "</label>"
        for at, name in enumerate(names)
    )
    rows = escape(asked.fields.get("rows", ""))
    example = escape(example_rows(model))
    area = (
        f'<label>Rows in JSON, a list for each<textarea name="rows" spellcheck="false" placeholder="{example}">{rows}'
        "</textarea></label>"
    )
    if names:
        opened = " open" if rows else ""
        several = f"<details{opened}><summary>Several rows at once</summary>{area}</details>"
        area = f'<div class="fields">{cells}</div>{several}'
    return (
        f'<form method="post" action="{escape(link)}">{area}<div class="actions">{_methods(model, asked)}'
        "<button>Predict</button></div></form>"
    )


def field_names(model: ServedModel) -> Sequence[str]:
    """The columns that have a field each; none where there are too many, or their names are not known."""
    names = model.signature.feature_names or ()
    return names if len(names) <= MAX_FIELDS else ()


def _methods(model: ServedModel, asked: FormAnswer) -> str:
    if len(model.methods) < 2:
        return ""
    wanted = asked.fields.get("method", "")
    options = "".join(
        f"<option{' selected' if method == wanted else ''}>{escape(method)}</option>" for method in model.methods
    )
    return f'<label>Method<select name="method">{options}</select></label>'


def _answer(asked: FormAnswer) -> str:
    if asked.outputs is None:
        return ""
    shown = "".join(_output(name, values, asked.classes) for name, values in asked.outputs.items())
    version = f"version {escape(asked.version)} · " if asked.version else ""
    took = f'<p class="soft small">{version}{asked.took_ms:.2f} ms in the model</p>'
    return f'<div class="pad" id="answer"><h3>Answer</h3>{shown}{took}</div>'


def _output(name: str, values: Sequence[Any], classes: Sequence[Any] | None) -> str:
    if len(values) == 1:
        (row,) = values
        if isinstance(row, list) and classes and len(row) == len(classes) and name in SCORES:
            return _scores(row, classes)
        return f'<p class="answer">{_value(row)}</p>'
    shown = "".join(f"<tr><td>{at + 1}</td><td>{_value(row)}</td></tr>" for at, row in enumerate(values[:_SHOWN_ROWS]))
    left = f'<p class="soft small">{len(values):,} rows; the first {_SHOWN_ROWS} are shown</p>'
    return (
        f'<div class="scroll"><table><thead><tr><th>Row</th><th>{escape(name)}</th></tr></thead><tbody>{shown}</tbody>'
        f"</table></div>{left if len(values) > _SHOWN_ROWS else ''}"
    )


def _scores(row: Sequence[Any], classes: Sequence[Any]) -> str:
    """A bar for each class, the likeliest first."""
    pairs = sorted(zip(classes, row, strict=True), key=lambda pair: -_share(pair[1]))[:20]
    return '<div class="scores">' + "".join(_bar(str(label), score) for label, score in pairs) + "</div>"


def _share(score: Any) -> float:
    return float(score) if isinstance(score, int | float) else 0.0


def _bar(label: str, score: Any) -> str:
    width = max(0.0, min(1.0, _share(score))) * 100
    return (
        f'<span>{escape(label)}</span><svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="{width:.2f}" height="8"/></svg><b>{_value(score)}</b>'
    )


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return ", ".join(_value(item) for item in value[:40]) + (" …" if len(value) > 40 else "")
    return escape(value if isinstance(value, str) else encode(value).decode())


def _terminal(model: ServedModel, host: str) -> str:
    text = command(model, host)
    return f'<div class="pad"><h3>From a terminal</h3><pre>{escape(text)}</pre></div>' if text else ""
