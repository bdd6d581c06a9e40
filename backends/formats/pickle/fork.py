"""Fork of a walk at an array's bytes, which unpicklers other than joblib's read as opcodes.

They go on right behind the wrapper, with the same stack and memo. An array's numbers are no opcodes for long.
"""

from __future__ import annotations

import contextlib
from functools import partial
from typing import Callable

from backends.core.inspection import Finding
from backends.formats.pickle.machine import PickleMachine
from backends.formats.pickle.names import Names
from backends.formats.pickle.reader import Budget, Stopped
from backends.formats.pickle.values import Global, Opaque, Span, Value

_KEPT = (str, int, float, bool, type(None), bytes, Global, Span)


def names_behind(machine: PickleMachine, findings: list[Finding]) -> list[Global]:
    """The names from here on if the wrapper just built were an object like any other; adds what is remarkable
    about it to `findings`. Raises OSError."""
    fork = PickleMachine(machine.source, Budget(opcodes=500_000, seconds=2.0), findings, Names())
    fork.stack, *fork.marks = ([_inert(value) for value in values] for values in (machine.stack, *machine.marks))
    fork.memo = {index: _inert(value) for index, value in machine.memo.items()}
    fork.frame_end = machine.frame_end
    fork.seek(machine.offset)
    with contextlib.suppress(Stopped):
        persist(fork, fork.resume)
        follow(fork, [fork.offset, fork.offset if fork.abandoned is None else fork.abandoned])
    return list(fork.names.found.values())


def persist(machine: PickleMachine, go_on: Callable[[], object]) -> None:
    """Go on, and on after whatever stops a walk but no unpickler. Raises Stopped at the real end, OSError."""
    while True:
        try:
            go_on()
        except Stopped as stop:
            if not stop.resumable:
                raise
            machine.budget.spend(1, machine.offset)
            go_on = machine.resume
        else:
            return


def follow(machine: PickleMachine, starts: list[int]) -> None:
    """Run whatever streams start there and wherever an unpickler would go on after them. Raises OSError."""
    seen: set[int] = set()
    while starts:
        offset = starts.pop()
        if offset in seen or offset >= machine.size:
            continue
        seen.add(offset)
        with contextlib.suppress(Stopped):
            persist(machine, partial(machine.run, offset))
            starts.append(machine.offset)
            if machine.abandoned is not None:
                starts.append(machine.abandoned)


def _inert(value: Value) -> Value:
    """The value if nothing can be done to it, else something in its place: both machines must not change the same."""
    return value if type(value) in _KEPT else Opaque("a value")
