"""How joblib interleaves opcodes and raw array bytes, and how to step across them without reading them.

Layout: joblib/numpy_pickle.py, NumpyArrayWrapper. After the BUILD of a wrapper, which must end its frame: with
`numpy_array_alignment_bytes` in its state, a byte n and n bytes 0xff so that the data is aligned; then the array's
bytes; for a dtype with Python objects instead a complete pickle. Since 0.10; alignment since 1.2.
"""

from __future__ import annotations

from math import prod

from backends.formats.pickle.arrays import is_shape
from backends.formats.pickle.dtypes import read_dtype
from backends.formats.pickle.machine import PickleMachine
from backends.formats.pickle.reader import Stopped
from backends.formats.pickle.values import DictValue, Global, Instance, RawArray, Value

_KEYS = frozenset(("subclass", "shape", "order", "dtype", "allow_mmap", "numpy_array_alignment_bytes"))


def read_span(machine: PickleMachine, wrapper: Instance) -> RawArray:
    """Step over the raw bytes that belong to `wrapper`, whose BUILD was just read.

    Raises Stopped at whatever joblib does not write: after it, nobody knows where the opcodes go on.
    """
    offset = machine.offset
    if machine.frame_end is not None and machine.frame_end != offset:
        raise Stopped("raw-span", "the frame of an array's wrapper goes on behind it", offset, resumable=True)
    machine.frame_end = None
    try:
        state = _state(wrapper)
        dtype = read_dtype(state["dtype"])
    except ValueError as error:
        detail = f"an array that joblib would not write: {error}"
        raise Stopped("raw-span", detail, offset, resumable=True) from None
    array = RawArray(dtype, state["shape"], state["order"], offset, 0)
    array.extra = {"subclass": state["subclass"], "source": machine.source, "at": offset}
    if dtype.objects:
        _walk_objects(machine, array)
    else:
        _pass_numbers(machine, array, state.get("numpy_array_alignment_bytes"))
    return array


def _state(wrapper: Instance) -> dict[str, Value]:
    """The wrapper's state, checked but for the dtype. Raises ValueError."""
    args = wrapper.args
    made_new = args == ()
    if not made_new:
        made_old = type(args) is tuple and len(args) == 3 and type(args[1]) is Global and args[2] is None
        if not made_old or str(args[1]) not in ("builtins.object", "__builtin__.object"):
            raise ValueError("its wrapper is made with arguments")
    flat = wrapper.state.flat if type(wrapper.state) is DictValue else None
    if flat is None or wrapper.pairs or wrapper.items or wrapper.kwargs is not None:
        raise ValueError("its wrapper has an odd state")
    keys = flat[::2]
    if not all(type(key) is str for key in keys) or len(set(keys)) != len(keys) or not set(keys) <= _KEYS:
        raise ValueError("its wrapper has odd attributes")
    if not {"subclass", "shape", "order", "dtype"} <= set(keys):
        raise ValueError("its wrapper lacks attributes")
    state = dict(zip(keys, flat[1::2]))
    alignment = state.get("numpy_array_alignment_bytes")
    if type(state["order"]) is not str or state["order"] not in ("C", "F") or type(state["subclass"]) is not Global:
        raise ValueError("its wrapper has odd attributes")
    if not _is_array_class(state["subclass"]):
        raise ValueError("an array of a class that is none of numpy's")
    if not is_shape(state["shape"]):
        raise ValueError("an odd shape")
    if alignment is not None and not (type(alignment) is int and 1 <= alignment <= 255):
        raise ValueError("an odd alignment")
    return state


def _is_array_class(subclass: Global) -> bool:
    """Whether joblib could make an array of it; classes of other packages are told by their names."""
    return subclass.module not in ("builtins", "__builtin__") and not subclass.module.startswith("sklearn")


def _pass_numbers(machine: PickleMachine, array: RawArray, alignment: Value) -> None:
    offset, dtype = array.offset, array.dtype
    if alignment is not None:
        padding = machine.head(machine.position, 1 + alignment)
        expected = alignment - (offset + 1) % alignment
        if not padding or padding[0] != expected or padding[1 : 1 + expected] != b"\xff" * expected:
            raise Stopped("raw-span", "the padding before an array is not joblib's", offset, resumable=True)
        offset += 1 + expected
    length = prod(array.shape) * dtype.itemsize
    if length > machine.size - offset:
        raise Stopped(
            "truncated", f"cut off: an array of {length} bytes where {machine.size - offset} are left", offset
        )
    array.offset, array.length = offset, length
    machine.seek(offset + length)


def _walk_objects(machine: PickleMachine, array: RawArray) -> None:
    """Follow the pickle that joblib writes for an array of objects, with CPython's own unpickler: no spans in it."""
    inner = PickleMachine(machine.source, machine.budget, machine.findings, machine.names)
    inner.share(machine)
    inner.inner = machine.inner
    array.objects = inner.run(array.offset)
    end = inner.offset if inner.abandoned is None else inner.abandoned
    array.length = end - array.offset
    machine.seek(end)
