"""An abstract machine for pickle streams: follows every opcode of protocols 0 to 5 and builds nothing.

It keeps exactly the stack, marks and memo that CPython's unpicklers keep, but of inert values, and reports whatever
the two of them (Modules/_pickle.c and Lib/pickle.py; joblib uses the latter) could understand differently.
"""

from __future__ import annotations

import re
import sys
from functools import partial
from typing import Callable, Optional

from backends.core.inspection import Finding
from backends.core.source import Source
from backends.formats.pickle.calls import forged_array, keeps_function, odd_call, odd_state
from backends.formats.pickle.dtypes import hides_objects
from backends.formats.pickle.frames import partial_block
from backends.formats.pickle.held_models import HeldModels
from backends.formats.pickle.literals import KEEP, PickleLiterals
from backends.formats.pickle.names import (
    COUNTED,
    VECTORIZE,
    Names,
    companion,
    makes_array,
    makes_wrappers,
    role,
    stands_for,
)
from backends.formats.pickle.opcodes import OPCODES
from backends.formats.pickle.reader import MAX_TEXT_LINE, Budget, Stopped
from backends.formats.pickle.stack import spent
from backends.formats.pickle.values import DictValue, Extension, Global, Instance, Opaque, RawArray, Span, Value, kind

_STOP = ord(".")
_ROUND = 2048
_LONGEST_NAME = 1 << 16
_MOST_ENCODED = 1 << 24
_PLAIN_ATTRIBUTES = frozenset(("__doc__", "__module__", "__name__", "__qualname__", "__wrapped__", "__annotations__"))
"""Attributes with double underscores that only describe."""
_COPIES = (*b"2hjg",)
"""DUP, BINGET, LONG_BINGET and GET."""
_PLAIN_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*\Z", re.ASCII)


class PickleMachine(PickleLiterals):
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
        self.wrapper: Optional[Instance] = None
        self.wrapper_index = 0
        self.held = HeldModels()
        self._counting = False
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
            if spent(error.args[0]) in self.memo:
                self.stack.append(Opaque("an array's wrapper"))
                detail = "an array's wrapper is used for a second time"
                raise Stopped("raw-span", detail, self.offset, resumable=True) from None
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
        if self.marks or len(self.stack) > 1:
            self.report("odd-literal", "values are left over at its end", offset - 1)
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
            self.report("computed-name", f"a global named by {kind(module)} and {kind(name)}", offset)
            likely, part = _given_text(module), _given_text(name)
            if likely and part:
                self._name(likely, part, offset)
            self.stack.append(Opaque("a global with a computed name"))

    def _name(self, module: str, name: str, offset: int) -> Global:
        known = self.names.get(module, name, offset)
        plain = len(module) + len(name) <= KEEP and _PLAIN_NAME.match(module) and _PLAIN_NAME.match(name)
        if known.offset == offset and not plain:
            self.report("odd-name", f"the global {module!r} {name!r}"[:300], offset)
        if known.role in COUNTED:
            known.uses += 1
            self._count_uses()
        return known

    def _count_uses(self) -> None:
        """From the first such name on, follow each copy that an opcode pushes."""
        if not self._counting:
            self._counting = True
            for code in _COPIES:
                self._dispatch[code] = partial(self._copied, self._dispatch[code])

    def _copied(self, push: Callable[[], None]) -> None:
        push()
        top = self.stack[-1]
        if type(top) is Global and top.role in COUNTED:
            top.uses += 1

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
        self.stack.append(callee)
        self.stack[-1] = self._called(callee, tuple(items), new=True)

    def _inst(self) -> None:
        self._global()
        callee = self.stack.pop()
        args = tuple(self._pop_mark())
        self.stack.append(callee)
        self.stack[-1] = self._called(callee, args, new=True)

    def _called(self, callee: Value, args: Value, kwargs: Value = None, new: bool = False) -> Value:
        block = partial_block(callee) if type(args) is tuple else None
        if block is not None:
            callee, args = block[0], (*args, block[1])
        if type(callee) is Global:
            if not callee.called:
                callee.called, callee.arguments = True, args
            if callee.name == "__newobj__" and type(args) is tuple and args and type(args[0]) is Global:
                args[0].called = True
        else:
            self.report("computed-callee", f"calls {kind(callee)}", self.offset - 1)
        if type(args) is not tuple:
            self.report("odd-literal", f"arguments that are {kind(args)}, not a tuple", self.offset - 1)
        else:
            for item in args:
                misused = type(item) is Global and item.role == "wrapper" and not makes_wrappers(callee)
                if misused or (item is self.wrapper and item is not None):
                    detail = f"gives joblib's array wrapper to {kind(callee)}"
                    raise Stopped("raw-span", detail, self.offset - 1, resumable=True)
            counted = type(callee) is Global and callee.role in COUNTED
            if counted and not new and kwargs is None and (given := self._reached(callee, args)) is not None:
                return given
            known = type(callee) is Global and not counted
            odd = odd_call(callee, args, kwargs, new) if known else ""
            if odd:
                self.report("odd-call", odd, self.offset - 1)
            if type(callee) is Global and callee.name == "encode" and args:
                self._look_inside_text(args[0])
        made = Instance(callee, args, kwargs, new)
        self.held.made(made)
        if type(args) is tuple:
            self._weigh(made, args)
        if self.spans is not None and type(callee) is Global and callee.role and role(made) == "wrapper":
            if self.wrapper is not None:
                detail = "an array wrapper within an array wrapper"
                raise Stopped("raw-span", detail, self.offset - 1, resumable=True)
            self.wrapper, self.wrapper_index = made, len(self.memo)
        return self._ufunc(args) if type(callee) is Global and callee.name == "_ufunc_reconstruct" else made

    def _reached(self, callee: Global, args: Value) -> Value:
        """The result of a name that is harmless in one use alone, in that use; None in any other."""
        named = stands_for(callee, args)
        if named is not None:
            callee.uses -= 1
            return self._name(*named, self.offset - 1)
        if not makes_array(callee, args):
            return None
        callee.uses -= 1
        made = self._called(args[0], args[1])
        made.state = args[2]
        self._check_state(made, args[2])
        return made

    def _look_inside_text(self, text: Value) -> None:
        """Bytes as protocols before 3 spell them: `_codecs.encode` of text, whose characters they are."""
        if type(text) is Span and text.encoding in ("utf-8", "raw-unicode-escape"):
            text = text.read(_MOST_ENCODED)
        if type(text) is str:
            self._look_inside(text.encode("latin-1", "replace"))

    def _ufunc(self, args: Value) -> Value:
        """The import that numpy before 1.17 makes of a module and a name: a global like those of other opcodes."""
        if type(args) is tuple and len(args) == 2 and type(args[0]) is str and type(args[1]) is str:
            return self._name(args[0], args[1], self.offset - 1)
        self.report("computed-name", "a ufunc whose name is no plain string", self.offset - 1)
        return Opaque("a global with a computed name")

    def _build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if type(target) is not Instance:
            self.report("odd-build", f"sets the state of {kind(target)}", self.offset - 1)
            return
        if target.state is not None:
            self.report("odd-build", "sets the state of an object for the second time", self.offset - 1)
        if target.known is not None:
            self.report("odd-build", "sets the state of a dtype that an array was made with", self.offset - 1)
        target.state, target.known = state, None
        self._check_state(target, state)
        self.held.built(target, state)
        named = role(target)
        if named == "legacy-wrapper":
            beside = companion(target)
            detail = f"an array that stands in another file{f', {beside!r} beside it' if beside else ''}"
            self.report("legacy-companion" if beside else "legacy-wrapper", detail, self.offset - 1)
        elif named == "wrapper" and self.spans is not None:
            self.stack[-1] = None
            if self.memo.get(self.wrapper_index) is target:
                self.memo[spent(self.wrapper_index)] = self.memo.pop(self.wrapper_index) and None
            known, self.wrapper = self.wrapper is target, None
            if not known or sys.getrefcount(target) > 2:
                detail = "an array's wrapper is used for something else"
                raise Stopped("raw-span", detail, self.offset - 1, resumable=True)
            self.stack[-1] = self.spans(self, target)

    def _check_state(self, target: Instance, state: Value) -> None:
        """Report state that numpy would take for an address in memory, or Python for another class."""
        for part in state if type(state) is tuple else (state,):
            if type(part) is DictValue:
                for key in part.flat[::2]:
                    if type(key) is str and key[:2] == "__" and key[-2:] == "__" and key not in _PLAIN_ATTRIBUTES:
                        self.report("odd-build", f"sets {key[:60]} of an object", self.offset - 1)
        if type(target.callee) is Global and target.callee.name == "dtype" and hides_objects(target):
            self.report("odd-build", "a dtype whose flags hide that it holds objects", self.offset - 1)
        if role(target) == VECTORIZE and keeps_function(target):
            target.callee.uses -= 1
        odd = "" if role(target).endswith("wrapper") else odd_state(target)
        if odd:
            self.report("odd-call", odd, self.offset - 1)
        forged = forged_array(target)
        if forged:
            self.report("odd-build", forged, self.offset - 1)

    # references to the outside

    def _ext1(self) -> None:
        self._extension(self._fixed(1))

    def _ext2(self) -> None:
        self._extension(self._fixed(2))

    def _ext4(self) -> None:
        self._extension(self._fixed(4))

    def _extension(self, code: int) -> None:
        self.report("extension-registry", f"the global with the registered number {code}")
        if code == 0 or code >> 31:
            raise Stopped("malformed", "a number that no global can be registered with", self.offset)
        self.stack.append(Extension(f"extension {code}"))

    def _persid(self) -> None:
        line = self.line(MAX_TEXT_LINE)
        self.report("persistent-id", f"the persistent id {line[:80]!r}")
        if not line.isascii():
            raise Stopped("malformed", "a persistent id that is not ASCII", self.offset)
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


def _given_text(value: Value) -> str:
    """A text, or the first text that a call was given: what many functions give back; "" where there is none."""
    if type(value) is Instance and type(value.args) is tuple:
        value = next((item for item in value.args if type(item) is str), "")
    return value if type(value) is str else ""


def _short_text(value: Value) -> Value:
    """The text of a span that can be a name, if a very long one; any other value is returned as it is."""
    if type(value) is not Span or value.encoding == "bytes" or value.length > _LONGEST_NAME:
        return value
    if value.encoding == "escaped":
        return value.read(value.length)
    return value.source.read(value.offset, value.length).decode(value.encoding, "surrogatepass")
