"""The filter's answers to a system call, run instruction by instruction, for both machines it is written for."""

from __future__ import annotations

import errno
import struct

import pytest

from console.worker.child.sandbox import seccomp, system_calls

ALLOWED, DENIED, UNKNOWN = 0x7FFF0000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS
COLUMN = {"x86_64": 0, "aarch64": 1}
ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
NUMBERS = {
    **system_calls.DENIED,
    **system_calls.UNCOUNTED,
    **system_calls.LOCKS,
    **system_calls.MPROTECT,
    **{name: numbers for name, (numbers, _flags, _mode) in system_calls.CREATING.items()},
    "fcntl": system_calls.FCNTL,
    "ioctl": system_calls.IOCTL,
    "prctl": system_calls.PRCTL,
    "mmap": system_calls.MMAP,
    "openat2": system_calls.OPENAT2,
    "read": (0, 63),
}


def answer(code: bytes, machine: str, number: int, arguments: tuple[int, ...]) -> int:
    """The program's answer to this call."""
    given = (*arguments, *(0,) * (6 - len(arguments)))
    data = struct.pack("=iIQ6Q", number, ARCH[machine], 0, *given)
    accumulator = at = 0
    while True:
        operation, if_true, if_false, k = struct.unpack_from("=HBBI", code, 8 * at)
        at += 1
        if operation == 0x06:
            return int(k)
        if operation == 0x20:
            accumulator = struct.unpack_from("=I", data, k)[0]
        elif operation == 0x54:
            accumulator &= k
        else:
            holds = {0x15: accumulator == k, 0x45: bool(accumulator & k), 0x35: accumulator >= k}[operation]
            at += if_true if holds else if_false


READ, WRITE, EXECUTE, BTI = 1, 2, 4, 0x10
PRIVATE, SHARED, ANONYMOUS = 2, 1, 0x20
CASES: list[tuple[str, tuple[int, ...], int]] = [
    ("read", (), ALLOWED),
    *((("fcntl", (3, command), ALLOWED)) for command in (0, 1, 2, 3, 4, 5, 1030, 1032, 1034)),
    *((("fcntl", (3, command), DENIED)) for command in (6, 7, 8, 10, 15, 36, 37, 38, 1024, 1026, 1031, 1033, 1036)),
    *((("ioctl", (3, command), ALLOWED)) for command in (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)),
    *((("ioctl", (3, one), DENIED)) for one in (0x5412, 0x541C, 0x5452, 0x8901, 0x40086602, 0x40049409, 0xC0185879)),
    *((("prctl", (option,), DENIED)) for option in (1, 4, 35, 36, 0x59616D61)),
    ("prctl", (15,), ALLOWED),
    ("memfd_create", (), DENIED),
    ("memfd_secret", (), DENIED),
    ("shmget", (), DENIED),
    ("mq_open", (), DENIED),
    ("vmsplice", (), DENIED),
    ("flock", (3, 2), DENIED),
    ("syncfs", (3,), DENIED),
    ("openat2", (), UNKNOWN),
    ("openat", (0, 0, 0o102, 0o4755), DENIED),
    ("openat", (0, 0, 0o20000002, 0o2755), DENIED),
    ("openat", (0, 0, 0o102, 0o1777), ALLOWED),
    ("openat", (0, 0, 0, 0o6777), ALLOWED),
    ("mmap", (0, 4096, READ | WRITE, PRIVATE | ANONYMOUS), ALLOWED),
    ("mmap", (0, 4096, READ | EXECUTE, PRIVATE), ALLOWED),
    ("mmap", (0, 4096, READ | WRITE, SHARED), ALLOWED),
    ("mmap", (0, 4096, READ, SHARED | ANONYMOUS), DENIED),
    ("mmap", (0, 4096, READ, 3 | ANONYMOUS), DENIED),
    ("mmap", (0, 4096, READ | EXECUTE, PRIVATE | ANONYMOUS), DENIED),
    ("mmap", (0, 4096, READ | WRITE | EXECUTE, PRIVATE), DENIED),
    ("mprotect", (0, 4096, READ | WRITE), ALLOWED),
    ("mprotect", (0, 4096, READ | EXECUTE), DENIED),
    ("mprotect", (0, 4096, READ | WRITE | EXECUTE | BTI), DENIED),
    ("pkey_mprotect", (0, 4096, READ | EXECUTE), DENIED),
]


@pytest.mark.parametrize("machine", COLUMN)
def test_what_is_answered_to_a_call(machine: str) -> None:
    code = seccomp.program(machine, 1234)
    for name, arguments, expected in CASES:
        number = NUMBERS[name][COLUMN[machine]]
        assert number is not None
        assert answer(code, machine, number, arguments) == expected, (name, arguments)
    protected = NUMBERS["mprotect"][COLUMN[machine]]
    assert protected is not None
    loader = answer(code, machine, protected, (0, 4096, READ | EXECUTE | BTI))
    assert loader == (ALLOWED if machine == "aarch64" else DENIED)


def test_the_older_calls_of_one_machine() -> None:
    code = seccomp.program("x86_64", 1234)
    assert answer(code, "x86_64", 2, (0, 0o102, 0o4755)) == DENIED
    assert answer(code, "x86_64", 85, (0, 0o2755)) == DENIED
    assert answer(code, "x86_64", 85, (0, 0o755)) == ALLOWED


@pytest.mark.parametrize("machine", COLUMN)
def test_what_a_plan_allows(machine: str) -> None:
    compiles, forks = (seccomp.program(machine, 1234, **{name: True}) for name in ("compiles", "forks"))
    code = ("mmap", (0, 4096, READ | WRITE | EXECUTE, PRIVATE | ANONYMOUS))
    shared = ("mmap", (0, 4096, READ | WRITE, SHARED | ANONYMOUS))
    for program, (name, arguments), expected in (
        (compiles, code, ALLOWED),
        (compiles, shared, DENIED),
        (compiles, ("mprotect", (0, 4096, READ | EXECUTE)), ALLOWED),
        (compiles, ("memfd_create", ()), DENIED),
        (forks, code, ALLOWED),
        (forks, shared, ALLOWED),
        (forks, ("memfd_create", ()), ALLOWED),
        (forks, ("fcntl", (3, 6)), ALLOWED),
        (forks, ("fcntl", (3, 1024)), DENIED),
        (forks, ("openat", (0, 0, 0o102, 0o4755)), DENIED),
    ):
        number = NUMBERS[name][COLUMN[machine]]
        assert number is not None
        assert answer(program, machine, number, arguments) == expected, (name, arguments)
