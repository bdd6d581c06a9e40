"""The card of a language model: what one asks first of it, whichever format it is in."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from textual.content import Content

from backends.core.inspection import Json
from console.safe_text import safe
from console.ui import text
from console.ui.widgets.keyvalue import pairs, value_text


def _counted(value: Json) -> str:
    return f"{value:,}" if isinstance(value, int) else value_text(value)


def _tokens(value: Json) -> str:
    return f"{_counted(value)} tokens"


def _size(value: Json) -> str:
    return f"{text.size(value)} in half precision, for the whole context" if isinstance(value, int) else ""


def _sizes(value: Json) -> str:
    sizes = value if isinstance(value, dict) else {}
    most = sorted(sizes, key=lambda name: -_number(sizes[name]))
    return ", ".join(f"{safe(name, 20)} {text.size(_number(sizes[name]))}" for name in most[:8])


def _number(value: Json) -> int:
    return value if isinstance(value, int) else 0


def _words(value: Json) -> str:
    return safe(value, 200) if isinstance(value, str) else value_text(value)


CARD: Mapping[str, tuple[str, Callable[[Json], str]]] = {
    "name": ("name", _words),
    "architecture": ("architecture", _words),
    "model type": ("family", _words),
    "runs as": ("runs as", _words),
    "not run": ("not run", _words),
    "licence": ("licence", _words),
    "quantisation": ("quantisation", _words),
    "bytes_by_type": ("by type", _sizes),
    "context": ("context", _tokens),
    "cache_bytes": ("cache", _size),
    "layers": ("layers", _counted),
    "width": ("width", _counted),
    "hidden size": ("width", _counted),
    "heads": ("heads", _counted),
    "key_value_heads": ("for keys", _counted),
    "experts": ("experts", _counted),
    "vocabulary": ("vocabulary", _tokens),
    "tokenizer": ("tokenizer", _words),
    "pooling": ("pooling", _words),
    "longest text": ("longest text", _words),
    "parts": ("parts", _counted),
}
"""Details that are on it, in their order: the word for each, and how it is told."""
_TELLING = ("context", "vocabulary", "cache_bytes")


def is_card(details: Mapping[str, Json]) -> bool:
    """Whether these are details of a language model."""
    return bool(details.get("architecture")) and any(details.get(name) is not None for name in _TELLING)


def card_lines(details: Mapping[str, Json], width: int) -> list[Content]:
    """A line for each that is known; none for what is no language model."""
    if not is_card(details):
        return []
    told = ((word, show(details[name])) for name, (word, show) in CARD.items() if details.get(name) not in (None, ""))
    return pairs(told, width)
