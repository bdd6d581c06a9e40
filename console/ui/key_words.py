"""Sentences that tell the operator which key to press."""

from __future__ import annotations

import re

from textual.content import Content

from console.ui.keys import key_for

_ACTION = re.compile(r"\{([a-z-]+)\}")


def key_words(sentence: str, end: str = "") -> Content:
    """A sentence of ours with the keys of the actions in braces set off: `{load} loads it`; `end` is taken as it is."""
    *parts, last = _ACTION.split(sentence)
    words = enumerate([*parts, last + end])
    return Content.assemble(*((key_for(part), "bold $accent") if odd % 2 else (part, "$quiet") for odd, part in words))
