"""The pickle opcodes: their argument and stack effect, as data, and a quick test for what can be a pickle at all.

Source of the format: CPython's Lib/pickletools.py and Modules/_pickle.c (protocols 0 to 5).
"""

from __future__ import annotations

import re
from typing import NamedTuple, Optional

__all__ = ["LINE_CHECKS", "NAMES", "OPCODES", "Opcode", "looks_like_nested_pickle", "looks_like_pickle"]


class Opcode(NamedTuple):
    """One opcode. `argument`: 0, 1, 2, 4, 8 = fixed bytes; -1, -4, -8 = length prefix; -10, -20 = text lines.

    `pops` is how many stack items it takes (-1: all down to the topmost mark), `pushes` how many it leaves.
    """

    name: str
    argument: int
    pops: int
    pushes: int


_MARK = -1
_LINE = -10
_TWO_LINES = -20

OPCODES: dict[int, Opcode] = {
    ord(code): Opcode(name, argument, pops, pushes)
    for code, name, argument, pops, pushes in (
        ("(", "MARK", 0, 0, 0),
        (".", "STOP", 0, 1, 0),
        ("0", "POP", 0, 1, 0),
        ("1", "POP_MARK", 0, _MARK, 0),
        ("2", "DUP", 0, 1, 2),
        ("F", "FLOAT", _LINE, 0, 1),
        ("I", "INT", _LINE, 0, 1),
        ("J", "BININT", 4, 0, 1),
        ("K", "BININT1", 1, 0, 1),
        ("L", "LONG", _LINE, 0, 1),
        ("M", "BININT2", 2, 0, 1),
        ("N", "NONE", 0, 0, 1),
        ("P", "PERSID", _LINE, 0, 1),
        ("Q", "BINPERSID", 0, 1, 1),
        ("R", "REDUCE", 0, 2, 1),
        ("S", "STRING", _LINE, 0, 1),
        ("T", "BINSTRING", -4, 0, 1),
        ("U", "SHORT_BINSTRING", -1, 0, 1),
        ("V", "UNICODE", _LINE, 0, 1),
        ("X", "BINUNICODE", -4, 0, 1),
        ("a", "APPEND", 0, 2, 1),
        ("b", "BUILD", 0, 2, 1),
        ("c", "GLOBAL", _TWO_LINES, 0, 1),
        ("d", "DICT", 0, _MARK, 1),
        ("}", "EMPTY_DICT", 0, 0, 1),
        ("e", "APPENDS", 0, _MARK, 0),
        ("g", "GET", _LINE, 0, 1),
        ("h", "BINGET", 1, 0, 1),
        ("i", "INST", _TWO_LINES, _MARK, 1),
        ("j", "LONG_BINGET", 4, 0, 1),
        ("l", "LIST", 0, _MARK, 1),
        ("]", "EMPTY_LIST", 0, 0, 1),
        ("o", "OBJ", 0, _MARK, 1),
        ("p", "PUT", _LINE, 1, 1),
        ("q", "BINPUT", 1, 1, 1),
        ("r", "LONG_BINPUT", 4, 1, 1),
        ("s", "SETITEM", 0, 3, 1),
        ("t", "TUPLE", 0, _MARK, 1),
        (")", "EMPTY_TUPLE", 0, 0, 1),
        ("u", "SETITEMS", 0, _MARK, 0),
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
        ("\x90", "ADDITEMS", 0, _MARK, 0),
        ("\x91", "FROZENSET", 0, _MARK, 1),
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
"""How honest picklers spell the text arguments. The two CPython unpicklers differ on what they accept beyond it."""

_ENOUGH = 8
_FEW = 4
_LEAST = 3
_NEWER_START = re.compile(rb"[BC\x81-\xff]")
"""Opcodes of protocols 2 and later, which no pickler writes without a protocol mark before them."""


def looks_like_pickle(head: bytes) -> bool:
    """Whether these first bytes (up to 4 KiB are enough) can start a pickle: opcodes, arguments and stack fit.

    Text files pass by accident only if several of their lines happen to be opcodes that fit; that is made unlikely
    by following the stack.
    """
    if head[:1] == b"\x80":
        return len(head) >= 2 and head[1] <= 16 and _follow(head, 2, 1)
    return not _NEWER_START.match(head) and _follow(head, 0, _FEW)


def looks_like_nested_pickle(head: bytes) -> bool:
    """A stricter test for bytes inside a pickle, which are mostly random numbers: a protocol mark and four opcodes."""
    return len(head) >= 16 and head[0] == 0x80 and head[1] <= 5 and _follow(head, 2, _FEW)


def _follow(head: bytes, position: int, enough: int) -> bool:
    """Step over opcodes until STOP, `_ENOUGH` of them, or the end of `head`; at a misfit `enough` must have passed."""
    depth, marks, passed = 0, [], 0
    while position < len(head):
        opcode = OPCODES.get(head[position])
        if opcode is None:
            return passed >= enough
        after = _skip(head, position + 1, opcode)
        if after is None:
            return passed >= enough
        if opcode.name == "MARK":
            marks.append(depth)
        elif opcode.pops == _MARK:
            if not marks:
                return passed >= enough
            depth = marks.pop()
        elif opcode.pops > depth:
            return passed >= enough
        else:
            depth -= opcode.pops
        depth += opcode.pushes
        passed += 1
        if opcode.name == "STOP" or passed >= _ENOUGH:
            return passed >= min(enough, _LEAST)
        position = after
    return passed >= enough


def _skip(head: bytes, position: int, opcode: Opcode) -> Optional[int]:
    """Where the opcode's argument ends (it may lie beyond `head`), None where no pickler writes it so."""
    argument = opcode.argument
    if argument >= 0:
        return position + argument
    if argument in (_LINE, _TWO_LINES):
        return _skip_lines(head, position, opcode)
    prefix = head[position : position - argument]
    if len(prefix) < -argument:
        return len(head)
    return position - argument + int.from_bytes(prefix, "little")


def _skip_lines(head: bytes, position: int, opcode: Opcode) -> Optional[int]:
    for _ in range(2 if opcode.argument == _TWO_LINES else 1):
        end = head.find(b"\n", position)
        if end < 0:
            return len(head) if len(head) >= 4096 else None
        line = head[position:end]
        check = LINE_CHECKS.get(opcode.name)
        if check is not None and not check.match(line):
            return None
        if opcode.argument == _TWO_LINES and not re.match(rb"[^\W\d][\w.]*\Z", line):
            return None
        position = end + 1
    return position
