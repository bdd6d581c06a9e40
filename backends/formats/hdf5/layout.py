"""The project's own HDF5 layout, version 1: a fitted estimator as groups, attributes and datasets, without pickle.

The root group carries `format = "model-console"`, `layout` (this version) and the versions of the libraries that wrote
it; the model is `/model`. A value's Python type follows from how it is stored:

- an attribute is a plain Python value: bool, int, float, complex, str, or None (a null dataspace);
- a dataset is a numpy array, or with `@kind` a scalar, a string, bytes, or a list, tuple or set of like items;
- a group with `@class` is an instance made by `class.__new__`; its members are its state, which is applied as pickle
  would (`__setstate__`, else its `__dict__`). `@call` names a function or class that is called instead. Optional
  members: `@args` (tuple), `@state` (a state that is no mapping), `@append` (list items), `@update` (mapping items);
- a group with `@kind` is a container (`list`, `tuple`, `set`, `frozenset`, `dict`, `pairs`, `named-list`,
  `object-array`, `masked-array`, `slice`, `range`, `int`) or a name (`global`, `dtype`);
- a soft link is a second reference to the object it points at, always an absolute path below `/model`.

`@class`, `@call` and the `@name` of a global are spelled `module:qualified.name`. No Python name starts with `@`.
"""

from __future__ import annotations

FORMAT = "model-console"
LAYOUT = 1
MODEL = "/model"
ATTRIBUTE_LIMIT = 16 * 1024
"""Longest text kept in an attribute, in bytes; HDF5 itself stops at 64 KiB for one object header message."""

ITEM_KINDS = ("list", "tuple", "set", "frozenset")
NAMED_FIELDS = ("transformer", "columns")
"""Members of one entry of a column transformer's (name, transformer, columns) list."""


def safe_member(name: object) -> bool:
    """Whether `name` can be the name of an HDF5 link as it is, without being taken for a marker or a path."""
    if type(name) is not str or not name or name[0] == "@" or name == "." or "/" in name or "\0" in name:
        return False
    try:
        return len(name.encode("utf-8")) <= 1024
    except UnicodeEncodeError:
        return False


def split_name(dotted: str) -> tuple[str, str]:
    """Module and qualified name of `module:name`; the name is empty where the text is spelled otherwise."""
    module, _, name = dotted.partition(":")
    return module, name


def storable_text(text: str) -> bool:
    """Whether HDF5 gives this text back as it is: it stops at the first NUL and holds no lone surrogates."""
    try:
        return b"\0" not in text.encode("utf-8")
    except UnicodeEncodeError:
        return False
