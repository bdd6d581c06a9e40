"""The outcomes of one operation over many models, and the one sentence that tells all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from textual.notifications import SeverityLevel

from console.safe_text import safe
from console.ui import text

_SEVERITIES: tuple[SeverityLevel, ...] = ("information", "warning", "error")
_REASONS = 3
"""Reasons that are told of one kind of outcome; the rest is counted."""
_NAMES = 2
"""Models that are named for one reason; one more is named where it is the last."""
_NAME, _WHY = 36, 64


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome for one model: `loaded`, or `refused` and why, and the key to go on with.

    What asks for attention, by its severity, is told with the model's name; `idle` = there was nothing to do.
    """

    word: str
    why: str = ""
    severity: SeverityLevel = "information"
    hint: str = ""
    idle: bool = False

    @property
    def is_done(self) -> bool:
        """Whether it is as it was asked for."""
        return self.severity == "information"


_Reasons = dict[Outcome, list[str]]


class Tally:
    """Outcomes with the paths they are of: `2 loaded; 1 refused: blocked (trouble/do-not-load.pkl)`."""

    def __init__(self) -> None:
        self._paths: _Reasons = {}

    def __len__(self) -> int:
        return _count(self._paths)

    def add(self, outcome: Outcome, *paths: str) -> None:
        """Count an outcome for these paths."""
        if paths:
            self._paths.setdefault(outcome, []).extend(paths)

    def clear(self) -> None:
        """Forget everything: nothing was done."""
        self._paths.clear()

    @property
    def severity(self) -> SeverityLevel:
        """That of the worst outcome."""
        return max((outcome.severity for outcome in self._paths), key=_SEVERITIES.index, default="information")

    def sentence(self) -> str:
        """The outcome of all of them: first what was done, then of what was not the most; the keys at the end."""
        hints = dict.fromkeys(outcome.hint for outcome in self._paths if outcome.hint)
        if len(self) == 1:
            ((outcome, (path,)),) = self._paths.items()
            said = [f"{named(path)}: {outcome.word}" + (f": {_reason(outcome)}" if outcome.why else "")]
        else:
            groups: dict[str, _Reasons] = {}
            for outcome, paths in self._paths.items():
                groups.setdefault(outcome.word, {})[outcome] = paths
            said = [_told(word, reasons) for word, reasons in sorted(groups.items(), key=_order)]
        return text.sign("; ".join((*said, *hints)))


def named(path: str) -> str:
    """A path as it stands in a sentence."""
    return text.cut_middle(safe(path), _NAME)


def names(paths: Iterable[str]) -> str:
    """`a, b and 38 more`."""
    known = sorted(paths)
    shown = known if len(known) <= _NAMES + 1 else known[:_NAMES]
    rest = len(known) - len(shown)
    return ", ".join(map(named, shown)) + (f" and {rest:,} more" if rest else "")


def _order(group: tuple[str, _Reasons]) -> tuple[int, int, str]:
    """The sort key of a group: done, so already, and the rest, the most first."""
    word, reasons = group
    first, *_ = reasons
    return (0 if first.is_done and not first.idle else 1 if first.is_done else 2), -_count(reasons), word


def _told(word: str, reasons: _Reasons) -> str:
    """`3 refused: blocked (a, b), damaged (c)`."""
    largest = sorted(reasons.items(), key=lambda one: (-len(one[1]), one[0].why))
    told = [
        _reason(outcome) + ("" if outcome.is_done else f" ({names(paths)})")
        for outcome, paths in largest[:_REASONS]
        if outcome.why or not outcome.is_done
    ]
    rest = sum(len(paths) for _, paths in largest[_REASONS:])
    told += [f"{rest:,} more for other reasons"] if rest else []
    return f"{_count(reasons):,} {word}" + (": " + ", ".join(told) if told else "")


def _reason(outcome: Outcome) -> str:
    return text.cut(" ".join(safe(outcome.why, lines=True).split()), _WHY)


def _count(reasons: _Reasons) -> int:
    return sum(map(len, reasons.values()))
