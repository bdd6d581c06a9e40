"""Bounds of a number as a field's metadata holds them (`least`, `above`, `most`), checked and said in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

Rules = Mapping[Any, Any]


def within(value: float, rules: Rules) -> bool:
    """Whether a finite number keeps the bounds."""
    return (
        (isinstance(value, int) or math.isfinite(value))
        and ("least" not in rules or value >= rules["least"])
        and ("above" not in rules or value > rules["above"])
        and ("most" not in rules or value <= rules["most"])
    )


def range_words(rules: Rules) -> str:
    """`from 1 to 240`, `more than 0`, `2 or more`; "" where there is no bound."""
    least, above, most = (rules.get(name) for name in ("least", "above", "most"))
    if least is not None:
        return f"{least} or more" if most is None else f"from {least} to {most}"
    if above is not None:
        return f"more than {above}" + ("" if most is None else f" and at most {most}")
    return "" if most is None else f"{most} or less"
