"""The words of OpenAPI for a route: what it takes, what it answers, and with which status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

ASKED = (400, 401, 403, 404, 413, 429, 500, 503, 504)
"""The statuses of a request to a model that is not answered."""
READ = (401, 403, 404, 429, 500, 503)
"""The statuses of a question about models that is not answered."""


def one_of(*forms: str) -> msgspec.Meta:
    """The words for an object that has exactly one of these."""
    return msgspec.Meta(extra_json_schema={"oneOf": [{"required": [form]} for form in forms]})


@dataclass(frozen=True, slots=True)
class Operation:
    """The description of a route. `body` and `answers` are types by content type, None where the content has no schema;
    `statuses` are those of errors, `others` further statuses that are answered as `answers` are."""

    summary: str
    tag: str = ""
    body: Mapping[str, Any] | None = None
    required: bool = True
    answers: Mapping[str, Any] | None = None
    statuses: tuple[int, ...] = READ
    others: tuple[int, ...] = ()
    query: Mapping[str, str] | None = None
