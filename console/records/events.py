"""What happens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """`kind` is dotted (`artifact.changed`, `worker.ready`, `update.promoted`, `store.offline`).

    `subject` is the artifact's path or empty for the whole store; `text` is the sentence a person reads.
    """

    kind: str
    when: float
    subject: str
    text: str
    severity: str = "info"
    data: dict[str, Any] = field(default_factory=dict)
