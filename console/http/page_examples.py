"""Examples of how a model is asked, with a row of its own columns."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from console.records import ServedModel

_SHOWN_VALUES = 8


def example_rows(model: ServedModel) -> str:
    """Rows in JSON as the form takes them."""
    if _is_text(model):
        return '["a text", "another"]'
    width = model.signature.n_features or 3
    row = json.dumps([_row(model, min(width, _SHOWN_VALUES))], ensure_ascii=False)
    return row + (" …" if width > _SHOWN_VALUES else "")


def command(model: ServedModel, host: str) -> str:
    """A command that asks for one row; "" where it is not known what is in one."""
    names, width = model.signature.feature_names, model.signature.n_features
    if not names and not width and not _is_text(model):
        return ""
    instance: Any = "a text" if _is_text(model) else _row(model, width or 0)
    if names:
        instance = dict(zip(names, _row(model, len(names)), strict=True))
    body = json.dumps({"instances": [instance]}, ensure_ascii=False).replace("'", "'\\''")
    return f"curl {host}/v1/models/{quote(model.name)}:predict -d '\n{body}'"


def _is_text(model: ServedModel) -> bool:
    return bool(model.signature.texts) and not model.signature.feature_names


def _row(model: ServedModel, width: int) -> list[Any]:
    """A row of this width: a text where the model takes one, else zero."""
    names, texts = model.signature.feature_names or (), frozenset(model.signature.texts)
    return ["text" if at < len(names) and names[at] in texts else 0 for at in range(width)]
