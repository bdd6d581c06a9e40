"""The name that is most like a mistyped word: also of many, while keys have their turn."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

from console.ui.cooperative import cooperative

_LIKE = 0.6
_LONGEST = 80


def nearest(word: str, names: Iterable[str]) -> str | None:
    """The name that is most like the word, None where none is."""
    search = _Search(word)
    for name in names:
        search.see(name, name)
    return search.found


async def nearest_of(word: str, names: Iterable[tuple[str, str]]) -> str | None:
    """The same among many: of pairs of a name and what it stands for, the latter."""
    search = _Search(word)
    async for name, meant in cooperative(names):
        search.see(name, meant)
    return search.found


class _Search:
    def __init__(self, word: str) -> None:
        self.found: str | None = None
        self._best = _LIKE
        self._matcher = SequenceMatcher(autojunk=False)
        self._matcher.set_seq2(word[:_LONGEST].casefold())

    def see(self, name: str, meant: str) -> None:
        """Look at one name."""
        matcher = self._matcher
        matcher.set_seq1(name[:_LONGEST].casefold())
        if matcher.real_quick_ratio() > self._best and matcher.quick_ratio() > self._best:
            ratio = matcher.ratio()
            if ratio > self._best:
                self._best, self.found = ratio, meant
