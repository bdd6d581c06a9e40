"""The shape of one finished command."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Done:
    """The results of a command: its exit code and both streams."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The data on stdout."""
        return json.loads(self.out)


class Run(Protocol):
    """Runs a command line in this process."""

    def __call__(self, *argv: str) -> Done: ...
