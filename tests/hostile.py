"""The catalogue of hostile artifacts, built harmless: what would run does no more than create a marker file.

Each sample tells what an inspection must report: names that must be listed, or codes of which one must be found.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pickle
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import joblib
import numpy as np

from tests.safetensors_files import entry, framed

__all__ = ["SAMPLES", "Evil", "Sample", "call", "name", "text", "wrapper"]

PROTO = b"\x80\x04"
STOP = b"."
Builder = Callable[[str], bytes]


@dataclass(frozen=True)
class Sample:
    """`build(marker)` gives the bytes; the inspection must list one of `names` or find one of `codes`."""

    title: str
    build: Builder
    names: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    suffix: str = ".pkl"


class Evil:
    """Creates the marker when unpickled."""

    def __init__(self, marker: str) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.marker}",)


def text(value: str) -> bytes:
    data = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(data)) + data


def name(module: str, qualified: str) -> bytes:
    """A global as protocol 4 names it."""
    return text(module) + text(qualified) + b"\x93"


def old_name(module: str, qualified: str) -> bytes:
    return f"c{module}\n{qualified}\n".encode()


def call(module: str, qualified: str, *arguments: bytes) -> bytes:
    return name(module, qualified) + b"(" + b"".join(arguments) + b"tR"


def touch(marker: str) -> bytes:
    return text(f"touch {marker}")


def evil(marker: str) -> bytes:
    return call("os", "system", touch(marker))


def frame(data: bytes, length: int | None = None) -> bytes:
    return b"\x95" + struct.pack("<Q", len(data) if length is None else length) + data


def integer(value: int) -> bytes:
    data = value.to_bytes(16, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def dtype(literal: str = "f8") -> bytes:
    return name("numpy", "dtype") + text(literal) + b"\x89\x88\x87R" + (
        b"(K\x03" + text("<") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    )  # fmt: skip


def wrapper(shape: bytes = b"K\x02\x85", kind: bytes | None = None, extra: bytes = b"", build: bytes = b"b") -> bytes:
    """The opcodes of a joblib array wrapper up to its BUILD; raw bytes must follow."""
    state = b"}(" + text("subclass") + name("numpy", "ndarray") + text("shape") + shape + text("order") + text("C")
    state += text("dtype") + (kind or dtype()) + text("allow_mmap") + b"\x88" + extra + b"u"
    return name("joblib.numpy_pickle", "NumpyArrayWrapper") + b")\x81" + state + build


ALIGNED = text("numpy_array_alignment_bytes") + b"K\x10"


def aligned(pad: bytes | None = None, length: int | None = None) -> bytes:
    """A wrapper with joblib's padding (or `pad` of `length` in its place) and its two numbers."""
    head = PROTO + wrapper(extra=ALIGNED)
    right = 16 - (len(head) + 1) % 16
    count = right if length is None else length
    return head + bytes([count]) + (b"\xff" if pad is None else pad) * count + bytes(16) + STOP


def resized(marker: str) -> bytes:
    """Two arrays share a dtype whose size changes in between: the payload lies where the second array used to be."""
    kind = name("numpy", "dtype") + text("V8") + b"\x89\x88\x87R\x94"
    smaller = b"h\x00(K\x03" + text("|") + b"NNNK\x04K\x01K\x00tb0"
    hidden = evil(marker) + b"0"
    hidden += b"N" * (-len(hidden) % 4)
    count = len(hidden) // 4
    second = wrapper(integer(count) + b"\x85", b"h\x00")
    return PROTO + wrapper(b"K\x01\x85", kind) + bytes(8) + smaller + second + bytes(4 * count) + hidden + STOP


def wrapper_of(module: str, qualified: str) -> Builder:
    """joblib reads an array after this wrapper; to a walk that does not know it for one, what follows is a string."""
    usual = name("joblib.numpy_pickle", "NumpyArrayWrapper") + b")\x81"
    made = call(module, qualified, name("joblib.numpy_pickle", "NumpyArrayWrapper"))

    def build(marker: str) -> bytes:
        payload = evil(marker) + STOP
        cover = b"B" + struct.pack("<I", 11 + len(payload)) + bytes(11)
        return PROTO + replaced(wrapper(), usual, made) + cover + payload + STOP

    return build


def wrapper_through(again: bool) -> Builder:
    """numpy.amax gives back what it is given: a wrapper, whose state makes joblib read an array."""
    usual = name("joblib.numpy_pickle", "NumpyArrayWrapper") + b")\x81"
    kept = wrapper(build=b"\x94b")
    first = kept.replace(b")\x81", b")\x81\x94", 1) + bytes(16) + b"0" if again else b""
    given = b"h\x00" if again else usual

    def build(marker: str) -> bytes:
        payload = evil(marker) + STOP
        cover = b"B" + struct.pack("<I", 11 + len(payload)) + bytes(11)
        through = name("numpy", "amax") + given + b"\x85R"
        return PROTO + first + replaced(wrapper(), usual, through) + cover + payload + STOP

    return build


def wrapper_as(module: str, qualified: str) -> Builder:
    usual = name("joblib.numpy_pickle", "NumpyArrayWrapper")
    return lambda marker: PROTO + replaced(wrapper(), usual, name(module, qualified)) + bytes(16) + evil(marker) + STOP


def dumped(compress: object = 0) -> Builder:
    def build(marker: str) -> bytes:
        file = io.BytesIO()
        joblib.dump({"weights": np.arange(3.0), "payload": Evil(marker)}, file, compress=compress)
        return file.getvalue()

    return build


def object_array(marker: str) -> bytes:
    file = io.BytesIO()
    joblib.dump(np.array([Evil(marker), None], dtype=object), file)
    return file.getvalue()


def npy(header: str, data: bytes = b"", length: int | None = None) -> bytes:
    encoded = header.encode()
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", len(encoded) if length is None else length) + encoded + data


def npy_objects(marker: str) -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([Evil(marker)], dtype=object), allow_pickle=True)
    return file.getvalue()


def npz(*members: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for member, data in members:
            archive.writestr(zipfile.ZipInfo(member), data)
    return file.getvalue()


def two_directories(marker: str) -> bytes:
    """An archive whose short directory record leads to one member, and whose long one to another."""
    first, second = npz(("a.npy", array_file())), npz(("a.npy", npy_objects(marker)))
    at_first, at_second = (struct.unpack_from("<I", each, len(each) - 6)[0] for each in (first, second))
    directory = first[at_first:-22]
    moved = bytearray(second[at_second:-22])
    struct.pack_into("<I", moved, 42, at_first)
    data = first[:at_first] + second[:at_second] + directory + bytes(moved)
    start = at_first + at_second + len(directory)
    record = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, len(moved), start)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, len(data), 1)
    short = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, len(directory), at_first + at_second, 0)
    return data + record + locator + short


def before_the_start(_: str) -> bytes:
    """An npz whose directory claims to stand further on, so that its member would begin before the file."""
    data = bytearray(npz(("a.npy", array_file())))
    end = data.rindex(b"PK\5\6")
    struct.pack_into("<I", data, end + 16, struct.unpack_from("<I", data, end + 16)[0] + 1000)
    return bytes(data)


def large_local_size(_: str) -> bytes:
    """A member whose own header hides another size in its 64-bit field."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive, archive.open("a.npy", "w", force_zip64=True) as member:
        member.write(array_file())
    size = len(array_file())
    return replaced(file.getvalue(), struct.pack("<2H2Q", 1, 16, size, size), struct.pack("<2H2Q", 1, 16, 9, 9), 1)


def safetensors_and_zip(marker: str) -> bytes:
    """Tensors whose numbers are an archive of a pickle, to whoever looks for one at the end of the file."""
    data = npz(("archive/data.pkl", PROTO + evil(marker) + STOP))
    return framed({"a": entry([len(data)], 0, len(data), "U8")}, data)


def shared_bytes(_: str) -> bytes:
    """Two members of the directory that are the same bytes of the archive."""
    data = npz(("a.npy", array_file()))
    start = struct.unpack_from("<I", data, len(data) - 6)[0]
    entry = data[start:-22]
    short = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 2, 2, 2 * len(entry), start, 0)
    return data[:start] + entry + replaced(entry, b"a.npy", b"b.npy") + short


def symlink(_: str) -> bytes:
    info = zipfile.ZipInfo("a.npy")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    return file.getvalue()


def array_file() -> bytes:
    file = io.BytesIO()
    np.save(file, np.arange(3.0))
    return file.getvalue()


def named(title: str, module: str, qualified: str, *arguments: bytes) -> Sample:
    return Sample(title, lambda marker: PROTO + call(module, qualified, *arguments) + STOP, (f"{module}.{qualified}",))


def hash_bomb(_: str) -> bytes:
    return PROTO + b"}K\x01" + b"2\x86" * 40 + b"Ns" + STOP


def replaced(data: bytes, old: bytes, new: bytes, count: int = -1) -> bytes:
    assert old in data
    return data.replace(old, new, count)


SYSTEM = ("os.system",)
LOGISTIC = name("sklearn.linear_model._logistic", "LogisticRegression") + b")\x81"

SAMPLES: tuple[Sample, ...] = (
    Sample("1 global", lambda m: old_name("os", "system") + f"(S'touch {m}'\ntR.".encode(), SYSTEM),
    Sample("2 stack global", lambda m: PROTO + evil(m) + STOP, SYSTEM),
    Sample(
        "3 put get memo",
        lambda m: (
            PROTO
            + text("system")
            + b"r\xe8\x03\x00\x000"
            + text("os")
            + b"p5\n0g5\nj\xe8\x03\x00\x00\x93"
            + touch(m)
            + b"\x85R."
        ),
        SYSTEM,
    ),
    Sample(
        "4 memo rebind",
        lambda m: (
            PROTO
            + text("collections")
            + b"q\x000"
            + text("os")
            + b"q\x000h\x00"
            + text("system")
            + b"\x93"
            + touch(m)
            + b"\x85R."
        ),
        SYSTEM,
    ),
    Sample(
        "5 dup memoize",
        lambda m: PROTO + text("os") + b"2\x94" + text("system") + b"\x93" + touch(m) + b"\x85R.",
        SYSTEM,
    ),
    Sample("6 inst", lambda m: f"(S'touch {m}'\nios\nsystem\n.".encode(), SYSTEM),
    Sample("7 obj", lambda m: f"(cos\nsystem\nS'touch {m}'\no.".encode(), SYSTEM),
    Sample("9 newobj", lambda m: PROTO + name("subprocess", "Popen") + touch(m) + b"\x85\x81.", ("subprocess.Popen",)),
    Sample(
        "10 newobj_ex",
        lambda m: PROTO + name("subprocess", "Popen") + b")}" + text("args") + touch(m) + b"s\x92.",
        ("subprocess.Popen",),
    ),
    Sample(
        "11 build overrides a method",
        lambda m: PROTO + LOGISTIC + b"}" + text("predict") + name("os", "system") + b"sb.",
        SYSTEM,
        ("method-override",),
    ),
    Sample(
        "12 build of an address",
        lambda m: (
            PROTO
            + name("numpy", "asarray")
            + LOGISTIC
            + b"}"
            + text("__array_interface__")
            + b"}"
            + text("data")
            + b"K\x08\x89\x86ssb\x85R."
        ),
        codes=("odd-build",),
    ),
    Sample(
        "12 build of another class",
        lambda m: PROTO + LOGISTIC + b"N}" + text("__class__") + name("numpy", "ndarray") + b"s\x86b.",
        codes=("odd-build",),
    ),
    Sample(
        "12 build of a dtype that hides objects",
        lambda m: (
            PROTO
            + name("numpy", "dtype")
            + text("V8")
            + b"\x89\x88\x87R(K\x03"
            + text("|")
            + b"N"
            + text("a")
            + b"\x85}"
            + text("a")
            + dtype("O8").replace(b"K\x00tb", b"K\x3ftb")
            + b"K\x00\x86sK\x08K\x01K\x00tb."
        ),
        codes=("odd-build",),
    ),
    Sample(
        "12 build on a class",
        lambda m: (
            PROTO + name("sklearn.linear_model", "Ridge") + b"N}" + text("fit") + name("os", "system") + b"s\x86b."
        ),
        codes=("odd-build",),
    ),
    Sample("13 ext1", lambda m: PROTO + b"\x82\x01)R.", codes=("extension-registry",)),
    Sample("14 ext4", lambda m: PROTO + b"\x84\x01\x00\x00\x00)R.", codes=("extension-registry",)),
    Sample("15 persid", lambda m: b"(Pevil\nPother\nt.", codes=("persistent-id",)),
    Sample("16 binpersid", lambda m: PROTO + text("evil") + b"Q.", codes=("persistent-id",)),
    Sample("17 trailing pickle", lambda m: pickle.dumps([1, 2], 4) + PROTO + evil(m) + STOP, SYSTEM),
    Sample("18 trailing garbage", lambda m: pickle.dumps([1, 2], 4) + b"\xff" * 40, codes=("trailing-bytes",)),
    Sample("19 exec then break", lambda m: PROTO + evil(m) + b"\xff\xff", SYSTEM, ("malformed",)),
    Sample("20 no stop", lambda m: PROTO + evil(m), SYSTEM, ("truncated",)),
    Sample("21 protocol 9", lambda m: b"\x80\x09" + evil(m) + STOP, codes=("malformed",)),
    Sample("22 protocol midstream", lambda m: PROTO + b"N0\x80\x02N.", codes=("protocol",)),
    Sample("23 frame too long", lambda m: PROTO + frame(b"N.", 1 << 40), codes=("frame",)),
    Sample("24 frame straddled", lambda m: PROTO + frame(b"B\x08\x00\x00\x00abc") + b"defgh.", codes=("frame",)),
    Sample("25 frame nested", lambda m: PROTO + frame(b"N0" + frame(b"N.")), codes=("frame",)),
    Sample("25 frame left over", lambda m: PROTO + frame(b"N." + evil(m)), codes=("frame",)),
    Sample(
        "26 bytearray of 2^40", lambda m: b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b"x.", codes=("truncated",)
    ),
    Sample("27 long of 2^31", lambda m: PROTO + b"\x8b\xff\xff\xff\x7f" + b"\0" * 9 + STOP, codes=("truncated",)),
    Sample("28 huge text", lambda m: PROTO + b"\x8d" + struct.pack("<Q", 1 << 62) + b"x.", codes=("truncated",)),
    named("29 dotted", "sklearn.utils._testing", "os.system", text("true")),
    named("31 getattr", "builtins", "getattr", name("os", "path"), text("x")),
    Sample(
        "31 getattr result called",
        lambda m: PROTO + call("builtins", "getattr", name("os", "path"), text("x")) + b")R.",
        ("builtins.getattr",),
        ("computed-callee",),
    ),
    named("32 attrgetter", "operator", "attrgetter", text("system")),
    named("32 methodcaller", "_operator", "methodcaller", text("system")),
    named("32 itemgetter", "operator", "itemgetter", text("system")),
    named("33 partial", "functools", "partial", name("os", "system"), text("true")),
    named("33 reduce", "functools", "reduce", name("os", "system"), b"]"),
    named("34 import_module", "importlib", "import_module", text("os")),
    named("34 __import__", "builtins", "__import__", text("os")),
    named("34 resolve_name", "pkgutil", "resolve_name", text("os:system")),
    named("34 runpy", "runpy", "run_path", text("/dev/null")),
    named("35 ctypes", "ctypes", "CDLL", text("libc.so.6")),
    named("35 load_library", "numpy.ctypeslib", "load_library", text("x"), text("y")),
    named("36 cloudpickle", "cloudpickle.cloudpickle", "_make_function"),
    named("36 vendored cloudpickle", "joblib.externals.cloudpickle.cloudpickle", "subimport", text("os")),
    named("36 dill", "dill._dill", "_create_function"),
    named("36 code", "types", "CodeType"),
    named("36 function", "types", "FunctionType"),
    named("36 marshal", "marshal", "loads", text("x")),
    named("37 pickle.loads", "pickle", "loads", text("x")),
    named("37 joblib.load", "joblib", "load", text("/dev/null")),
    named("37 numpy.load", "numpy", "load", text("/dev/null")),
    named("37 read_pickle", "pandas", "read_pickle", text("/dev/null")),
    named("37 torch.load", "torch", "load", text("/dev/null")),
    named("38 load_svmlight_file", "sklearn.datasets", "load_svmlight_file", text("/dev/null")),
    named("38 openml", "sklearn.datasets._openml", "_open_openml_url", text("/dev/null")),
    named("38 testing", "sklearn.utils._testing", "raise_sysexit"),
    named("40 f2py", "numpy.f2py", "compile", text("x")),
    named("40 runstring", "numpy.testing._private.utils", "runstring", text("1"), b"}"),
    named("40 memmap", "numpy", "memmap", text("/dev/null")),
    named("40 fromfile", "numpy", "fromfile", text("/dev/null")),
    named("41 write_text", "pathlib", "PosixPath.write_text", text("/dev/null")),
    named("41 file handler", "logging", "FileHandler", text("/dev/null")),
    named("41 tarfile", "tarfile", "open", text("/dev/null")),
    named("41 zipfile", "zipfile", "main", b"]"),
    named("41 uuid", "uuid", "_get_command_stdout", text("true")),
    Sample("42 python 2", lambda m: b"c__builtin__\neval\n(S'1'\ntR.", ("__builtin__.eval",)),
    Sample(
        "42 reconstructor",
        lambda m: b"ccopy_reg\n_reconstructor\n(csubprocess\nPopen\nc__builtin__\nobject\nNtR.",
        ("subprocess.Popen",),
    ),
    Sample("43 look-alike", lambda m: PROTO + call("\u043es", "system") + STOP, codes=("odd-name",)),
    Sample("43 line feed in a name", lambda m: PROTO + call("os\n", "system") + STOP, codes=("odd-name",)),
    Sample(
        "43 name from a function",
        lambda m: PROTO + call("builtins", "str", text("os")) + text("system") + b"\x93" + touch(m) + b"\x85R.",
        SYSTEM,
        ("computed-name",),
    ),
    Sample("43 name not a string", lambda m: PROTO + b"K\x01" + text("system") + b"\x93.", codes=("computed-name",)),
    Sample("44 hash bomb", hash_bomb, codes=("exponential",)),
    Sample("45 deep list", lambda m: PROTO + b"]" * 200_000 + b"a" * 199_999 + STOP, codes=("limit",)),
    Sample("45 deep marks", lambda m: PROTO + b"(" * 200_000 + b"t" * 200_000 + STOP, codes=("limit",)),
    Sample("46 huge memo index", lambda m: PROTO + b"Nr\xff\xff\xff\xff.", codes=("limit",)),
    Sample("47 odd float", lambda m: b"\x80\x02(F1_0.5\nN0l.", codes=("odd-literal",)),
    Sample("47 odd integer", lambda m: b"\x80\x02(I0x10\nN0l.", codes=("odd-literal",)),
    named("48 scanner", "picklescan.scanner", "scan_pickle_bytes"),
    named("48 fickling", "fickling.hook", "remove_hook"),
    Sample("56 after an array", dumped(), ("posix.system",), suffix=".joblib"),
    *(
        Sample(f"57 {method}", dumped((method, 3)), ("posix.system",), suffix=".joblib")
        for method in ("zlib", "gzip", "bz2", "xz", "lzma", "lz4")
    ),
    Sample("57 gzip pickle", lambda m: gzip.compress(PROTO + evil(m) + STOP), SYSTEM, suffix=".pkl.gz"),
    Sample("57 bz2 pickle", lambda m: bz2.compress(PROTO + evil(m) + STOP), SYSTEM, suffix=".pkl.bz2"),
    Sample(
        "57 bad checksum",
        lambda m: gzip.compress(PROTO + evil(m) + STOP)[:-8] + b"\0" * 8,
        SYSTEM,
        ("damaged-compression",),
    ),
    Sample(
        "57 second member",
        lambda m: gzip.compress(PROTO + b"N.") + gzip.compress(PROTO + evil(m) + STOP),
        codes=("several-members",),
    ),
    Sample("58 object array", object_array, ("posix.system",), suffix=".joblib"),
    Sample(
        "59 nested pickle",
        lambda m: PROTO + b"B" + struct.pack("<I", len(evil(m)) + 4) + PROTO + evil(m) + b".0.",
        codes=("nested-pickle",),
    ),
    Sample(
        "60 frame differential", lambda m: PROTO + frame(wrapper() + evil(m) + STOP) + bytes(16), codes=("raw-span",)
    ),
    Sample(
        "61 negative shape", lambda m: PROTO + wrapper(integer(-2) + b"\x85") + bytes(16) + STOP, codes=("raw-span",)
    ),
    Sample("61 shape of text", lambda m: PROTO + wrapper(text("2") + b"\x85") + bytes(16) + STOP, codes=("raw-span",)),
    Sample("61 shape of booleans", lambda m: PROTO + wrapper(b"\x88\x85") + bytes(16) + STOP, codes=("raw-span",)),
    Sample(
        "61 shape overflows",
        lambda m: PROTO + wrapper(integer(1 << 32) * 2 + b"\x86") + bytes(16) + STOP,
        codes=("truncated",),
    ),
    Sample(
        "61 too many dimensions",
        lambda m: PROTO + wrapper(b"(" + b"K\x01" * 65 + b"t") + bytes(16) + STOP,
        codes=("raw-span",),
    ),
    Sample("61 odd dtype", lambda m: PROTO + wrapper(kind=dtype("f8,O")) + bytes(16) + STOP, codes=("raw-span",)),
    Sample("62 beyond the end", lambda m: PROTO + wrapper(b"M\xff\xff\x85") + bytes(16) + STOP, codes=("truncated",)),
    Sample(
        "63 second build",
        lambda m: PROTO + wrapper(build=b"\x94b") + bytes(16) + b"0h\x00}b" + bytes(16) + STOP,
        codes=("raw-span", "odd-build"),
    ),
    Sample("64 wrong padding", lambda m: aligned(b"\xfe"), codes=("raw-span",)),
    Sample("64 wrong length", lambda m: aligned(None, 200), codes=("raw-span",)),
    Sample("64 size changed between arrays", resized, codes=("raw-span",)),
    Sample(
        "65 wrapper with arguments",
        lambda m: PROTO + replaced(wrapper(), b")\x81}", b"K\x01\x85\x81}") + bytes(16) + STOP,
        codes=("raw-span",),
    ),
    Sample("65 wrapper made by a function", wrapper_of("copyreg", "__newobj__"), codes=("raw-span",)),
    Sample("65 wrapper through a function", wrapper_through(False), codes=("raw-span",)),
    Sample("65 wrapper through a function again", wrapper_through(True), codes=("raw-span",)),
    Sample(
        "65 wrapper under another name",
        wrapper_as("joblib", "numpy_pickle.NumpyArrayWrapper"),
        codes=("legacy-wrapper",),
    ),
    Sample(
        "66 other file",
        lambda m: (
            PROTO
            + name("joblib.numpy_pickle_compat", "NDArrayWrapper")
            + b")\x81}"
            + text("filename")
            + text("../../x.npy")
            + b"sb."
        ),
        codes=("legacy-wrapper",),
    ),
    Sample("67 legacy ZF", lambda m: b"ZF0x2a                 " + zlib.compress(b"N."), codes=("legacy-zfile",)),
    Sample(
        "68 zlib bomb",
        lambda m: zlib.compress(PROTO + b"B\x00\x00\x00\x06" + bytes(100 << 20) + STOP, 9),
        codes=("decompression-bomb",),
    ),
    Sample(
        "68 xz bomb",
        lambda m: lzma.compress(PROTO + b"B\x00\x00\x00\x06" + bytes(100 << 20) + STOP, preset=0),
        codes=("decompression-bomb",),
    ),
    Sample(
        "71 shape bomb",
        lambda m: npy("{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296,), }", bytes(8)),
        codes=("array-size",),
        suffix=".npy",
    ),
    Sample("72 header length", lambda m: npy("{}", length=0xFFFFFFF0), codes=("damaged",), suffix=".npy"),
    Sample(
        "72 header of code",
        lambda m: npy("{'descr': __import__('os').getcwd(), 'fortran_order': 0, 'shape': ()}"),
        codes=("damaged",),
        suffix=".npy",
    ),
    Sample("72 deep header", lambda m: npy("(" * 60000), codes=("damaged",), suffix=".npy"),
    Sample("73 npy of objects", npy_objects, ("posix.system",), suffix=".npy"),
    Sample("73 npz of objects", lambda m: npz(("a.npy", npy_objects(m))), ("posix.system",), suffix=".npz"),
    Sample(
        "74 duplicate members",
        lambda m: npz(("a.npy", array_file()), ("a.npy", array_file())),
        codes=("duplicate-member",),
        suffix=".npz",
    ),
    Sample(
        "75 names disagree",
        lambda m: replaced(npz(("a.npy", array_file())), b"a.npy", b"b.npy", 1),
        codes=("member-mismatch",),
        suffix=".npz",
    ),
    Sample(
        "76 encrypted bit",
        lambda m: replaced(
            npz(("a.npy", array_file())), b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"
        ),
        codes=("encrypted-member",),
        suffix=".npz",
    ),
    Sample(
        "77 bad checksum",
        lambda m: replaced(npz(("a.npy", npy_objects(m))), b"touch ", b"touch\t"),
        codes=("member-mismatch",),
        suffix=".npz",
    ),
    Sample("78 prefix data", lambda m: PROTO + evil(m) + STOP + npz(("a.npy", array_file())), SYSTEM, ("polyglot",)),
    Sample("79 two directories", two_directories, ("posix.system",), ("member-mismatch",), ".npz"),
    Sample("79 before the start", before_the_start, codes=("member-mismatch",), suffix=".npz"),
    Sample("79 large size", large_local_size, codes=("member-mismatch",), suffix=".npz"),
    Sample("79 members share bytes", shared_bytes, codes=("member-mismatch",), suffix=".npz"),
    Sample("80 symlink", symlink, codes=("unsafe-path",), suffix=".npz"),
    Sample("80 path leads out", lambda m: npz(("../../x.npy", array_file())), codes=("unsafe-path",), suffix=".npz"),
    Sample("80 absolute path", lambda m: npz(("/etc/x.npy", array_file())), codes=("unsafe-path",), suffix=".npz"),
    Sample("81 pickle named npz", lambda m: PROTO + evil(m) + STOP, SYSTEM, ("disguised-pickle",), suffix=".npz"),
    *(
        Sample(f"81 pickle named {end}", lambda m: PROTO + evil(m) + STOP, SYSTEM, ("disguised-pickle",), suffix=end)
        for end in (".onnx", ".h5", ".safetensors", ".npy", ".csv", ".keras")
    ),
    Sample("81 joblib named onnx", dumped(), ("posix.system",), ("disguised-pickle",), suffix=".onnx"),
    Sample(
        "82 pickle and zip",
        lambda m: PROTO + b"N." + npz(("archive/data.pkl", PROTO + evil(m) + STOP)),
        codes=("polyglot",),
    ),
    Sample("82 pdf and zip", lambda m: b"%PDF-1.4\n" + npz(("a.npy", npy_objects(m))), codes=("prefix-data",)),
    Sample(
        "82 torch and npz",
        lambda m: npz(("a.npy", array_file()), ("archive/data.pkl", PROTO + evil(m) + STOP)),
        SYSTEM,
        ("polyglot",),
        suffix=".npz",
    ),
    Sample("83 torch tar", lambda m: bytes(257) + b"ustar\x0000" + bytes(248), codes=("unsupported",), suffix=".pt"),
    *(
        Sample(title, lambda m: b"\x08\x07\x12\x04test:\x00", codes=("damaged",), suffix=".onnx")
        for title in ("95 onnx external", "96 onnx dims", "97 onnx loop", "98 onnx deep")
    ),
    Sample(
        "99 safetensors hole",
        lambda m: framed({"a": entry([2], 4, 12)}, bytes(12)),
        codes=("damaged",),
        suffix=".safetensors",
    ),
    Sample("99 safetensors and zip", safetensors_and_zip, codes=("polyglot",), suffix=".safetensors"),
)
"""One or more samples for each entry of the catalogue that the pickle family reads; titles start with its number."""
