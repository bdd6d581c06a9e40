"""Callers of a served model, which check each answer against the model's own and tell what each failure said."""

from __future__ import annotations

import hashlib
import http.client
import json
import random
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

ROWS = np.random.default_rng(3).normal(size=(40, 4))
LIMIT_S = 60.0
_PACE_S = 0.01


@dataclass(frozen=True)
class Answers:
    """Every content that an artifact may have, by digest, with its own answers to `ROWS`."""

    digests: frozenset[str]
    known: tuple[NDArray[np.float64], ...]

    @classmethod
    def of(cls, *artifacts: Path) -> Answers:
        """Those of these contents."""
        digests = frozenset(hashlib.sha256(path.read_bytes()).hexdigest() for path in artifacts)
        return cls(digests, tuple(joblib.load(path).predict(ROWS) for path in artifacts))

    def has(self, first: int, count: int, data: list[float]) -> bool:
        """Whether one of the contents answers these rows so, all of them."""
        rows = slice(first, first + count)
        return any(len(data) == count and np.allclose(one[rows], data, rtol=1e-9, atol=0) for one in self.known)


class Callers:
    """Threads that ask. `outcomes` by the victim of the round, `faults` are answers that must not be."""

    def __init__(self, port: int, answers: Answers, count: int, seed: int) -> None:
        self.victim = ""
        self.outcomes: dict[str, Counter[str]] = defaultdict(Counter)
        self.faults: list[str] = []
        self.right = 0
        self._port = port
        self._answers = answers
        self._down = [(0.0, 0.0)]
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(seed + number,)) for number in range(count)]

    def __enter__(self) -> Callers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def down(self, down: bool) -> None:
        """Note that connections may be closed from now on, or no more."""
        now = time.monotonic()
        began, ended = self._down[-1]
        if down:
            self._down.append((now, float("inf")))
        elif ended == float("inf"):
            self._down[-1] = (began, now)

    def take_faults(self) -> list[str]:
        """The faults since they were taken last."""
        taken, self.faults = self.faults, []
        return taken

    def answered_since(self, before: int) -> bool:
        """Whether more right answers come than there were."""
        until = time.monotonic() + LIMIT_S
        while self.right <= before and time.monotonic() < until:
            self._over.wait(0.01)
        return self.right > before

    def _ask(self, seed: int) -> None:
        chance, line = random.Random(seed), None
        while not self._over.is_set():
            began, victim = time.monotonic(), self.victim
            try:
                line = line or http.client.HTTPConnection("127.0.0.1", self._port, timeout=LIMIT_S)
                outcome = self._asked(line, chance)
            except (OSError, http.client.HTTPException) as error:
                line = None
                outcome = f"closed ({type(error).__name__})"
                if not any(since <= time.monotonic() and began <= until for since, until in self._down):
                    self.faults.append(f"{victim}: closed without a cause: {error!r}")
            self.outcomes[victim][outcome] += 1
            self.right += outcome == "right"
            self._over.wait(_PACE_S)

    def _asked(self, line: http.client.HTTPConnection, chance: random.Random) -> str:
        """One request for a few rows; what came of it in words."""
        count = chance.randint(1, 4)
        first = chance.randrange(len(ROWS) - count)
        rows = ROWS[first : first + count].ravel().tolist()
        told = {"inputs": [{"name": "inputs", "shape": [count, 4], "datatype": "FP64", "data": rows}]}
        line.request("POST", "/v2/models/m/infer", json.dumps(told))
        response = line.getresponse()
        found: dict[str, Any] = json.loads(response.read())
        if response.status == 200:
            data = found["outputs"][0]["data"]
            if self._answers.has(first, count, data):
                return "right"
            self.faults.append(f"{self.victim}: wrong answer {data} to {count} rows from {first}: {found}")
            return "wrong"
        if not found.get("error") or not found.get("code"):
            self.faults.append(f"{self.victim}: {response.status} without a cause: {found}")
        return f"{response.status} {found.get('code')}: {str(found.get('error'))[:60]}"
