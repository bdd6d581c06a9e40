"""Library versions: those that a file was written with against those that run it, told in one sentence each.

Python 3.9: children run this module under a model's own interpreter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_TEXT_CAP = 40
_NUMBERS = re.compile(r"\d+")
_NAMES = {"sklearn": "scikit-learn"}
_TOLD_BY = {"scikit-learn": 9, "numpy": 1, "pandas": 1, "xgboost": 2, "lightgbm": 2, "catboost": 2, "torch": 2}
"""How many numbers of a version have to agree: scikit-learn promises nothing between any two."""
TOLD = tuple(_TOLD_BY)
"""Libraries on whose versions answers depend."""
_NOTE = re.compile(r"^written with (\S+) (\S+), run with (\S+): answers may be wrong; ")
_STEP = "run it with its own version ([environment] python = …) or retrain it"


@dataclass(frozen=True)
class OtherVersion:
    """A library in another version than the model was written with."""

    library: str
    was: str
    now: str

    @property
    def fact(self) -> str:
        """Both versions, in words."""
        return f"written with {self.library} {self.was}, run with {self.now}"

    @property
    def note(self) -> str:
        """The sentence that stands beside every answer."""
        return f"{self.fact}: answers may be wrong; {_STEP}"


@dataclass(frozen=True)
class Versions:
    """Versions by distribution: those of the file, as far as it tells, and those of the process that runs it, whose
    interpreter is the one at `python`."""

    written: Mapping[str, str] = field(default_factory=dict)
    running: Mapping[str, str] = field(default_factory=dict)
    python: str = ""

    @property
    def differences(self) -> tuple[OtherVersion, ...]:
        """The libraries that differ."""
        return differences(self.written, self.running)

    @property
    def installed(self) -> Mapping[str, str]:
        """Those of the process, by the names that an installer knows."""
        return _by_distribution(self.running)

    @property
    def facts(self) -> str:
        """Both versions of each library that differs, in words; empty where none does."""
        return "; ".join(one.fact for one in self.differences)

    @property
    def hint(self) -> str:
        """The sentence that goes with every failure; empty where nothing differs."""
        return f"{self.facts}: {_STEP}" if self.facts else ""

    def learned(
        self, running: Mapping[str, str], notes: Iterable[str] = (), written: Mapping[str, str] | None = None
    ) -> Versions:
        """With what a child told: the versions it has, and those of the file by the model's word or a load's notes."""
        was, now = dict(written or {}), {}
        for one in noted(notes):
            was[one.library], now[one.library] = one.was, one.now
        return Versions({**was, **self.written}, {**self.running, **now, **running}, self.python)


def differences(written: Mapping[str, str], running: Mapping[str, str]) -> tuple[OtherVersion, ...]:
    """The libraries whose versions differ by more than their makers allow; what either side does not tell is left out.

    Import names stand for their distributions.
    """
    was, now = _by_distribution(written), _by_distribution(running)
    return tuple(
        OtherVersion(library, was[library], now[library])
        for library, numbers in _TOLD_BY.items()
        if library in was and library in now and _differ(was[library], now[library], numbers)
    )


def noted(notes: Iterable[str]) -> tuple[OtherVersion, ...]:
    """The differences that notes tell of."""
    found = (_NOTE.match(note) for note in notes)
    return tuple(OtherVersion(*match.groups()) for match in found if match)


def _by_distribution(versions: Mapping[str, str]) -> dict[str, str]:
    """The versions by distribution, as a sentence lists them."""
    plain = ((name, "".join(version.split())[:_TEXT_CAP]) for name, version in versions.items())
    return {_NAMES.get(name, name): version for name, version in plain if version}


def _differ(was: str, now: str, numbers: int) -> bool:
    """Whether versions differ in their first numbers, as far as both have them; texts without a number as a whole."""
    if was == now:
        return False
    if numbers > 2:
        return was.partition("+")[0] != now.partition("+")[0]
    before, after = _NUMBERS.findall(was)[:numbers], _NUMBERS.findall(now)[:numbers]
    shared = min(len(before), len(after))
    return before[:shared] != after[:shared] if shared else True
