"""Chat templates: text in the template language Jinja that a program around a language model runs."""

from __future__ import annotations

import re
from typing import Optional

_TAG = re.compile(r"\{[{%](.*?)[}%]\}", re.DOTALL)
_REACHING = re.compile(
    r"__\w+__|\\x5f|\|\s*attr\b|\b(?:lipsum|cycler|joiner|self|config|request|url_for|get_flashed_messages)\s*[.\[(]"
    r"|\b(?:import|include|extends)\s+[\"'\w]|\b(?:mro|subclasses|globals|builtins|popen|eval|exec|getattr)\s*\("
    r"|\b(?:os|sys|subprocess|builtins|importlib)\s*\."
)
"""Ways from a template to Python's objects and to other files (CVE-2024-34359)."""


def reaches_out(template: str) -> Optional[str]:
    """The first tag of a template that does more than put messages together; None where there is none."""
    return next((tag[0][:120] for tag in _TAG.finditer(template) if _REACHING.search(tag[1])), None)
