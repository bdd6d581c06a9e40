"""Cache of inspections of sealed bytes by digest: the same bytes need no second look.

The digest is always that of the bytes at hand, taken as they were copied into the memory that is sealed and loaded: an
old answer is given for equal bytes only. What is encrypted at rest is not kept, since its digest is that of the
ciphertext; nor are answers that a budget cut short.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from types import NoneType

from console.files.snapshot import Snapshot
from console.inspection.service import Plans
from console.records import Inspection

LIMIT = 32 << 20
"""Bytes of memory that all answers may take, as `weight` reckons them."""
_OBJECT = 64


@dataclass(frozen=True, slots=True)
class _Answer:
    inspection: Inspection
    plan: bytes
    weight: int


class InspectionCache:
    """A `Plans` in front of another: it asks for what it does not know. Those asked for last stay."""

    def __init__(self, plan: Plans, limit: int = LIMIT) -> None:
        self._plan = plan
        self._limit = limit
        self._weight = 0
        self._answers: OrderedDict[tuple[str, str], _Answer] = OrderedDict()

    async def __call__(self, content: Snapshot) -> Inspection:
        """The facts of bytes that are to be loaded, which get their plan. Raises what the other raises."""
        if not content.sealed or content.encrypted or content.digest is None:
            return await self._plan(content)
        key = content.digest, os.path.basename(content.name)
        known = self._answers.get(key)
        if known is not None:
            self._answers.move_to_end(key)
            content.plan = known.plan
            return known.inspection
        inspection = await self._plan(content)
        if inspection.complete:
            self._keep(key, inspection, content.plan)
        return inspection

    def _keep(self, key: tuple[str, str], inspection: Inspection, plan: bytes) -> None:
        self._drop(key)
        answer = _Answer(inspection, plan, len(plan) + weight(inspection, self._limit))
        self._answers[key] = answer
        self._weight += answer.weight
        while self._weight > self._limit:
            self._drop(next(iter(self._answers)))

    def _drop(self, key: tuple[str, str]) -> None:
        old = self._answers.pop(key, None)
        if old is not None:
            self._weight -= old.weight


def weight(value: object, limit: int) -> int:
    """About how many bytes a record takes with all that is in it; the count ends a little over `limit`."""
    total, waiting = 0, [value]
    while waiting and total <= limit:
        one = waiting.pop()
        if isinstance(one, dict):
            parts: Collection[object] = one.values()
            total += sum(map(len, one))
        else:
            parts = one if isinstance(one, (list, tuple)) else vars(one).values()
        total += _OBJECT * (1 + len(parts))
        for part in parts:
            if isinstance(part, str):
                total += len(part)
            elif not isinstance(part, (int, float, NoneType)):
                waiting.append(part)
    return total
