"""How CPython's two unpicklers read the text arguments of a pickle: laxer than picklers write them.

Where the two differ, whatever either takes is taken. Modules/_pickle.c hands the line to strtol with base 0, to
PyLong_FromString and PyOS_string_to_double, which all end at a NUL; Lib/pickle.py calls int and float.
"""

from __future__ import annotations

import re

from backends.formats.pickle.values import Opaque, Value

MAX_DIGITS = 4000
"""Longer numbers are not worked out."""
_SPACE = b" \t\n\r\x0b\x0c"
_LONG = re.compile(rb"([+-]?(?:0[xXoObB])?)[0_]*([0-9a-fA-F_]*)\Z")
_OCTAL = re.compile(rb"[ \t\r\x0b\x0c]*([+-]?)0([0-7]+)\Z")


def read_int(line: bytes) -> Value:
    """The value of INT's argument. Raises ValueError where both unpicklers do."""
    if line in (b"00", b"01"):
        return line == b"01"
    octal = _OCTAL.match(line) if len(line) <= MAX_DIGITS else None
    if octal is not None and octal[2].strip(b"0"):
        value = int(octal[1] + octal[2], 8)
        if -1 << 63 <= value < 1 << 63:
            return value
    return _integer(line, 0)


def read_long(line: bytes) -> Value:
    """The value of LONG's argument. Raises ValueError where both unpicklers do."""
    return _integer(line[:-1] if line.endswith(b"L") else line, 0)


def read_index(line: bytes) -> int:
    """The memo index in GET's and PUT's argument. Raises ValueError where both unpicklers do."""
    value = _integer(line, 10)
    if type(value) is not int:
        raise ValueError("an index of thousands of digits")
    return value


def read_float(line: bytes) -> float:
    """The value of FLOAT's argument. Raises ValueError where both unpicklers do."""
    try:
        return float(line)
    except ValueError:
        return float(line.partition(b"\0")[0])


def _integer(line: bytes, base: int) -> Value:
    try:
        return _whole(line, base)
    except ValueError:
        return _whole(line.partition(b"\0")[0], base)


def _whole(line: bytes, base: int) -> Value:
    text = line.strip(_SPACE)
    if len(text) <= MAX_DIGITS:
        return int(text, base)
    parts = _LONG.match(text)
    if parts is None:
        raise ValueError("no number")
    short = len(parts[2]) <= MAX_DIGITS
    return int(parts[1] + (parts[2] or b"0"), base) if short else Opaque(f"an integer of {len(text)} digits")
