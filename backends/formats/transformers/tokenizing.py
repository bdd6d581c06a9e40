"""The tokenizer of a directory, as far as its files tell: kind, words, the longest text, its chat template."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from backends.core.chat_template import reaches_out
from backends.core.findings import finding
from backends.core.inspection import Finding, Json
from backends.core.packed import text_in
from backends.core.source import Source
from backends.core.strict_json import parse_settings
from backends.formats.transformers.settings import class_name, inner, settings_in, whole, word

FAST, WORDS, SETTINGS = "tokenizer.json", "vocab.txt", "tokenizer_config.json"
WORDPIECE = frozenset(("bert", "distilbert", "electra"))
"""Families whose `vocab.txt` is all that a tokenizer needs."""
_READ_WHOLE = 4 << 20
_HEAD = 1 << 20
_KIND = re.compile(rb'"model"\s*:\s*\{[^{}\[\]]{0,400}?"type"\s*:\s*"(\w{1,40})"')
_SLOW = ("sentencepiece.bpe.model", "spiece.model", "tokenizer.model", "vocab.json")
_LONGEST = 1 << 30
"""Tokens that stand for "as many as you like"."""


class Tokenizing:
    """The facts. Raises Damaged, OverBudgetError, OSError."""

    def __init__(self, members: Mapping[str, Source], model_type: str) -> None:
        self.settings = settings_in(members, SETTINGS)
        self.kind, self.words = _fast(members)
        self.file = FAST if FAST in members else ""
        if not self.file and WORDS in members and model_type in WORDPIECE:
            self.file, self.kind = WORDS, "WordPiece"
        self.longest = _below(whole(self.settings, "model_max_length"))
        self._there = [name for name in (FAST, WORDS, *_SLOW) if name in members]
        self._templates = list(_templates(self.settings, members))

    @property
    def why_not(self) -> str:
        """Why no text can be given to it; empty where it can."""
        if self.file:
            return ""
        other = f"only {self._there[0]}: save it again with a fast tokenizer" if self._there else "no tokenizer"
        return f"there is {other}; tokenizer.json is read"

    def details(self) -> dict[str, Json]:
        """The details that are told of it."""
        return {
            "tokenizer": self.kind or ", ".join(self._there) or "none",
            "tokenizer class": class_name(self.settings.get("tokenizer_class")),
            "tokenizer words": self.words,
            "chat template": f"{len(self._templates[0]):,} characters" if self._templates else None,
        }

    def findings(self) -> Iterator[Finding]:
        """Chat templates that reach for more than messages."""
        for template in self._templates:
            reaching = reaches_out(template)
            if reaching is not None:
                yield finding("chat-template", f"its chat template has {reaching}", 0)


def _below(found: Optional[int]) -> Optional[int]:
    return found if found is not None and 0 < found < _LONGEST else None


def _fast(members: Mapping[str, Source]) -> tuple[str, Optional[int]]:
    """The kind of model in tokenizer.json and its number of words; of a large file what its head tells."""
    source = members.get(FAST)
    if source is None:
        return "", None
    if source.size > _READ_WHOLE:
        match = _KIND.search(source.read(0, _HEAD))
        return (match[1].decode() if match else "fast"), None
    found: Any = parse_settings(source.read(0, source.size), FAST)
    model = inner(found, "model") if type(found) is dict else {}
    words: Any = model.get("vocab")
    count = len(words) if type(words) in (dict, list) else None
    return class_name(model.get("type")) or "fast", count


def _templates(settings: Mapping[str, Any], members: Mapping[str, Source]) -> Iterator[str]:
    for one in (settings, settings_in(members, "chat_template.json")):
        found = one.get("chat_template")
        named = (
            [word(each, "name") and each.get("template") for each in found if type(each) is dict]
            if (type(found) is list)
            else [found]
        )
        yield from (each for each in named if type(each) is str and each)
    text = text_in(members, "chat_template.jinja").decode("utf-8", "replace")
    if text:
        yield text
