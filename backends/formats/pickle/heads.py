"""Tests on first bytes: what is written as picklers write, and what an unpickler could go some way with at all.

Both are cheap, and neither is a verdict: what only might be a pickle is for `probe` to run.
"""

from __future__ import annotations

import re
from typing import Optional

from backends.core import compression as compressions
from backends.formats.pickle.lines import read_float, read_index, read_int, read_long
from backends.formats.pickle.opcodes import LINE, LINE_CHECKS, MARKED, NAMES, OPCODES, TWO_LINES, Opcode

_NUMBERS = {"INT": read_int, "LONG": read_long, "FLOAT": read_float, "GET": read_index, "PUT": read_index}
_LONGEST_NUMBER = 100
_STEPS = 64
_BYTES = frozenset(name for name in NAMES if "BYTES" in name or "STRING" in name or name == "BYTEARRAY8")
_NAMING = frozenset(("GLOBAL", "INST", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4"))


def may_be_pickle(head: bytes, size: int, depth: int = 0) -> bool:
    """Whether an unpickler could come upon a name in `size` bytes that start so, however they are spelled.

    Bytes among the opcodes could be a pickle themselves. `depth` values are on the stack, and as many marks in it.
    """
    position, marks, holds = 0, [depth] * depth, False
    for _ in range(_STEPS):
        if position >= len(head):
            return holds or position < size
        opcode = OPCODES.get(head[position])
        if opcode is None:
            return False
        if opcode.name in _NAMING:
            named = opcode.argument != TWO_LINES or size > len(head) or b"\n" in head[position:]
            return named and depth >= opcode.pops
        if opcode.name == "MARK":
            marks.append(depth)
            depth = 0
        elif opcode.pops == MARKED or (opcode.name == "POP" and not depth):
            if not marks:
                return False
            depth = marks.pop()
        elif opcode.pops > depth:
            return False
        else:
            depth -= opcode.pops
        depth += opcode.pushes
        if opcode.name == "STOP":
            return holds or position + 1 < size
        holds = holds or opcode.name in _BYTES
        after = _pass_argument(head, position + 1, opcode, size)
        if after is None:
            return False
        position = after
    return True


STARTS = frozenset(code for code, opcode in OPCODES.items() if opcode.pops == 0 or opcode.name == "INST") | frozenset(
    b"x\x1f\xfd\x04"
)
"""First bytes that `may_hold_pickle` may take: of opcodes that need nothing before them, and of compressions."""


def may_hold_pickle(head: bytes, size: int) -> bool:
    """The same for bytes inside a file, most of which are numbers: also in a compression, also without a name."""
    return may_be_pickle(head, size) or looks_like_nested_pickle(head) or compressions.compression_of(head) is not None


def _pass_argument(head: bytes, position: int, opcode: Opcode, size: int) -> Optional[int]:
    """Where the opcode's argument ends, None where unpicklers give up. What `head` does not tell is taken to end it."""
    argument = opcode.argument
    if argument == LINE:
        end = head.find(b"\n", position)
        if end < 0:
            return len(head)
        read = _NUMBERS.get(opcode.name)
        if read is not None and end - position <= _LONGEST_NUMBER:
            try:
                read(head[position:end])
            except ValueError:
                return None
        return end + 1
    if argument < 0:
        start = position - argument
        if start > len(head):
            return len(head)
        position = start + int.from_bytes(head[position:start], "little")
    else:
        position += argument
    return position if position < size else None


_ENOUGH = 8
_FEW = 4
_LEAST = 3
_LOOSE = frozenset(("NONE", "INT", "LONG", "FLOAT", "STRING", "UNICODE", "PERSID"))
"""Opcodes that lines of ordinary text happen to be, one after another, without anything that holds them together."""
_NEWER_START = re.compile(rb"[BC\x81-\xff]")
"""Opcodes of protocols 2 and later, which no pickler writes without a protocol mark before them."""


def looks_like_pickle(head: bytes) -> bool:
    """Whether these first bytes (up to 4 KiB are enough) can start a pickle: opcodes, arguments and stack fit.

    Text files pass by accident only if several of their lines happen to be opcodes that fit; that is made unlikely
    by following the stack.
    """
    if head[:1] == b"\x80":
        return len(head) >= 2 and head[1] <= 16 and _follow(head, 2, 1)
    return not _NEWER_START.match(head) and _follow(head, 0, _ENOUGH)


def looks_like_nested_pickle(head: bytes) -> bool:
    """A stricter test for bytes inside a pickle, which are mostly random numbers: a protocol mark and four opcodes."""
    return len(head) >= 16 and head[0] == 0x80 and head[1] <= 5 and _follow(head, 2, _FEW)


def _follow(head: bytes, position: int, enough: int) -> bool:
    """Step over opcodes until STOP, `_ENOUGH` of them, or the end of `head`; at a misfit `enough` must have passed."""
    depth, marks, passed, shaped = 0, [], 0, position > 0
    while position < len(head):
        opcode = OPCODES.get(head[position])
        if opcode is None:
            return shaped and passed >= enough
        after = _skip(head, position + 1, opcode)
        if after is None:
            return shaped and passed >= enough
        if opcode.name == "MARK":
            marks.append(depth)
        elif opcode.pops == MARKED:
            if not marks:
                return shaped and passed >= enough
            depth = marks.pop()
        elif opcode.pops > depth:
            return shaped and passed >= enough
        else:
            depth -= opcode.pops
        depth += opcode.pushes
        passed += 1
        shaped = shaped or opcode.name not in _LOOSE
        if opcode.name == "STOP" and enough == _ENOUGH and (depth or marks):
            return False
        if opcode.name == "STOP" or passed >= _ENOUGH:
            return shaped and passed >= min(enough, _LEAST)
        position = after
    return shaped and passed >= min(enough, _FEW)


def _skip(head: bytes, position: int, opcode: Opcode) -> Optional[int]:
    """Where the opcode's argument ends (it may lie beyond `head`), None where no pickler writes it so."""
    argument = opcode.argument
    if argument >= 0:
        return position + argument
    if argument in (LINE, TWO_LINES):
        return _skip_lines(head, position, opcode)
    prefix = head[position : position - argument]
    if len(prefix) < -argument:
        return len(head)
    return position - argument + int.from_bytes(prefix, "little")


def _skip_lines(head: bytes, position: int, opcode: Opcode) -> Optional[int]:
    for _ in range(2 if opcode.argument == TWO_LINES else 1):
        end = head.find(b"\n", position)
        if end < 0:
            return len(head) if len(head) >= 4096 else None
        line = head[position:end]
        check = LINE_CHECKS.get(opcode.name)
        if check is not None and not check.match(line):
            return None
        if opcode.argument == TWO_LINES and not re.match(rb"[^\W\d][\w.]*\Z", line):
            return None
        position = end + 1
    return position
