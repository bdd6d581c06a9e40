"""Write a Python object graph in the project's own HDF5 layout (see `layout`). Runs in a child process only."""

from __future__ import annotations

import copyreg
import types
from collections.abc import Sequence
from typing import Any, Callable, Optional

import h5py
import numpy as np

from backends.core.errors import NotLoadable
from backends.formats.hdf5.allowed import is_allowed, name_of
from backends.formats.hdf5.arrays import packed, write_array
from backends.formats.hdf5.layout import ATTRIBUTE_LIMIT, NAMED_FIELDS, safe_member, storable_text

_TEXT = h5py.string_dtype("utf-8")
_GLOBALS = (type, types.FunctionType, types.BuiltinFunctionType, np.ufunc)
_VALUES = (np.generic, np.dtype, tuple, frozenset, str, bytes, int, slice, range, *_GLOBALS)
"""What has no identity worth keeping: stored again at each place."""

_PACK_FROM = 32
"""Mappings of plain values with at least so many keys become two arrays instead of one attribute a key."""


def _is_attribute(value: Any) -> bool:
    kind = type(value)
    if value is None or kind in (bool, float, complex):
        return True
    if kind is int:
        return bool(-(2**63) <= value < 2**63)
    return kind is str and len(value) <= ATTRIBUTE_LIMIT // 4 and storable_text(value)


def _named_fields(items: Sequence[Any]) -> int:
    """2 or 3 for a list of (name, estimator) or (name, estimator, columns) with unique storable names, else 0."""
    widths = {len(item) if type(item) is tuple else 0 for item in items}
    if len(widths) != 1 or not widths <= {2, 3}:
        return 0
    names = [item[0] for item in items]
    if not all(safe_member(name) for name in names) or len(set(names)) != len(names):
        return 0
    if not any(hasattr(item[1], "get_params") for item in items):
        return 0
    return widths.pop()


class Encoder:
    """Writes values under names; an object met a second time becomes a soft link to its first place."""

    def __init__(self, compression: Optional[str] = None, may_use: Callable[[str, str], bool] = is_allowed) -> None:
        self._compression = compression
        self._may_use = may_use
        self._paths: dict[int, str] = {}
        self._kept: list[Any] = []
        self._writers: dict[type, Callable[[Any, str, Any], None]] = {
            int: lambda group, name, value: self._group(group, name, kind="int", digits=hex(value)),
            str: lambda group, name, value: self._raw(group, name, value.encode("utf-8", "surrogatepass"), "str"),
            bytes: lambda group, name, value: self._raw(group, name, value, "bytes"),
            list: self._items,
            tuple: self._items,
            set: self._items,
            frozenset: self._items,
            dict: self._dict,
            slice: self._slice,
            range: self._slice,
            np.ndarray: self._array,
            np.memmap: self._array,
            np.ma.MaskedArray: self._masked,
        }
        self._group_plist = h5py.h5p.create(h5py.h5p.GROUP_CREATE)
        self._group_plist.set_attr_phase_change(255, 128)

    def write(self, group: Any, name: str, value: Any) -> None:
        """Store `value` as `name` in an HDF5 group. Raises NotLoadable for what the layout cannot hold."""
        if _is_attribute(value):
            self._attribute(group, name, value)
            return
        if not isinstance(value, _VALUES):
            path = self._paths.get(id(value))
            if path is not None:
                group[name] = h5py.SoftLink(path)
                return
            self._paths[id(value)] = f"{group.name.rstrip('/')}/{name}"
            self._kept.append(value)
        self._writer(value)(group, name, value)

    def _writer(self, value: Any) -> Callable[[Any, str, Any], None]:
        writer = self._writers.get(type(value))
        if writer is not None:
            return writer
        if isinstance(value, np.dtype):
            return self._dtype
        if isinstance(value, np.generic):
            return self._scalar
        return self._global if isinstance(value, _GLOBALS) else self._object

    def _attribute(self, group: Any, name: str, value: Any) -> None:
        if value is None:
            group.attrs.create(name, h5py.Empty("f8"))
        elif type(value) is str:
            group.attrs.create(name, value, dtype=_TEXT)
        else:
            group.attrs.create(name, np.bool_(value) if type(value) is bool else value)

    def _group(self, parent: Any, member: str, **markers: Any) -> Any:
        group = h5py.Group(h5py.h5g.create(parent.id, member.encode("utf-8"), gcpl=self._group_plist))
        for key, text in markers.items():
            self._attribute(group, f"@{key}", text)
        return group

    def _raw(self, group: Any, name: str, value: bytes, kind: str) -> None:
        dataset = group.create_dataset(name, data=np.frombuffer(value, np.uint8))
        self._attribute(dataset, "@kind", kind)

    def _array(self, group: Any, name: str, value: Any) -> None:
        if value.dtype.kind != "O":
            write_array(group, name, value, self._compression)
            return
        flat = value.ravel(order="C").tolist()
        if flat and all(type(item) is str and storable_text(item) for item in flat):
            dataset = group.create_dataset(name, data=value, dtype=_TEXT)
            self._attribute(dataset, "@dtype", "|O")
            return
        here = self._group(group, name, kind="object-array")
        here.attrs.create("@shape", np.asarray(value.shape, np.int64))
        self.write(here, "items", flat)

    def _scalar(self, group: Any, name: str, value: Any) -> None:
        dataset = write_array(group, name, np.asarray(value), None)
        self._attribute(dataset, "@kind", "scalar")

    def _masked(self, group: Any, name: str, value: Any) -> None:
        here = self._group(group, name, kind="masked-array")
        self.write(here, "data", np.asarray(value.data))
        self.write(here, "mask", np.ma.getmaskarray(value))
        self.write(here, "fill_value", np.asarray(value.fill_value))

    def _items(self, group: Any, name: str, value: Any) -> None:
        items, kind = list(value), type(value).__name__
        like = packed(items)
        if like is not None:
            dataset = write_array(group, name, like[0], self._compression)
            self._attribute(dataset, "@kind", kind)
            self._attribute(dataset, "@item", like[1])
            return
        width = _named_fields(items) if kind == "list" else 0
        if width:
            self._named(group, name, items, width)
            return
        here = self._group(group, name, kind=kind, length=len(items))
        for position, item in enumerate(items):
            self.write(here, str(position), item)

    def _named(self, group: Any, name: str, items: list[tuple[Any, ...]], width: int) -> None:
        here = self._group(group, name, kind="named-list")
        here.attrs.create("@keys", [item[0] for item in items], dtype=_TEXT)
        for item in items:
            if width == 2:
                self.write(here, item[0], item[1])
            else:
                entry = self._group(here, item[0], kind="named-entry")
                for field, part in zip(NAMED_FIELDS, item[1:]):
                    self.write(entry, field, part)

    def _dict(self, group: Any, name: str, value: dict[Any, Any]) -> None:
        keys = list(value)
        few = len(keys) < _PACK_FROM or packed(list(value.values())) is None
        if few and all(safe_member(key) for key in keys) and sum(map(len, keys)) <= ATTRIBUTE_LIMIT // 4:
            here = self._group(group, name, kind="dict")
            here.attrs.create("@keys", np.array(keys, dtype=object), dtype=_TEXT, shape=(len(keys),))
            for key in keys:
                self.write(here, key, value[key])
            return
        here = self._group(group, name, kind="pairs")
        self._items(here, "keys", keys)
        self._items(here, "values", list(value.values()))

    def _slice(self, group: Any, name: str, value: Any) -> None:
        here = self._group(group, name, kind=type(value).__name__)
        for part in ("start", "stop", "step"):
            self.write(here, part, getattr(value, part))

    def _dtype(self, group: Any, name: str, value: Any) -> None:
        if value.names is not None or value.subdtype is not None:
            raise NotLoadable(f"{group.name}/{name} is the structured dtype {value}, which HDF5 models cannot refer to")
        self._group(group, name, kind="dtype", name=value.str)

    def _global(self, group: Any, name: str, value: Any) -> None:
        self._group(group, name, kind="global", name=self._allowed("name", value, group, name))

    def _object(self, group: Any, name: str, value: Any) -> None:
        """An instance, as its `__reduce_ex__` tells: the very description that pickle would have stored."""
        custom = copyreg.dispatch_table.get(type(value))
        reduced = custom(value) if custom is not None else value.__reduce_ex__(4)
        if isinstance(reduced, str):
            self._global(group, name, value)
            return
        called, args, state, items, pairs = (*reduced, None, None, None)[:5]
        if called is getattr(copyreg, "__newobj__", None):
            here = self._group(group, name, **{"class": self._allowed("new", args[0], group, name)})
            args = args[1:]
        else:
            here = self._group(group, name, call=self._allowed("call", called, group, name))
        self._kept.append(reduced)
        if args:
            self.write(here, "@args", tuple(args))
        self._parameters(here, value)
        self._state(here, state)
        if items is not None:
            self.write(here, "@append", list(items))
        if pairs is not None:
            self.write(here, "@update", dict(pairs))

    def _parameters(self, here: Any, value: Any) -> None:
        """Name the constructor's parameters, so that a reader can tell them from what fitting added."""
        if callable(getattr(type(value), "get_params", None)):
            parameters = [name for name in value.get_params(deep=False) if name in getattr(value, "__dict__", {})]
            here.attrs.create("@parameters", np.array(parameters, object), dtype=_TEXT, shape=(len(parameters),))

    def _state(self, here: Any, state: Any) -> None:
        if type(state) is dict and state and all(safe_member(key) for key in state):
            for key in state:
                self.write(here, key, state[key])
        elif state is not None:
            self.write(here, "@state", state)

    def _allowed(self, role: str, value: Any, group: Any, name: str) -> str:
        dotted = name_of(value)
        if not self._may_use(role, dotted):
            raise NotLoadable(
                f"{group.name}/{name} needs {dotted.replace(':', '.')}, which is not on the list of what an HDF5 "
                "model may be built from: use pickle or joblib for this model"
            )
        return dotted
