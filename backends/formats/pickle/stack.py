"""Stack, marks and memo of a pickle, and the opcodes that only move values among them.

The memo is emulated exactly: PUT, BINPUT and LONG_BINPUT write where they say, MEMOIZE at the memo's length.
"""

from __future__ import annotations

from typing import Callable

from backends.core.inspection import Finding
from backends.core.source import Source
from backends.formats.pickle.lines import read_index
from backends.formats.pickle.opcodes import LINE_CHECKS
from backends.formats.pickle.reader import MAX_TEXT_LINE, Budget, PickleReader, Stopped
from backends.formats.pickle.values import DictValue, Instance, RawArray, SetValue, Value, kind

_MAX_EXPANSION = 1_000_000


class PickleStack(PickleReader):
    """The opcodes that move values without naming or calling anything; each method is one opcode."""

    def __init__(self, source: Source, budget: Budget, findings: list[Finding]) -> None:
        super().__init__(source, budget, findings)
        self.stack: list[Value] = []
        self.marks: list[list[Value]] = []
        self.memo: dict[int, Value] = {}
        self._expansions: dict[int, tuple[int, Value]] = {}

    def _mark(self) -> None:
        self.marks.append(self.stack)
        self.stack = []
        if len(self.marks) > self.budget.depth:
            raise Stopped("limit", f"nested deeper than {self.budget.depth}", self.offset, resumable=True)

    def _pop_mark(self) -> list[Value]:
        items = self.stack
        self.stack = self.marks.pop()
        return items

    def _pop(self) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self._pop_mark()

    def _dup(self) -> None:
        self.stack.append(self.stack[-1])

    def _memoize(self) -> None:
        memo = self.memo
        memo[len(memo)] = self.stack[-1]

    def _binput(self) -> None:
        position = self.position
        self.position = position + 1
        self.memo[self.data[position]] = self.stack[-1]

    def _long_binput(self) -> None:
        self._remember(self._fixed(4))

    def _put(self) -> None:
        index: int = self._number("PUT", read_index)
        if index < 0:
            raise Stopped("malformed", "a memo entry with a negative number", self.offset)
        self._remember(index)

    def _remember(self, index: int) -> None:
        if index > 2 * self.budget.memo:
            self.report("limit", f"memo entry {index}, for which an unpickler would set aside memory")
        self.memo[index] = self.stack[-1]

    def _binget(self) -> None:
        position = self.position
        self.position = position + 1
        self.stack.append(self.memo[self.data[position]])

    def _long_binget(self) -> None:
        self.stack.append(self.memo[self._fixed(4)])

    def _get(self) -> None:
        self.stack.append(self.memo[self._number("GET", read_index)])

    def _fixed(self, length: int) -> int:
        position = self.position
        self.position = position + length
        return int.from_bytes(self.data[position : position + length], "little")

    def _number(self, name: str, read: Callable[[bytes], Value]) -> Value:
        """A number written as text, as unpicklers `read` it; one that no pickler spells so is reported."""
        line = self.line(MAX_TEXT_LINE)
        if not LINE_CHECKS[name].match(line):
            self.report("odd-literal", f"{name} argument {line[:40]!r}")
        try:
            return read(line)
        except ValueError:
            raise Stopped("malformed", f"{name} argument {line[:40]!r} that is no number", self.offset) from None

    # containers

    def _empty_tuple(self) -> None:
        self.stack.append(())

    def _tuple(self) -> None:
        self._push_tuple(tuple(self._pop_mark()))

    def _tuple1(self) -> None:
        self._push_tuple((self.stack.pop(),))

    def _tuple2(self) -> None:
        last = self.stack.pop()
        self._push_tuple((self.stack.pop(), last))

    def _tuple3(self) -> None:
        stack = self.stack
        last, middle, first = stack.pop(), stack.pop(), stack.pop()
        self._push_tuple((first, middle, last))

    def _push_tuple(self, value: tuple[Value, ...]) -> None:
        self.stack.append(value)
        self._weigh(value, value)

    def _weigh(self, made: Value, parts: tuple[Value, ...]) -> None:
        """Report what holds shared parts in so many ways that hashing or comparing it would never end.

        `made` is a tuple, or the object a call makes of these parts, which may be one as well.
        """
        known = self._expansions
        for item in parts:
            if (type(item) is tuple and item) or id(item) in known:
                break
        else:
            return
        total = 1
        for item in parts:
            entry = known.get(id(item))
            total += entry[0] if entry else 1
        if total > _MAX_EXPANSION:
            detail = f"a tuple that unfolds to over {_MAX_EXPANSION} parts"
            raise Stopped("exponential", detail, self.offset, resumable=True)
        known[id(made)] = (total, made)

    def _empty_list(self) -> None:
        self.stack.append([])

    def _list(self) -> None:
        items = self._pop_mark()
        self.stack.append(items)

    def _append(self) -> None:
        item = self.stack.pop()
        target = self.stack[-1]
        if type(target) is list:
            target.append(item)
        else:
            self._extend(target, [item])

    def _appends(self) -> None:
        items = self._pop_mark()
        target = self.stack[-1]
        if type(target) is list:
            target.extend(items)
        else:
            self._extend(target, items)

    def _extend(self, target: Value, items: list[Value]) -> None:
        if type(target) is not Instance:
            self.report("odd-build", f"appends to {kind(target)}")
        elif target.items is None:
            target.items = list(items)
        else:
            target.items.extend(items)

    def _empty_dict(self) -> None:
        self.stack.append(DictValue([]))

    def _dict(self) -> None:
        items = self._pop_mark()
        if len(items) % 2:
            raise Stopped("malformed", "a dict with a key that has no value", self.offset)
        self._check_keys(items[::2])
        self.stack.append(DictValue(items))

    def _setitem(self) -> None:
        value = self.stack.pop()
        key = self.stack.pop()
        self._set_items([key, value])

    def _setitems(self) -> None:
        items = self._pop_mark()
        if len(items) % 2:
            raise Stopped("malformed", "a key without a value", self.offset)
        self._set_items(items)

    def _set_items(self, items: list[Value]) -> None:
        target = self.stack[-1]
        if type(target) is DictValue:
            self._check_keys(items[::2])
            target.flat.extend(items)
        elif type(target) is Instance:
            if target.pairs is None:
                target.pairs = []
            target.pairs.extend(items)
        else:
            self.report("odd-build", f"sets items of {kind(target)}")

    def _empty_set(self) -> None:
        self.stack.append(SetValue([], False))

    def _additems(self) -> None:
        items = self._pop_mark()
        target = self.stack[-1]
        self._check_keys(items)
        if type(target) is SetValue and not target.frozen:
            target.items.extend(items)
        else:
            self._extend(target, items)

    def _frozenset(self) -> None:
        items = self._pop_mark()
        self._check_keys(items)
        made = SetValue(items, True)
        self.stack.append(made)
        self._weigh(made, tuple(items))

    def _check_keys(self, keys: list[Value]) -> None:
        """Report a key that Python cannot hash: loading ends there, whatever was run before."""
        for key in keys:
            if type(key) in (list, DictValue, RawArray) or (type(key) is SetValue and not key.frozen):
                self.report("odd-literal", f"{kind(key)} as a key of a dict or a member of a set")


def spent(index: int) -> int:
    """Where a memo entry goes that nothing may read again: the memo keeps its length, no opcode has such an index."""
    return -2 - index
