"""A run of the fuzzer: a corpus that grows by what is new, and files for whatever goes wrong."""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from console.records import Verdict
from console.trust.verdict import verdict_of_finding
from tests.fuzzing.mutation import mutated
from tests.fuzzing.spellings import spelled
from tests.fuzzing.streams import grow, seeds
from tests.fuzzing.trials import Outcome, Trials

__all__ = ["Campaign", "Report", "verdict_of"]

_MAX_KEPT = 16 << 10
_SPELLED = 0.4
"""The share of inputs that name something in a spelling of their own."""
_FRESH = 0.15
"""The share of the others that are grown from nothing."""
_RECENT = 0.5
"""The share of the rest that start from what was new last."""


@dataclass
class Report:
    """The results of a run. `findings` has one line for each distinct fault."""

    executions: int = 0
    seconds: float = 0.0
    corpus: int = 0
    features: int = 0
    lost: int = 0
    slowest: float = 0.0
    verdicts: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    def as_json(self) -> str:
        """One line."""
        return json.dumps({**vars(self), "verdicts": dict(self.verdicts)})


def verdict_of(walked: dict[str, Any]) -> str:
    """The verdict that findings and completeness of a walk alone give (its names are judged apart)."""
    verdicts = {verdict_of_finding(code) for code, _ in walked["findings"]}
    for verdict in (Verdict.BLOCKED, Verdict.DAMAGED, Verdict.REVIEW):
        if verdict in verdicts:
            return verdict.value
    return Verdict.SAFE.value if walked["complete"] else Verdict.REVIEW.value


class Campaign:
    """`directory` keeps the corpus and the findings of earlier runs; without one nothing is written."""

    def __init__(
        self, seed: int, directory: Path | None = None, tell: Callable[[str], None] = lambda line: None
    ) -> None:
        self.report = Report()
        self._rng = random.Random(seed)
        self._directory = directory
        self._tell = tell
        self._corpus: list[bytes] = []
        self._seen: set[str] = set()
        self._faults: set[str] = set()

    def run(self, seconds: float, executions: int | None = None) -> Report:
        """Fuzz for so long, or for so many executions."""
        started = told = time.monotonic()
        with Trials() as trials:
            for data in self._starting():
                self._try(trials, data)
            while time.monotonic() - started < seconds and self.report.executions != executions:
                self._try(trials, self._next())
                if time.monotonic() - told > 30:
                    told = time.monotonic()
                    self._sum_up(trials, started)
                    self._tell(self.report.as_json())
            self._sum_up(trials, started)
        return self.report

    def _starting(self) -> list[bytes]:
        kept = sorted((self._directory / "corpus").glob("*")) if self._directory else []
        return [*seeds(), *(path.read_bytes() for path in kept)]

    def _next(self) -> bytes:
        rng = self._rng
        if rng.random() < _SPELLED:
            return spelled(rng)
        if rng.random() < _FRESH:
            return grow(rng)
        recent = self._corpus[-max(20, len(self._corpus) // 5) :]
        return mutated(rng, recent if rng.random() < _RECENT else self._corpus)

    def _try(self, trials: Trials, data: bytes) -> None:
        outcome, report = trials.run(data), self.report
        report.executions += 1
        report.slowest = max(report.slowest, outcome.seconds)
        report.verdicts[verdict_of(outcome.walked) if outcome.walked and not outcome.fault else "lost"] += 1
        for fault in faults(outcome, data):
            self._found(fault, data, outcome)
        if outcome.features - self._seen and len(data) <= _MAX_KEPT:
            self._seen |= outcome.features
            self._corpus.append(data)
            self._write("corpus", data, "")

    def _found(self, fault: str, data: bytes, outcome: Outcome) -> None:
        kind = fault.partition("\n")[0]
        if kind not in self._faults:
            self._faults.add(kind)
            self.report.findings.append(kind)
            self._write("findings", data, f"{fault}\n{outcome.walked}\n{outcome.asked}\n")
            self._tell(f"FOUND {kind}")

    def _write(self, folder: str, data: bytes, note: str) -> None:
        if self._directory is None:
            return
        path = self._directory / folder / hashlib.sha256(data).hexdigest()[:16]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        if note:
            path.with_suffix(".txt").write_text(note, "utf-8", "backslashreplace")

    def _sum_up(self, trials: Trials, started: float) -> None:
        self.report.seconds = round(time.monotonic() - started, 1)
        self.report.corpus, self.report.features = len(self._corpus), len(self._seen)
        self.report.lost = trials.lost


def faults(outcome: Outcome, data: bytes) -> list[str]:
    """The faults of a walk: failure, slowness, a name it did not list, a file with it that is called something
    else than a pickle, a finding without its place."""
    if outcome.fault:
        lines = outcome.fault.strip().splitlines()
        where = next((line.strip() for line in reversed(lines) if "backends" in line), "")
        return [f"fault: {lines[-1][:160]} {where}\n{outcome.fault}"]
    if outcome.walked is None:
        return []
    found = []
    for engine, names in outcome.missed().items():
        codes = ",".join(sorted({code for code, _ in outcome.walked["findings"]}))
        found.append(f"missed: {engine}; verdict {verdict_of(outcome.walked)}; {codes}\n{sorted(names)}")
    for title, missed in outcome.hidden(data).items():
        found.append(f"hidden: in {title}, from {', '.join(missed)}\n{missed}")
    found.extend(f"no offset or no words: {code}" for code in outcome.walked["unplaced"])
    return found
