"""The known name that a mistyped word is most like."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

_LIKE = 0.6
_LONGEST = 80


def nearest(word: str, names: Iterable[str]) -> str | None:
    """The name that is most like the word, None where none is."""
    search = NearestName(word)
    for name in names:
        search.compare(name, name)
    return search.found


class NearestName:
    """A search among names that come one by one: `found` is what the most similar one stands for."""

    def __init__(self, word: str) -> None:
        self.found: str | None = None
        self._best = _LIKE
        self._matcher = SequenceMatcher(autojunk=False)
        self._matcher.set_seq2(word[:_LONGEST].casefold())

    def compare(self, name: str, meaning: str) -> None:
        """Compare the word with one more name."""
        matcher = self._matcher
        matcher.set_seq1(name[:_LONGEST].casefold())
        if matcher.real_quick_ratio() > self._best and matcher.quick_ratio() > self._best:
            ratio = matcher.ratio()
            if ratio > self._best:
                self._best, self.found = ratio, meaning
