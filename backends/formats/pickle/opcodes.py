"""The pickle opcodes: their argument and stack effect, as data.

Source of the format: CPython's Lib/pickletools.py and Modules/_pickle.c (protocols 0 to 5).
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Opcode(NamedTuple):
    """One opcode. `argument`: 0, 1, 2, 4, 8 = fixed bytes; -1, -4, -8 = length prefix; -10, -20 = text lines.

    `pops` is how many stack items it takes (-1: all down to the topmost mark), `pushes` how many it leaves.
    """

    name: str
    argument: int
    pops: int
    pushes: int


MARKED = -1
LINE = -10
TWO_LINES = -20

OPCODES: dict[int, Opcode] = {
    ord(code): Opcode(name, argument, pops, pushes)
    for code, name, argument, pops, pushes in (
        ("(", "MARK", 0, 0, 0),
        (".", "STOP", 0, 1, 0),
        ("0", "POP", 0, 1, 0),
        ("1", "POP_MARK", 0, MARKED, 0),
        ("2", "DUP", 0, 1, 2),
        ("F", "FLOAT", LINE, 0, 1),
        ("I", "INT", LINE, 0, 1),
        ("J", "BININT", 4, 0, 1),
        ("K", "BININT1", 1, 0, 1),
        ("L", "LONG", LINE, 0, 1),
        ("M", "BININT2", 2, 0, 1),
        ("N", "NONE", 0, 0, 1),
        ("P", "PERSID", LINE, 0, 1),
        ("Q", "BINPERSID", 0, 1, 1),
        ("R", "REDUCE", 0, 2, 1),
        ("S", "STRING", LINE, 0, 1),
        ("T", "BINSTRING", -4, 0, 1),
        ("U", "SHORT_BINSTRING", -1, 0, 1),
        ("V", "UNICODE", LINE, 0, 1),
        ("X", "BINUNICODE", -4, 0, 1),
        ("a", "APPEND", 0, 2, 1),
        ("b", "BUILD", 0, 2, 1),
        ("c", "GLOBAL", TWO_LINES, 0, 1),
        ("d", "DICT", 0, MARKED, 1),
        ("}", "EMPTY_DICT", 0, 0, 1),
        ("e", "APPENDS", 0, MARKED, 0),
        ("g", "GET", LINE, 0, 1),
        ("h", "BINGET", 1, 0, 1),
        ("i", "INST", TWO_LINES, MARKED, 1),
        ("j", "LONG_BINGET", 4, 0, 1),
        ("l", "LIST", 0, MARKED, 1),
        ("]", "EMPTY_LIST", 0, 0, 1),
        ("o", "OBJ", 0, MARKED, 1),
        ("p", "PUT", LINE, 1, 1),
        ("q", "BINPUT", 1, 1, 1),
        ("r", "LONG_BINPUT", 4, 1, 1),
        ("s", "SETITEM", 0, 3, 1),
        ("t", "TUPLE", 0, MARKED, 1),
        (")", "EMPTY_TUPLE", 0, 0, 1),
        ("u", "SETITEMS", 0, MARKED, 0),
        ("G", "BINFLOAT", 8, 0, 1),
        ("\x80", "PROTO", 1, 0, 0),
        ("\x81", "NEWOBJ", 0, 2, 1),
        ("\x82", "EXT1", 1, 0, 1),
        ("\x83", "EXT2", 2, 0, 1),
        ("\x84", "EXT4", 4, 0, 1),
        ("\x85", "TUPLE1", 0, 1, 1),
        ("\x86", "TUPLE2", 0, 2, 1),
        ("\x87", "TUPLE3", 0, 3, 1),
        ("\x88", "NEWTRUE", 0, 0, 1),
        ("\x89", "NEWFALSE", 0, 0, 1),
        ("\x8a", "LONG1", -1, 0, 1),
        ("\x8b", "LONG4", -4, 0, 1),
        ("B", "BINBYTES", -4, 0, 1),
        ("C", "SHORT_BINBYTES", -1, 0, 1),
        ("\x8c", "SHORT_BINUNICODE", -1, 0, 1),
        ("\x8d", "BINUNICODE8", -8, 0, 1),
        ("\x8e", "BINBYTES8", -8, 0, 1),
        ("\x8f", "EMPTY_SET", 0, 0, 1),
        ("\x90", "ADDITEMS", 0, MARKED, 0),
        ("\x91", "FROZENSET", 0, MARKED, 1),
        ("\x92", "NEWOBJ_EX", 0, 3, 1),
        ("\x93", "STACK_GLOBAL", 0, 2, 1),
        ("\x94", "MEMOIZE", 0, 1, 1),
        ("\x95", "FRAME", 8, 0, 0),
        ("\x96", "BYTEARRAY8", -8, 0, 1),
        ("\x97", "NEXT_BUFFER", 0, 0, 1),
        ("\x98", "READONLY_BUFFER", 0, 1, 1),
    )
}
"""Every opcode of protocols 0 to 5 by its byte."""

NAMES: dict[str, int] = {opcode.name: code for code, opcode in OPCODES.items()}

LINE_CHECKS: dict[str, re.Pattern[bytes]] = {
    "INT": re.compile(rb"(?:-?(?:0|[1-9][0-9]*)|00|01)\Z"),
    "LONG": re.compile(rb"-?(?:0|[1-9][0-9]*)L?\Z"),
    "FLOAT": re.compile(rb"(?:-?(?:[0-9]+(?:\.[0-9]*)?(?:e[+-]?[0-9]+)?|inf)|nan)\Z"),
    "STRING": re.compile(rb"(?:'.*'|\".*\")\Z", re.DOTALL),
    "GET": re.compile(rb"(?:0|[1-9][0-9]*)\Z"),
    "PUT": re.compile(rb"(?:0|[1-9][0-9]*)\Z"),
}
"""How honest picklers spell the text arguments; see pickle_lines for what unpicklers take."""
