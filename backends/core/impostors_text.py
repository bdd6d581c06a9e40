"""Which kind of text a file is that holds no model: source, a notebook, a table, an error in JSON, settings."""

from __future__ import annotations

import json
import re
from typing import Any, Optional

AGAIN = "saved in place of the file: download it again from the link of the file itself, signed in where that is needed"

_PYTHON = re.compile(
    r"#!.*\bpython|(?:[ \t]*(?:#.*)?\r?\n)*(?:[rR]?(?:\"\"\"|''')|from [\w.]+ import |def \w+\(|class \w+[(:]"
    r"|import [\w.]+(?: as \w+)?[ \t]*(?:,|;|\r?\n|\Z))"
)
_MLFLOW = re.compile(r"^(?:artifact_path|mlflow_version|model_uuid|run_id|utc_time_created):", re.MULTILINE)
_ERROR_KEYS = frozenset(("error", "errors", "message", "detail", "fault"))
_SHORTCUT_KEYS = frozenset(("doc_id", "resource_id", "resource_key"))
_SHOWN = 40
_LONGEST_ANSWER = 8192


def text_kind(text: str, whole: bool) -> str:
    """The kind of a text, and what to do with it; unless it is `whole`, the file goes on after it."""
    stripped = text.lstrip("\ufeff \t\r\n")
    if not stripped:
        return "white space alone: bring it again from where it was made"
    found = _json(stripped) if stripped[0] in "{[" else None
    if found:
        return found
    if stripped.startswith("-----BEGIN "):
        return "a key, certificate or message in PEM form"
    if "\nflavors:" in f"\n{text}" and _MLFLOW.search(text):
        return "the description of a model by MLflow: the model is the file beside it that it names, such as model.pkl"
    if _PYTHON.match(text):
        return "Python source: a model is what a program saves; run it, and save with joblib.dump(model, path)"
    if _is_table(text, whole):
        return "a table as text (csv): data for a model; name it with --data"
    if "<plist" in stripped[:500] and "<key>URL</key>" in stripped[:2000]:
        return "a link to a web page: download the file that it leads to"
    if stripped.startswith("<"):
        return "an XML document"
    words = " ".join(stripped[:400].split())
    return f'text that begins with "{words[:_SHOWN]}{"..." if len(words) > _SHOWN else ""}"'


def _json(text: str) -> Optional[str]:
    if re.search(r'"(?:nbformat|cell_type)"\s*:', text) and '"cells"' in text:
        return "a Jupyter notebook: a model is what a program saves; run it, and save with joblib.dump(model, path)"
    value: Any = None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        pass
    if isinstance(value, dict) and "url" in value and _SHORTCUT_KEYS & value.keys():
        return "a shortcut to a document on the web: download the file that it leads to"
    if isinstance(value, dict) and (_ERROR_KEYS & value.keys() or _is_problem(value)) and len(text) < _LONGEST_ANSWER:
        return f"an error answer in JSON ({_message(value)}), {AGAIN}"
    if value is None and not re.match(r"[\[{]\s*(?:[\"\[{\d\]}-]|true|false|null)", text):
        return None
    return "JSON, settings or data"


def _is_problem(value: dict[str, Any]) -> bool:
    """Whether it is the description of a problem by RFC 9457, which has a title and the status of HTTP."""
    status = value.get("status")
    return "title" in value and isinstance(status, int) and status >= 400


def _message(value: dict[str, Any]) -> str:
    """The first text in an error, however deep."""
    for key in ("message", "detail", "error", "errors", "title", "status", "code"):
        inner = value.get(key)
        if isinstance(inner, list) and inner:
            inner = inner[0]
        if isinstance(inner, dict):
            return _message(inner)
        if isinstance(inner, (str, int)):
            return str(inner)[:100]
    return "without a message"


def _is_table(text: str, whole: bool) -> bool:
    """Whether the first lines have the same number of separators, one at least."""
    lines = text.splitlines()
    lines = [line for line in (lines if whole else lines[:-1])[:20] if line.strip()]
    if len(lines) < 2:
        return False
    return any(lines[0].count(sign) and len({line.count(sign) for line in lines}) == 1 for sign in ",;\t|")
