"""How picklers call what data frames are made of: pandas, the Arrow arrays below it, and time zones.

Sources: the `__reduce__` methods of pandas 1.1 to 3.1 (pandas/core/indexes/base.py `_new_Index`,
pandas/_libs/internals.pyx, arrays.pyx and tslibs), of pyarrow/array.pxi, and of pytz and dateutil.
"""

from __future__ import annotations

from array import array
from typing import Optional

from backends.formats.pickle.arrays import read_array
from backends.formats.pickle.checks import PLAIN, TEXT, Check, each, is_bytes, is_call, made_by, never, none, unpickled
from backends.formats.pickle.python import BUILTINS, is_zone_name
from backends.formats.pickle.values import DictValue, Global, Instance, Span, Value

_INDEX_PARTS = frozenset(
    "data name levels codes labels sortorder names start stop step tz freq closed left right".split()  # noqa: SIM905
)
_ALIASES = {
    "bool": -1, "int8": 1, "int16": 2, "int32": 4, "int64": 8, "uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8,
    "halffloat": 2, "float": 4, "double": 8, "float16": 2, "float32": 4, "float64": 8, "date32": 4, "date32[day]": 4,
    "date64": 8, "date64[ms]": 8,
}  # fmt: skip
"""Arrow's numbers and their bytes; a bool takes a bit."""
_TEXTS = {"string": 4, "utf8": 4, "binary": 4, "large_string": 8, "large_utf8": 8, "large_binary": 8}
"""Arrow's texts, and the bytes of one offset."""
_MAX_OFFSETS = 4 << 20
_ARROW = "pyarrow.lib"


_MAKERS = frozenset(
    "numpy pandas pyarrow pytz dateutil zoneinfo datetime decimal builtins __builtin__ _codecs".split()  # noqa: SIM905
)
"""Packages whose objects stand in frames and dates; attributes of any other object could be what pandas calls."""


def _known(value: Value) -> bool:
    """An object of one of these packages."""
    maker = made_by(value) if type(value) is Instance else None
    return type(maker) is Global and maker.module.partition(".")[0] in _MAKERS


def _made(value: Value) -> bool:
    return type(value) in PLAIN or _known(value)


def _parts(args: tuple[Value, ...]) -> bool:
    """Plain values, and objects that other calls made."""
    return len(args) <= 12 and all(_made(item) or (type(item) in (tuple, list) and _all_made(item)) for item in args)


def _all_made(items: Value) -> bool:
    return all(_made(item) for item in items)


def _named_index(args: tuple[Value, ...]) -> bool:
    """`_new_Index`: a class of indexes, and what its constructor takes by name."""
    if len(args) != 2 or type(args[0]) is not Global or type(args[1]) is not DictValue:
        return False
    keys = args[1].flat[::2]
    given = args[1].get("data")
    return (
        args[0].module.partition(".")[0] == "pandas"
        and args[0].name.endswith("Index")
        and all(type(key) is str and key in _INDEX_PARTS for key in keys)
        and (given is None or _known(given) or read_array(given) is not None)
    )


def _block(args: tuple[Value, ...]) -> bool:
    """`_unpickle_block`: values, the columns they are, and how many dimensions."""
    if len(args) != 3 or type(args[2]) is not int or not 0 <= args[2] <= 2:
        return False
    return all(_known(item) or read_array(item) is not None for item in args[:2])


def _manager(args: tuple[Value, ...]) -> bool:
    """Managers: nothing, or blocks and axes."""
    return not args or (len(args) in (2, 3) and all(type(part) in (tuple, list, bool) or _known(part) for part in args))


def _sparse(args: tuple[Value, ...]) -> bool:
    arrays = all(read_array(item) is not None or type(item) is Instance for item in args[1:])
    return len(args) in (2, 3) and type(args[0]) is int and arrays


def _string_type(args: tuple[Value, ...]) -> bool:
    """`StringDtype`: how strings are kept, and what stands for a missing one."""
    if len(args) == 2 and type(args[1]) is Global:
        args = args[:1] if args[1].name == "NA" else args
    return len(args) <= 2 and all(type(item) in (str, float, type(None)) for item in args)


_PANDAS: dict[str, Check] = {
    "_new_Index": _named_index,
    "_new_DatetimeIndex": _named_index,
    "_new_TimedeltaIndex": _named_index,
    "_new_PeriodIndex": _named_index,
    "_new_IntervalIndex": _named_index,
    "_unpickle_block": _block,
    "new_block": _block,
    "BlockManager": _manager,
    "SingleBlockManager": _manager,
    "_unpickle_timestamp": _parts,
    "_timedelta_unpickle": each((int,), 2),
    "_nat_unpickle": each((type(None),), 1),
    "__nat_unpickle": each((type(None),), 1),
    "Timestamp": _parts,
    "Timedelta": each((int,), 2),
    "Period": _parts,
    "Interval": _parts,
    "PeriodDtype": _parts,
    "StringDtype": _string_type,
    "IntIndex": _sparse,
    "BlockIndex": _sparse,
}
"""What pandas' picklers call with more than nothing, by its name in whatever module it is."""
_FUNCTIONS = frozenset(name for name in _PANDAS if name[0] == "_")


def _pandas(known: Global) -> Check:
    check = _PANDAS.get(known.name)
    if check is not None:
        return check
    if known.name.startswith("__pyx_unpickle_"):
        return unpickled
    if known.module == "pandas._libs.tslibs.offsets" or known.name == "DateOffset":
        return _parts
    return none if known.name.lstrip("_")[:1].isupper() else never


# Arrow


def _bytes_of(value: Value) -> Optional[Value]:
    """The bytes a buffer was made of; None where it is none."""
    if not is_call(value, _ARROW, ("py_buffer",)) or type(value.args) is not tuple or len(value.args) != 1:
        return None
    data = value.args[0]
    for _ in range(2):
        if is_bytes(data) or any(is_call(data, module, ("bytearray", "bytes")) for module in BUILTINS):
            data = data.args[0] if data.args else b""
    return data if type(data) in TEXT else None


def _length(data: Value) -> int:
    if type(data) is Span and data.encoding != "bytes":
        return len(data.read(data.length).encode("latin-1", "replace"))
    return data.length if type(data) is Span else len(data)


def _content(data: Value) -> bytes:
    read = data.read(data.length) if type(data) is Span else data
    return read.encode("latin-1", "replace") if type(read) is str else bytes(read)


def _array(args: tuple[Value, ...]) -> bool:
    """`_restore_array`: an array whose buffers hold as much as it says, since Arrow itself looks at none of it."""
    parts = args[0] if len(args) == 1 else None
    if type(parts) is not tuple or len(parts) != 7 or any(type(number) is not int for number in parts[1:4]):
        return False
    kind, length, _, start, buffers, children, dictionary = parts
    if not 0 <= length < 1 << 40 or not 0 <= start < 1 << 40 or children != [] or dictionary is not None:
        return False
    if type(buffers) is not list or not 2 <= len(buffers) <= 3:
        return False
    held = [None if item is None else _bytes_of(item) for item in buffers]
    if any(data is None and item is not None for data, item in zip(held, buffers)):
        return False
    end = start + length
    if held[0] is not None and _length(held[0]) * 8 < end:
        return False
    return _texts(kind, end, held) if len(held) == 3 else _numbers(kind, end, held[1])


def _alias(kind: Value) -> str:
    args = kind.args if is_call(kind, _ARROW, ("type_for_alias",)) else None
    return args[0] if type(args) is tuple and len(args) == 1 and type(args[0]) is str else ""


def _numbers(kind: Value, end: int, data: Value) -> bool:
    width = 8 if is_call(kind, _ARROW, ("timestamp", "duration", "time64")) else _ALIASES.get(_alias(kind), 0)
    if not width:
        return False
    given = 0 if data is None else _length(data)
    return given * 8 >= end if width < 0 else given >= end * width


def _texts(kind: Value, end: int, held: list[Value]) -> bool:
    """Texts: the offsets rise, and the last lies within the characters."""
    width = _TEXTS.get(_alias(kind), 0)
    if not width or end >= _MAX_OFFSETS:
        return False
    if held[1] is None or not _length(held[1]):
        return end == 0
    if _length(held[1]) < (end + 1) * width:
        return False
    offsets = array("i" if width == 4 else "q")
    offsets.frombytes(_content(held[1])[: (end + 1) * width])
    given = 0 if held[2] is None else _length(held[2])
    places = offsets.tolist()
    return places[0] >= 0 and places[-1] <= given and places == sorted(places)


def _chunks(args: tuple[Value, ...]) -> bool:
    if len(args) not in (1, 2) or type(args[0]) is not list:
        return False
    arrays = all(is_call(item, _ARROW, ("_restore_array",)) for item in args[0])
    return arrays and all(_is_type(one) for one in args[1:])


def _is_type(value: Value) -> bool:
    return is_call(value, _ARROW, ("type_for_alias", "timestamp", "duration", "time64"))


_PYARROW: dict[str, Check] = {
    "type_for_alias": each((str,), 1),
    **dict.fromkeys(("timestamp", "duration", "time64"), each((str, type(None)), 2)),
    "py_buffer": lambda args: len(args) == 1 and (type(args[0]) in TEXT or type(args[0]) is Instance),
    "_restore_array": _array,
    "chunked_array": _chunks,
}


# time zones


def _zone(args: tuple[Value, ...]) -> bool:
    """`pytz._p`: a zone, and which of its offsets."""
    return len(args) in (1, 4) and is_zone_name(args[0]) and all(type(item) in (int, str) for item in args[1:])


def _unread(args: tuple[Value, ...]) -> bool:
    """`tzfile`: no file to read, but its name; all else comes with the state."""
    return not args or (len(args) == 2 and args[0] is None and type(args[1]) in (str, type(None)))


def _zone_data(args: tuple[Value, ...]) -> bool:
    """`_unpickle` of newer dateutil: the class, two names and what was in the file."""
    if len(args) != 4 or type(args[0]) is not Global or type(args[3]) is not tuple:
        return False
    named = args[0].module.startswith("dateutil.tz.") and args[0].name == "tzfile"
    return named and all(type(item) in (str, type(None)) for item in args[1:3])


_ZONES: dict[tuple[str, str], Check] = {
    ("pytz", "_UTC"): none,
    ("pytz", "_p"): _zone,
    ("pytz", "FixedOffset"): each((int,), 1),
    ("pytz", "_FixedOffset"): each((int,), 1),
    ("dateutil.tz.tz", "tzutc"): none,
    ("dateutil.tz.tz", "tzlocal"): none,
    ("dateutil.tz.tz", "tzoffset"): _parts,
    ("dateutil.tz.tz", "tzfile"): _unread,
    ("dateutil.tz._tzfile", "tzfile"): _unread,
    ("dateutil.tz._tzfile", "_unpickle"): _zone_data,
    ("dateutil.relativedelta", "relativedelta"): none,
}


def frame_check(known: Global) -> Optional[Check]:
    """The check of the arguments of a name of these packages; None for names of others."""
    package = known.module.partition(".")[0]
    if package == "pandas":
        return _pandas(known)
    if package == "pyarrow":
        return _PYARROW.get(known.name, never) if known.module == _ARROW else never
    return _ZONES.get((known.module, known.name), never) if package in ("pytz", "dateutil") else None


def partial_block(callee: Value) -> Optional[tuple[Global, Value]]:
    """`partial(new_block, ndim=…)`, which pandas 1.3 calls for each block: the function, and the dimensions."""
    if not is_call(callee, "functools", ("partial",)) or type(callee.state) is not tuple or len(callee.state) != 4:
        return None
    function, args, given, _ = callee.state
    named = type(function) is Global and str(function) == "pandas.core.internals.blocks.new_block"
    if not named or args != () or type(given) is not DictValue or given.flat[:1] != ["ndim"] or len(given.flat) != 2:
        return None
    return function, given.flat[1]


def makes_frames(known: Global) -> bool:
    """Whether a name is one of the functions that only a pickler calls: nothing keeps them to be called later."""
    package = known.module.partition(".")[0]
    if package == "pandas":
        return known.name in _FUNCTIONS or known.name.startswith("__pyx_unpickle_")
    return package == "pyarrow" or (package in ("pytz", "dateutil") and known.name in ("_p", "_unpickle", "tzfile"))
