"""An abstract machine for pickle streams: follows every opcode of protocols 0 to 5 and builds nothing.

It keeps exactly the stack, marks and memo that CPython's unpicklers keep, but of inert values, and reports whatever
the two of them (Modules/_pickle.c and Lib/pickle.py; joblib uses the latter) could understand differently.
"""

from __future__ import annotations

import codecs
import re
import struct
import sys
from typing import Callable, Optional

from backends.base import Finding, Source
from backends.pickle_opcodes import LINE_CHECKS, OPCODES, looks_like_nested_pickle
from backends.pickle_reader import Budget, PickleReader, Stopped
from backends.pickle_values import DictValue, Global, Instance, Opaque, RawArray, SetValue, Span, Value

__all__ = ["Names", "PickleMachine"]

_STOP = ord(".")
_ROUND = 2048
_KEEP = 4096
_NESTED_HEAD = 256
_MAX_EXPANSION = 1_000_000
MAX_NAMES = 10_000
_PLAIN_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*\Z", re.ASCII)
_double = struct.Struct(">d").unpack_from

_ROLES = {
    ("joblib.numpy_pickle", "NumpyArrayWrapper"): "wrapper",
    ("sklearn.externals.joblib.numpy_pickle", "NumpyArrayWrapper"): "wrapper",
    ("copy_reg", "_reconstructor"): "reconstructor",
    ("copyreg", "_reconstructor"): "reconstructor",
}

_WRAPPERS = frozenset(("NumpyArrayWrapper", "NDArrayWrapper", "ZNDArrayWrapper"))
"""Classes after whose BUILD joblib reads an array, whatever module they were fetched from."""

_WORDS: dict[type, str] = {
    Instance: "a computed object",
    DictValue: "a dict",
    SetValue: "a set",
    RawArray: "an array",
    Opaque: "an outside object",
    Span: "a long string",
    str: "a string",
    bytes: "bytes",
    list: "a list",
    tuple: "a tuple",
    type(None): "None",
}


class Names:
    """The globals of a file, one object for each, in order of appearance."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], Global] = {}

    def get(self, module: str, name: str, offset: int) -> Global:
        """The Global of this name; its first use sets its offset. Raises Stopped when there are too many."""
        known = self.found.get((module, name))
        if known is None:
            if len(self.found) >= MAX_NAMES:
                raise Stopped("limit", f"more than {MAX_NAMES} globals", offset)
            role = _ROLES.get((module, name), "")
            if not role and name.rpartition(".")[2] in _WRAPPERS:
                role = "legacy-wrapper"
            known = self.found[module, name] = Global(module, name, offset, role)
        return known


class PickleMachine(PickleReader):
    """Runs one pickle stream. `spans` is what reads joblib's raw arrays, None where the reader knows of none.

    `persistent` gives the value of a persistent id, or None for one that it does not know; None where there are none.
    """

    def __init__(
        self,
        source: Source,
        budget: Budget,
        findings: list[Finding],
        names: Names,
        spans: Optional[Callable[[PickleMachine, Instance], RawArray]] = None,
    ) -> None:
        super().__init__(source, budget, findings)
        self.names = names
        self.spans = spans
        self.persistent: Optional[Callable[[Value], Value]] = None
        self.protocol = 0
        self.start = 0
        self.abandoned: Optional[int] = None
        self.stack: list[Value] = []
        self.marks: list[list[Value]] = []
        self.memo: dict[int, Value] = {}
        self.wrapper: Optional[Instance] = None
        self.wrapper_index = 0
        self._expansions: dict[int, tuple[int, Value]] = {}
        unknown = self._unknown
        self._dispatch = [
            getattr(self, "_" + OPCODES[code].name.lower()) if code in OPCODES else unknown for code in range(256)
        ]

    def run(self, offset: int) -> Value:
        """Follow the stream that starts at `offset` to its STOP; `offset` of the machine is then what comes after.

        `abandoned` is where CPython's Python unpickler takes up what comes after, where that is somewhere else.
        Returns the abstract root. Raises Stopped where it cannot go on, OSError.
        """
        self.seek(offset)
        self.start, self.protocol, self.frame_end, self.abandoned = offset, 0, None, None
        self.stack, self.marks, self.memo, self.wrapper = [], [], {}, None
        self._set_safe()
        return self.resume()

    def resume(self) -> Value:
        """Go on from here, with the stack and memo as they are, to STOP. Returns and raises what `run` does."""
        try:
            return self._loop()
        except IndexError:
            raise Stopped("malformed", "an opcode takes more from the stack than there is", self.offset) from None
        except KeyError as error:
            if _spent(error.args[0]) in self.memo:
                raise Stopped("raw-span", "an array's wrapper is used for a second time", self.offset) from None
            raise Stopped("malformed", "an opcode reads a memo entry that was never written", self.offset) from None
        except UnicodeDecodeError as error:
            raise Stopped("malformed", f"text that is not valid {error.encoding}", self.offset) from None
        except MemoryError:
            raise Stopped("limit", "the walk ran out of memory", self.offset) from None

    def _loop(self) -> Value:
        dispatch, budget = self._dispatch, self.budget
        while True:
            for done in range(_ROUND):
                position = self.position
                if position >= self.safe:
                    position = self.more()
                code = self.data[position]
                self.position = position + 1
                if code == _STOP:
                    return self._stop(done + 1)
                dispatch[code]()
            budget.spend(_ROUND, self.offset)
            if len(self.memo) > budget.memo:
                raise Stopped("limit", f"more than {budget.memo} memo entries", self.offset)

    def _stop(self, opcodes: int) -> Value:
        offset = self.offset
        if self.frame_end is not None and self.frame_end != offset:
            self.report("frame", f"{self.frame_end - offset} bytes are left in the frame at its STOP", offset - 1)
            self.abandoned = self.frame_end
        if self.wrapper is not None:
            self.report("raw-span", "an array's wrapper that never became an array", offset - 1)
        self.frame_end = None
        self.budget.spend(opcodes, offset)
        return self.stack.pop()

    def lost_wrapper(self) -> bool:
        """Whether the wrapper of an array that is still to come went somewhere else than on the stack."""
        stacks = (self.stack, *self.marks)
        return self.wrapper is not None and not any(item is self.wrapper for items in stacks for item in items)

    def _unknown(self) -> None:
        offset = self.offset - 1
        raise Stopped("malformed", f"byte 0x{self.data[self.position - 1]:02x} is no opcode", offset)

    # stack and memo

    def _mark(self) -> None:
        self.marks.append(self.stack)
        self.stack = []
        if len(self.marks) > self.budget.depth:
            raise Stopped("limit", f"nested deeper than {self.budget.depth}", self.offset)

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
        index = self._index("PUT")
        if index >= 0:
            self._remember(index)

    def _index(self, name: str) -> int:
        """A memo index as both unpicklers understand it, however it is spelled; -1 where they give up."""
        line = self.line()
        if not LINE_CHECKS[name].match(line):
            self.report("odd-literal", f"{name} argument {line[:40]!r}")
        try:
            return max(-1, int(line.partition(b"\0")[0]))
        except ValueError:
            return -1

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
        self.stack.append(self.memo[self._index("GET")])

    def _fixed(self, length: int) -> int:
        position = self.position
        self.position = position + length
        return int.from_bytes(self.data[position : position + length], "little")

    def _checked(self, name: str) -> bytes:
        """A text argument in its canonical spelling; anything else is reported and read as nothing."""
        line = self.line()
        if not LINE_CHECKS[name].match(line):
            self.report("odd-literal", f"{name} argument {line[:40]!r}")
            return b""
        return line

    # stream marks

    def _proto(self) -> None:
        version = self._fixed(1)
        if self.offset - 2 != self.start:
            self.report("protocol", f"a second protocol mark ({version})", self.offset - 2)
        if version > 5:
            raise Stopped("malformed", f"pickle protocol {version} does not exist", self.offset - 1)
        self.protocol = version

    def _frame(self) -> None:
        self.open_frame(self._fixed(8))

    # numbers and constants

    def _none(self) -> None:
        self.stack.append(None)

    def _newtrue(self) -> None:
        self.stack.append(True)

    def _newfalse(self) -> None:
        self.stack.append(False)

    def _binint1(self) -> None:
        position = self.position
        self.position = position + 1
        self.stack.append(self.data[position])

    def _binint2(self) -> None:
        self.stack.append(self._fixed(2))

    def _binint(self) -> None:
        value = self._fixed(4)
        self.stack.append(value - (1 << 32) if value >> 31 else value)

    def _int(self) -> None:
        line = self._checked("INT")
        self.stack.append(line == b"01" if line in (b"00", b"01") else self._number(line))

    def _long(self) -> None:
        self.stack.append(self._number(self._checked("LONG").rstrip(b"L")))

    def _number(self, line: bytes) -> Value:
        return int(line or 0) if len(line) < 4000 else Opaque(f"an integer of {len(line)} digits")

    def _long1(self) -> None:
        self._long_bytes(self._fixed(1))

    def _long4(self) -> None:
        length = self._fixed(4)
        if length >> 31:
            raise Stopped("malformed", "an integer of negative length", self.offset)
        self._long_bytes(length)

    def _long_bytes(self, length: int) -> None:
        data = self.take(self.position, length, "bytes", _KEEP)
        value = Opaque(f"an integer of {length} bytes") if data is None else int.from_bytes(data, "little", signed=True)
        self.stack.append(value)

    def _float(self) -> None:
        self.stack.append(float(self._checked("FLOAT") or 0))

    def _binfloat(self) -> None:
        position = self.position
        self.position = position + 8
        self.stack.append(_double(self.data, position)[0])

    # text and bytes

    def _short_binunicode(self) -> None:
        position = self.position
        start = position + 1
        stop = start + self.data[position]
        if stop > self.end:
            self._text(start, stop - start)
        else:
            self.stack.append(str(self.data[start:stop], "utf-8", "surrogatepass"))
            self.position = stop

    def _binunicode(self) -> None:
        length = self._fixed(4)
        self._text(self.position, length)

    def _binunicode8(self) -> None:
        length = self._fixed(8)
        self._text(self.position, length)

    def _text(self, start: int, length: int) -> None:
        offset = self.base + start
        data = self.take(start, length, "utf-8", _KEEP)
        if data is None:
            self.stack.append(Span(self.source, offset, length, "utf-8"))
        else:
            self.stack.append(str(data, "utf-8", "surrogatepass"))

    def _unicode(self) -> None:
        span = self._text_line("raw-unicode-escape")
        self.stack.append(str(span, "raw-unicode-escape") if isinstance(span, bytes) else span)

    def _string(self) -> None:
        line = self._text_line("escaped")
        if isinstance(line, Span):
            self.stack.append(line)
        elif len(line) < 2 or not LINE_CHECKS["STRING"].match(line):
            raise Stopped("malformed", "a string without its quotes", self.offset)
        else:
            try:
                self.stack.append(codecs.escape_decode(line[1:-1])[0].decode("latin-1"))
            except ValueError:
                raise Stopped("malformed", "a string with a broken escape", self.offset) from None

    def _text_line(self, encoding: str) -> Value:
        start = self.position
        stop = self.data.find(b"\n", start, self.end)
        if 0 <= stop <= start + _KEEP:
            self.position = stop + 1
            return self.data[start:stop]
        return self.long_line(encoding)

    def _short_binstring(self) -> None:
        self._bytes(self._fixed(1), "latin-1")

    def _binstring(self) -> None:
        length = self._fixed(4)
        if length >> 31:
            raise Stopped("malformed", "a string of negative length", self.offset)
        self._bytes(length, "latin-1")

    def _short_binbytes(self) -> None:
        self._bytes(self._fixed(1), "bytes")

    def _binbytes(self) -> None:
        self._bytes(self._fixed(4), "bytes")

    def _binbytes8(self) -> None:
        self._bytes(self._fixed(8), "bytes")

    def _bytearray8(self) -> None:
        self._bytes(self._fixed(8), "bytes")

    def _bytes(self, length: int, encoding: str) -> None:
        start = self.position
        offset = self.base + start
        nested = length >= 16 and start + 2 <= self.end and self.data[start] == 0x80
        head = self.head(start, min(length, _NESTED_HEAD)) if nested or start + 2 > self.end else b""
        data = self.take(start, length, encoding, _KEEP)
        if head and looks_like_nested_pickle(head):
            self.report("nested-pickle", f"{length} bytes that are a pickle themselves", offset)
        if data is None:
            self.stack.append(Span(self.source, offset, length, encoding))
        else:
            self.stack.append(data if encoding == "bytes" else data.decode(encoding))

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
        for item in value:
            if type(item) is tuple and item:
                self._expand(value)
                return

    def _expand(self, value: tuple[Value, ...]) -> None:
        """Report tuples that hold shared tuples in so many ways that hashing them would never end."""
        known = self._expansions
        total = 1
        for item in value:
            entry = known.get(id(item)) if type(item) is tuple else None
            total += entry[0] if entry else 1
        if total > _MAX_EXPANSION:
            raise Stopped("exponential", f"a tuple that unfolds to over {_MAX_EXPANSION} parts", self.offset)
        known[id(value)] = (total, value)

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
            self.report("odd-build", f"appends to {_kind(target)}")
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
            target.flat.extend(items)
        elif type(target) is Instance:
            if target.pairs is None:
                target.pairs = []
            target.pairs.extend(items)
        else:
            self.report("odd-build", f"sets items of {_kind(target)}")

    def _empty_set(self) -> None:
        self.stack.append(SetValue([], False))

    def _additems(self) -> None:
        items = self._pop_mark()
        target = self.stack[-1]
        if type(target) is SetValue and not target.frozen:
            target.items.extend(items)
        else:
            self._extend(target, items)

    def _frozenset(self) -> None:
        items = self._pop_mark()
        self.stack.append(SetValue(items, True))

    # names and calls

    def _global(self) -> None:
        offset = self.offset - 1
        module = self.line()
        self.stack.append(self._name(str(module, "utf-8"), str(self.line(), "utf-8"), offset))

    def _stack_global(self) -> None:
        offset = self.offset - 1
        name = self.stack.pop()
        module = self.stack.pop()
        if type(name) is Span or type(module) is Span:
            name, module = _short_text(name), _short_text(module)
        if type(name) is str and type(module) is str:
            self.stack.append(self._name(module, name, offset))
        else:
            self.report("computed-name", f"a global named by {_kind(module)} and {_kind(name)}", offset)
            self.stack.append(Opaque("a global with a computed name"))

    def _name(self, module: str, name: str, offset: int) -> Global:
        known = self.names.get(module, name, offset)
        if known.offset == offset and not (_PLAIN_NAME.match(module) and _PLAIN_NAME.match(name)):
            self.report("odd-name", f"the global {module!r} {name!r}"[:300], offset)
        return known

    def _reduce(self) -> None:
        args = self.stack.pop()
        self.stack[-1] = self._called(self.stack[-1], args)

    def _newobj(self) -> None:
        args = self.stack.pop()
        self.stack[-1] = self._called(self.stack[-1], args, new=True)

    def _newobj_ex(self) -> None:
        kwargs = self.stack.pop()
        args = self.stack.pop()
        self.stack[-1] = self._called(self.stack[-1], args, kwargs, new=True)

    def _obj(self) -> None:
        items = self._pop_mark()
        callee = items.pop(0)
        self.stack.append(self._called(callee, tuple(items), new=True))

    def _inst(self) -> None:
        self._global()
        callee = self.stack.pop()
        args = tuple(self._pop_mark())
        self.stack.append(self._called(callee, args, new=True))

    def _called(self, callee: Value, args: Value, kwargs: Value = None, new: bool = False) -> Instance:
        if type(callee) is Global:
            if not callee.called:
                callee.called, callee.arguments = True, args
        else:
            self.report("computed-callee", f"calls {_kind(callee)}", self.offset - 1)
        if type(args) is not tuple:
            self.report("odd-literal", f"arguments that are {_kind(args)}, not a tuple", self.offset - 1)
        else:
            for item in args:
                misused = type(item) is Global and item.role == "wrapper" and not _makes_wrappers(callee)
                if misused or (item is self.wrapper and item is not None):
                    raise Stopped("raw-span", f"gives joblib's array wrapper to {_kind(callee)}", self.offset - 1)
        made = Instance(callee, args, kwargs, new)
        if self.spans is not None and type(callee) is Global and callee.role and _role(made) == "wrapper":
            if self.wrapper is not None:
                raise Stopped("raw-span", "an array wrapper within an array wrapper", self.offset - 1)
            self.wrapper, self.wrapper_index = made, len(self.memo)
        return made

    def _build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if type(target) is not Instance:
            self.report("odd-build", f"sets the state of {_kind(target)}", self.offset - 1)
            return
        if target.state is not None:
            self.report("odd-build", "sets the state of an object for the second time", self.offset - 1)
        target.state, target.known = state, None
        role = _role(target)
        if role == "legacy-wrapper":
            companion = _companion(target)
            detail = f"an array that stands in another file{f', {companion!r} beside it' if companion else ''}"
            self.report("legacy-companion" if companion else "legacy-wrapper", detail, self.offset - 1)
        elif role == "wrapper" and self.spans is not None:
            self.stack[-1] = None
            if self.memo.get(self.wrapper_index) is target:
                self.memo[_spent(self.wrapper_index)] = self.memo.pop(self.wrapper_index) and None
            known, self.wrapper = self.wrapper is target, None
            if not known or sys.getrefcount(target) > 2:
                raise Stopped("raw-span", "an array's wrapper is used for something else", self.offset - 1)
            self.stack[-1] = self.spans(self, target)

    # references to the outside

    def _ext1(self) -> None:
        self._extension(self._fixed(1))

    def _ext2(self) -> None:
        self._extension(self._fixed(2))

    def _ext4(self) -> None:
        self._extension(self._fixed(4))

    def _extension(self, code: int) -> None:
        self.report("extension-registry", f"the global with the registered number {code}")
        self.stack.append(Opaque(f"extension {code}"))

    def _persid(self) -> None:
        self.report("persistent-id", f"the persistent id {self.line()[:80]!r}")
        self.stack.append(Opaque("persistent id"))

    def _binpersid(self) -> None:
        persistent_id = self.stack.pop()
        known = self.persistent(persistent_id) if self.persistent is not None else None
        if known is None:
            self.report("persistent-id", "a persistent id", self.offset - 1)
        self.stack.append(Opaque("persistent id") if known is None else known)

    def _next_buffer(self) -> None:
        self.report("out-of-band", "a buffer that is not in the file", self.offset - 1)
        self.stack.append(Opaque("out-of-band buffer"))

    def _readonly_buffer(self) -> None:
        self.stack[-1]


def _makes_wrappers(callee: Value) -> bool:
    return type(callee) is Global and bool(callee.role)


def _spent(index: int) -> int:
    """Where a memo entry goes that nothing may read again: the memo keeps its length, no opcode has such an index."""
    return -2 - index


def _role(made: Instance) -> str:
    """The role of the class that an object is of."""
    callee = made.callee
    role = callee.role if type(callee) is Global else ""
    if role == "reconstructor" and type(made.args) is tuple and made.args:
        first = made.args[0]
        return first.role if type(first) is Global else ""
    return role


def _companion(wrapper: Instance) -> str:
    """The file in the same directory that joblib before 0.10 kept this array in; "" for any other way to a file."""
    callee, state = wrapper.callee, wrapper.state
    filename = state.get("filename") if type(state) is DictValue else None
    known = type(callee) is Global and callee.name in ("NDArrayWrapper", "ZNDArrayWrapper")
    if type(filename) is not str or not known or filename in (".", "..") or re.search(r"[/\\\0]", filename):
        return ""
    return filename[:200]


def _short_text(value: Value) -> Value:
    """The text of a span that was only not kept because much else was; any other value is returned as it is."""
    if type(value) is Span and value.encoding != "bytes" and value.length <= _KEEP:
        return value.source.read(value.offset, value.length).decode(value.encoding, "surrogatepass")
    return value


def _kind(value: Value) -> str:
    """A value in two or three words, for findings."""
    if type(value) is Global:
        return f"the name {value}"
    return _WORDS.get(type(value), "a number")
