"""Pickles in every spelling that CPython's two unpicklers take and no pickler writes: they name something, whatever
stands before and behind it."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

__all__ = ["DANGEROUS", "EXTENSION", "spelled"]

DANGEROUS = (
    ("os", "system"), ("posix", "system"), ("builtins", "eval"), ("__builtin__", "eval"), ("subprocess", "Popen"),
    ("nt", "system"), ("commands", "getoutput"), ("runpy", "run_path"), ("pickle", "loads"), ("joblib", "load"),
)  # fmt: skip
_NAMES = (*DANGEROUS, ("evil", "run"), ("my_package.sub.mod", "Thing"), ("pkg", "Class.method"), ("möd", "fün"))
EXTENSION = (240, "extension_module", "extension_name")
"""A number, and the name that it is registered for in the processes that try inputs."""
_SPACES = (b"", b"", b"", b" ", b"\t", b"  ", b"\x0b", b"\x0c", b"\r")


def _digits(rng: random.Random, value: int) -> bytes:
    text = b"%d" % value
    if rng.random() < 0.3:
        text = b"_".join(text[at : at + 1] for at in range(len(text)))
    return text


def _index(rng: random.Random, value: int) -> bytes:
    """A memo index in base 10."""
    text = rng.choice((b"", b"", b"0", b"00_", b"+", b"+0")) + _digits(rng, value)
    return rng.choice(_SPACES) + text + rng.choice(_SPACES) + rng.choice((b"", b"", b"", b"\0", b"\0x1"))


def _integer(rng: random.Random) -> bytes:
    value = rng.choice((0, 1, 7, 10, 255, 1 << 31, 1 << 70))
    text = rng.choice((b"%d", b"0x%x", b"0X%X", b"0o%o", b"0%o")) % value
    return rng.choice(_SPACES) + rng.choice((b"", b"+", b"-")) + text + rng.choice(_SPACES)


def _float(rng: random.Random) -> bytes:
    return rng.choice(
        (b"1", b" 1.5 ", b"1_0.5", b"-inf", b"Infinity", b"+nan", b"1e5", b"1E-3", b".5", b"5.", b"1\0", b"1e999")
    )


def _quoted(rng: random.Random, text: bytes) -> bytes:
    quote = rng.choice((b"'", b'"'))
    if rng.random() < 0.4:
        text = b"".join(rng.choice((b"\\x%02x", b"\\%03o")) % byte for byte in text)
    return quote + text + quote


def _sized(code: bytes, width: int, data: bytes) -> bytes:
    return code + len(data).to_bytes(width, "little") + data


def text(rng: random.Random, value: str) -> bytes:
    """An opcode that pushes this text."""
    data = value.encode()
    if value.isascii() and rng.random() < 0.4:
        return rng.choice(
            (b"S" + _quoted(rng, data) + b"\n", _sized(b"U", 1, data), _sized(b"T", 4, data),
             b"V" + b"".join(rng.choice((b"\\u%04x" % byte, bytes((byte,)))) for byte in data) + b"\n")
        )  # fmt: skip
    return rng.choice((_sized(b"\x8c", 1, data), _sized(b"X", 4, data), _sized(b"\x8d", 8, data)))


def _noise(rng: random.Random) -> bytes:
    """Opcodes that need nothing on the stack."""
    return rng.choice(_NOISE)(rng)


_NOISE: tuple[Callable[[random.Random], bytes], ...] = (
    lambda rng: b"I" + _integer(rng) + b"\n",
    lambda rng: b"I" + rng.choice((b"00", b"01", b"010", b"1\0xyz")) + b"\n",
    lambda rng: b"L" + _integer(rng) + rng.choice((b"", b"L")) + b"\n",
    lambda rng: b"F" + _float(rng) + b"\n",
    lambda rng: b"S" + _quoted(rng, rng.choice((b"x", b"", b"caf\xe9"))) + b"\n",
    lambda rng: b"V" + rng.choice((b"", b"abc", b"\\u00e9", b"x" * 5000)) + b"\n",
    lambda rng: b"P" + rng.choice((b"", b"some id", b"3")) + b"\n",
    lambda rng: rng.choice((b"N", b"\x88", b"\x89", b"]", b"}", b")", b"\x8f", b"(", b"(t", b"(l", b"(d", b"(1")),
    lambda rng: b"K\x01" + rng.choice((b"2", b"0", b"\x85", b"\x94", b"q\x07", b"r\x09\0\0\0")),
    lambda rng: b"K\x02p" + _index(rng, 9) + b"\n",
    lambda rng: b"G" + rng.randbytes(8),
    lambda rng: b"J" + rng.randbytes(4),
    lambda rng: b"M" + rng.randbytes(2),
    lambda rng: _sized(rng.choice((b"C", b"\x8a")), 1, rng.randbytes(rng.choice((0, 3, 200)))),
    lambda rng: _sized(b"B", 4, bytes(rng.choice((0, 9, 5000)))),
    lambda rng: _sized(b"\x96", 8, bytes(rng.choice((0, 9)))),
    lambda rng: b"\x80" + bytes((rng.randrange(6),)),
    lambda rng: b"(" * rng.choice((2, 100, 3000)) if rng.random() < 0.2 else b"(",
)  # fmt: skip


def _named(rng: random.Random) -> bytes:
    """Opcodes that push something by its name, perhaps from the memo."""
    module, name = rng.choice(_NAMES)
    kind = rng.random()
    if kind < 0.35:
        return b"c" + module.encode() + b"\n" + name.encode() + b"\n"
    if kind < 0.5 and module.isascii():
        return rng.choice((b"(", b"(", b"")) + b"i" + module.encode() + b"\n" + name.encode() + b"\n"
    if kind < 0.55:
        return b"\x82" + bytes((EXTENSION[0],))
    if kind < 0.75:
        put, get = _index(rng, 5) + b"\n", _index(rng, 5) + b"\n"
        return text(rng, module) + b"p" + put + b"0g" + get + text(rng, name) + b"\x93"
    return text(rng, module) + text(rng, name) + b"\x93"


def _used(rng: random.Random) -> bytes:
    return rng.choice((
        b"", b"", b")R", b"(tR", b"(Vtouch x\ntR", b"\x8c\x07touch x\x85R", b"]R", b"}R", b")\x81", b"}b", b"Vx\nR",
        b"(lR", b"0", b"2", b"\x85", b"\x94", b")}\x92",
    ))  # fmt: skip


def _behind(rng: random.Random) -> bytes:
    junk = rng.randbytes(rng.choice((1, 5, 40)))
    return rng.choice((b".", b".", b".", b"", junk, b"." + junk, b"\xff\xff", b"and text\n", b".\0\0\0", b"\x80\x09"))


def _framed(rng: random.Random, body: bytes) -> bytes:
    length = len(body) + rng.choice((0, 0, 0, 7))
    return b"\x95" + struct.pack("<Q", length) + body


def spelled(rng: random.Random) -> bytes:
    """One stream, which one of the unpicklers at least can follow to a name."""
    parts = [_noise(rng) for _ in range(rng.choice((0, 0, 0, 1, 1, 2, 4)))]
    parts += [_named(rng), _used(rng)]
    if rng.random() < 0.2:
        parts += [_noise(rng), _named(rng), _used(rng)]
    body = b"".join(parts) + _behind(rng)
    if rng.random() < 0.1:
        body = _framed(rng, body)
    return rng.choice((b"", b"", b"", b"\x80\x02", b"\x80\x04")) + body
