"""Strict JSON of a header or an index: one object, each key once, numbers that fit 63 bits, a bounded amount of it."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, NoReturn, Union

from backends.core.errors import Damaged

MAX_BYTES = 16 << 20
"""Text that is parsed at most; the largest models have 10 MB."""
MAX_ITEMS = 500_000
"""Commas that are parsed at most: those of 100,000 tensors."""
_LIMIT = 1 << 63
_DIGITS = 20
"""Characters of a whole number that fits, its sign counted."""
_LONGEST = 300
"""Digits of a number that are looked at where it may be of any size."""


class OverBudgetError(Exception):
    """Text with more in it than any writer puts there: it was not parsed."""


class _RefusedError(Exception):
    """JSON that a lenient parser would take."""


def parse_object(data: bytes, what: str) -> dict[str, Any]:
    """The object that `data` holds, called `what` in messages. Raises Damaged, OverBudgetError."""
    return _object(_parsed(data, what, {"parse_int": _whole, "parse_constant": _no_number}), what)


def parse_settings(data: bytes, what: str) -> Any:
    """An object or a list as Python's json writes one, which may hold Infinity, or a whole number of any size: that is
    a float here. Raises Damaged, OverBudgetError."""
    found = _parsed(data, what, {"parse_int": _any_whole})
    if type(found) not in (dict, list):
        raise Damaged(f"{what} is JSON, but no object and no list")
    return found


def _object(found: Any, what: str) -> dict[str, Any]:
    if type(found) is not dict:
        raise Damaged(f"{what} is JSON, but no object")
    return found


def _parsed(data: bytes, what: str, numbers: dict[str, Any]) -> Any:
    check_budget(len(data), what)
    if (items := data.count(b",")) > MAX_ITEMS:
        raise OverBudgetError(f"{what} lists {items:,} values, and at most {MAX_ITEMS:,} are read")
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_unique, **numbers)
    except UnicodeDecodeError as error:
        raise Damaged(f"{what} is not valid UTF-8 at its byte {error.start:,}") from None
    except RecursionError:
        raise Damaged(f"{what} is nested far deeper than its format is") from None
    except _RefusedError as error:
        raise Damaged(f"{what} {error}") from None
    except ValueError as error:
        raise Damaged(f"{what} is not valid JSON: {error}") from None


def check_budget(size: int, what: str) -> None:
    """Raise OverBudgetError for a text of more bytes than are read."""
    if size > MAX_BYTES:
        raise OverBudgetError(f"{what} has {size:,} bytes, and at most {MAX_BYTES:,} are read")


def is_text(*texts: object) -> bool:
    """Whether all of these are text that can be written as UTF-8, which half a surrogate pair cannot."""
    try:
        "".join(texts).encode()  # type: ignore[arg-type]
    except (TypeError, UnicodeEncodeError):
        return False
    return True


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise _RefusedError(f"holds the key '{twice[:100]}' twice")
    if not is_text(*found):
        raise _RefusedError("holds half of a surrogate pair, which is no text")
    return found


def _whole(digits: str) -> int:
    if len(digits) > _DIGITS or abs(int(digits)) >= _LIMIT:
        raise _RefusedError(f"holds the number {digits[:40]}, which does not fit 63 bits")
    return int(digits)


def _any_whole(digits: str) -> Union[int, float]:
    return int(digits) if len(digits) < _DIGITS else float(digits[:_LONGEST])


def _no_number(name: str) -> NoReturn:
    raise _RefusedError(f"holds {name}, which is no number in JSON")
