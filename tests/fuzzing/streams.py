"""Where fuzzing starts: pickles of real estimators, the hostile catalogue, and streams grown opcode by opcode."""

from __future__ import annotations

import io
import pickle
import random
import struct
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from backends.formats.pickle.opcodes import OPCODES
from tests import hostile, torch_files

__all__ = ["CODES", "framed", "grow", "piece", "seeds"]

NAMES = (
    ("os", "system"), ("builtins", "getattr"), ("joblib", "disk.os.system"), ("collections", "OrderedDict"),
    ("joblib.numpy_pickle", "NumpyArrayWrapper"), ("numpy", "dtype"), ("numpy", "ndarray"),
    ("numpy._core.multiarray", "scalar"),
    ("sklearn.linear_model._logistic", "LogisticRegression"), ("copyreg", "_reconstructor"), ("copyreg", "__newobj__"),
    ("numpy", "amax"),
    ("builtins", "object"),
    ("__builtin__", "eval"), ("é", "ü"), ("", ""), (" os ", "system\t"), ("a" * 300, "b" * 300), ("_codecs", "encode"),
)  # fmt: skip
LITERALS = (
    b"0",
    b"1",
    b"-1",
    b"01",
    b"00",
    b"007",
    b" 1",
    b"1_0",
    b"0x10",
    b"1L",
    b"1e5",
    b"nan",
    b"1.5",
    b"+3",
    b"",
    b"'x'",
    b"x",
)
LENGTHS = (0, 1, 2, 3, 15, 16, 17, 255, 256, 4095, 4096, 4097, 65536, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 40)
CODES = tuple(sorted(OPCODES))
_COSTLY = ("26", "27", "44", "45", "46", "68")
"""Samples of the catalogue on which a real unpickler spends its time or memory."""


def seeds() -> list[bytes]:
    """Honest files of every protocol and both writers, and what the catalogue has."""
    rng = np.random.default_rng(0)
    rows, target = rng.normal(size=(12, 3)), np.arange(12) % 2
    values: list[Any] = [
        {"a": [1, 2.5, None, "text", b"bytes", bytearray(b"x"), (1, 2), {3}, frozenset((4,)), 1 << 70, "é" * 9]},
        [np.arange(3), np.array(["a", None], dtype=object), np.float64(2.5), np.arange(2).astype("M8[D]")],
        np.zeros(2, dtype=[("x", "f8"), ("y", "U3")]),
        GaussianNB().fit(rows, target),
        make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, target),
        RandomForestClassifier(2, max_depth=2, random_state=0).fit(rows, target),
    ]
    found = [pickle.dumps(value, protocol) for value in values for protocol in range(6)]
    for protocol in (2, 4, 5):
        found += [dumped(value, protocol) for value in values]
        found += [dumped(value, protocol, aligned=False) for value in values]
    found.append(dumped(values[1], 4, ("zlib", 3)))
    tensor = torch_files.state_dict(torch_files.pid(view=True))
    found += [torch_files.archive(torch_files.state_dict(torch_files.pid())), torch_files.legacy(tensor)]
    marker = "/nonexistent/marker"
    return found + [each.build(marker) for each in hostile.SAMPLES if each.title[:2] not in _COSTLY]


class _Pipe(io.BytesIO):
    """A file that cannot tell where it is: into one, joblib writes arrays without padding, as before 1.2."""

    def tell(self) -> int:
        raise io.UnsupportedOperation("tell")


def dumped(value: Any, protocol: int, compress: Any = 0, aligned: bool = True) -> bytes:
    """A stream as joblib writes it."""
    file = io.BytesIO() if aligned else _Pipe()
    joblib.dump(value, file, compress=compress, protocol=protocol)
    return file.getvalue()


def _name(rng: random.Random) -> bytes:
    module, name = rng.choice(NAMES)
    if rng.random() < 0.6:
        return hostile.name(module, name)
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


def argument(rng: random.Random, code: int) -> bytes:
    """An argument for an opcode: most fit, some lie."""
    size = OPCODES[code].argument
    if size == -20:
        module, name = rng.choice(NAMES)
        return module.encode() + b"\n" + name.encode() + b"\n"
    if size == -10:
        return rng.choice(LITERALS) + b"\n"
    if size >= 0:
        if size <= 1:
            return bytes([rng.choice((0, 1, 2, 3, 4, 5, 16, 255))] * size)
        return rng.choice((0, 1, 2, 3, 255, 256, 70000 % (1 << 8 * size))).to_bytes(size, "little")
    data = rng.choice((b"", b"x", b"os", b"system", b"\xff\xfe", b"\x80\x04cos\nsystem\n)R.", bytes(20)))
    length = len(data) if rng.random() < 0.9 else rng.choice(LENGTHS)
    return (length % (1 << -8 * size)).to_bytes(-size, "little") + data


def _wrapper(rng: random.Random) -> bytes:
    """A joblib array with its raw bytes, mostly right."""
    shape = rng.choice(
        (b"K\x02\x85", b")", b"K\x00\x85", b"K\x01K\x02\x86", hostile.integer(-1) + b"\x85", b"\x88\x85")
    )
    kind = hostile.dtype(rng.choice(("f8", "i4", "U2", "S3", "V4", "b1", "O", "M8", "c16", "f16")))
    extra = hostile.ALIGNED if rng.random() < 0.3 else b""
    data = hostile.wrapper(shape, kind, extra, rng.choice((b"b", b"\x94b", b"b", b"2b")))
    pad = bytes([n := rng.choice((1, 8, 16))]) + b"\xff" * n if extra else b""
    return data + pad + bytes(rng.choice((0, 1, 2, 4, 8, 16, 16, 16, 24, 32)))


def _dtype_state(rng: random.Random) -> bytes:
    """The state of a dtype: version, order, no fields, size, alignment, flags."""
    size, flags = struct.pack("<i", rng.choice((-1, 0, 4, 8, 16))), rng.choice((0, 0, 0x3F))
    state = b"(K\x03" + hostile.text(rng.choice("<>|=")) + b"NNN"
    return state + b"J" + size + b"J\xff\xff\xff\xffK" + bytes([flags]) + b"t"


PIECES: tuple[Callable[[random.Random], bytes], ...] = (
    _name,
    _wrapper,
    lambda rng: _name(rng) + b"(" + piece(rng) + b"tR",
    lambda rng: _name(rng) + b")\x81}" + hostile.text("a") + piece(rng) + b"sb",
    lambda rng: _name(rng) + b")}\x92",
    lambda rng: b"(" + _name(rng) + piece(rng) + b"o",
    lambda rng: b"(" + piece(rng) + b"i" + argument(rng, ord("i")),
    lambda rng: (
        hostile.text(rng.choice(NAMES)[0]) + rng.choice((b"\x94", b"q\x00", b"p0\n", b"r\x00\x00\x00\x00", b"2\x94"))
    ),
    lambda rng: hostile.text(rng.choice(NAMES)[1]) + b"\x94",
    lambda rng: b"h" + bytes([rng.randrange(4)]) + b"h" + bytes([rng.randrange(4)]) + b"\x93",
    lambda rng: b"g" + rng.choice(LITERALS) + b"\n",
    lambda rng: b"](" + piece(rng) + piece(rng) + b"e",
    lambda rng: b"}(" + piece(rng) + piece(rng) + b"u",
    lambda rng: b"\x8f(" + piece(rng) + b"\x90",
    lambda rng: b"S'" + rng.choice(NAMES)[0].encode() + b'\'\nS"system"\n\x93',
    lambda rng: b"V" + rng.choice((b"os", b"\\u006fs", b"o\xe9", b"\\", b"\\ud800")) + b"\n",
    lambda rng: hostile.dtype(rng.choice(("f8", "V8", "S4"))) + b"\x94",
    lambda rng: b"h" + bytes([rng.randrange(8)]) + _dtype_state(rng) + b"b",
    lambda rng: rng.choice(
        (b"N", b"K\x01", b")", b"]", b"}", b"0", b"1", b"2", b"(", b"t", b"\x85", b"\x86", b"b", b"R", b"Q", b"a", b"s")
    ),
)


def piece(rng: random.Random) -> bytes:
    """A few opcodes that mostly belong together, or a single one."""
    if rng.random() < 0.4:
        code = rng.choice(CODES)
        return bytes([code]) + argument(rng, code)
    return rng.choice(PIECES)(rng)


def framed(rng: random.Random, parts: list[bytes]) -> bytes:
    """The parts in frames: most end where a part ends, some lie about where they end."""
    out, at = [], 0
    while at < len(parts):
        count = rng.choice((1, 2, 3, 8))
        body = b"".join(parts[at : at + count])
        wrong = rng.choice((0, 0, 0, 0, 0, 0, 1, -1, 4, 100))
        frame = b"\x95" + struct.pack("<Q", max(0, len(body) + wrong)) + body
        out.append(body if rng.random() < 0.3 else frame)
        at += count
    return b"".join(out)


def grow(rng: random.Random) -> bytes:
    """A stream from nothing."""
    parts = [piece(rng) for _ in range(rng.choice((1, 2, 3, 5, 8, 13)))]
    parts.append(b".")
    body = framed(rng, parts) if rng.random() < 0.3 else b"".join(parts)
    return rng.choice((b"", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x04", b"\x80\x05")) + body
