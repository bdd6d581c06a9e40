"""Bounded, read-only access to an HDF5 file that may be hostile: what every HDF5 backend reads through.

Only hard links are entered. External links, soft links, external storage and virtual datasets are reported, never
followed; an object met twice is entered once (hard links can form circles). Counts, depth and the size of whatever is
read as a whole are capped. libhdf5 itself has memory-safety bugs on crafted files, so all of this runs in a child.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import os
import re
from collections.abc import Iterator
from typing import Any, Callable, NamedTuple, Optional

import h5py
import numpy as np

from backends.core.errors import NO_MEMORY, Damaged
from backends.core.findings import finding
from backends.core.frozen import RAW_FROM, Frozen
from backends.core.inspection import ArrayInfo, Finding, GlobalRef
from backends.core.load_plan import DATASET, MAX_PIECES, LoadPlan, Piece
from backends.core.source import MemorySource, Source
from backends.formats.hdf5.pickles import bytes_in_dataset, bytes_in_value, is_object_atom
from backends.formats.pickle.reader import Budget
from backends.formats.pickle.walk import walk_inside

_FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 4: "szip", 5: "nbit", 6: "scaleoffset", 32000: "lzf"}
_PLUGINS = {32001: "blosc", 32004: "lz4", 32008: "bitshuffle", 32013: "zfp", 32015: "zstd", 32026: "blosc2"}


def _filter_available(number: int) -> bool:
    """Whether libhdf5 can undo a filter, if need be with those that the package hdf5plugin brings."""
    if not h5py.h5z.filter_avail(number) and number in _PLUGINS:
        with contextlib.suppress(ImportError):
            importlib.import_module("hdf5plugin")
    return bool(h5py.h5z.filter_avail(number))


_BOMB_FROM = 64 * 1024 * 1024
_BOMB_RATIO = 1000
_READ_ANYWAY = ("hdf5-link", "hdf5-hard-link", "hdf5-filter")
"""Findings that leave nothing unread: what the link points at has a place of its own, and headers need no filter."""


class Limits(NamedTuple):
    """Budgets of one reading; what exceeds one is reported as a finding and left out."""

    objects: int = 200_000
    depth: int = 100
    members: int = 100_000
    attribute_bytes: int = 64 * 1024 * 1024
    attribute_texts: int = 65_536
    texts: int = 1_000_000
    text_bytes: int = 16 * 1024 * 1024
    findings: int = 200


LIMITS = Limits()


class Member(NamedTuple):
    """One link of a group: `kind` is group, dataset, type, soft or external; `target` is a link's text."""

    name: str
    kind: str
    target: Any


_CUT_OFF = re.compile(r"truncated file: eof = (\d+), .*stored_eof = (\d+)")
_ALLOCATION = re.compile(r"memory allocation failed|(?:unable to|can't|cannot) allocate", re.IGNORECASE)


@contextlib.contextmanager
def damage_as_errors(name: str = "") -> Iterator[None]:
    """Turn what h5py raises on a broken file into Damaged with one sentence."""
    try:
        yield
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, SystemError, EOFError) as error:
        if isinstance(error, RecursionError):
            raise Damaged("the HDF5 file is nested too deeply to be read") from error
        text = str(error.args[0] if error.args else error).strip().replace("\n", " ")
        cut = _CUT_OFF.search(text)
        if cut:
            raise Damaged(f"cut off: {int(cut[1]):,} of {int(cut[2]):,} bytes of this HDF5 file are there") from error
        place = f" at {name}" if name else ""
        if _ALLOCATION.search(text):
            raise Damaged(f"the HDF5 file is damaged{place}: {NO_MEMORY} ({text[:200]})") from error
        raise Damaged(f"the HDF5 file is damaged{place}: {text[:300]}") from error
    except (MemoryError, OverflowError) as error:
        raise Damaged(f"the HDF5 file is damaged: {NO_MEMORY}") from error


@contextlib.contextmanager
def open_tree(source: Source, limits: Limits = LIMITS) -> Iterator[Tree]:
    """The file behind `source`, opened read-only through a Python file object (libhdf5 cannot open a sealed memfd).

    Raises Damaged for what libhdf5 cannot open.
    """
    with source.file() as raw:
        with damage_as_errors():
            file = h5py.File(raw, "r", locking=False)
            tree = Tree(file, limits, source.size, searched=not isinstance(source, Frozen))
        with file:
            yield tree
            if source.plan is not None and not isinstance(source, Frozen):
                source.plan = tree.plan()


def holds(source: Source, test: Callable[[Tree], bool]) -> bool:
    """Whether an HDF5 file passes a test; a damaged one does not. Raises OSError."""
    try:
        with open_tree(source) as tree, damage_as_errors():
            return test(tree)
    except Damaged:
        return False


def text_of(value: Any) -> Optional[str]:
    """A text attribute as str, whichever of the ways of storing text wrote it; None for anything else."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return str(value) if isinstance(value, str) else None


def _attribute_value(obj: Any, name: str, attribute: Any) -> Any:
    """The value of `obj.attrs[name]`; plain numbers, of which a model has thousands, by a shorter way."""
    kind = attribute.get_type()
    if kind.get_class() not in (h5py.h5t.INTEGER, h5py.h5t.FLOAT) or attribute.shape != ():
        return obj.attrs[name]
    value = np.empty((), kind.dtype)
    attribute.read(value)
    return value[()]


class Tree:
    """One open file, its budgets and what was found remarkable on the way.

    What is read is `searched` for pickles unless it was before; `names` are what those ask for.
    """

    def __init__(self, file: Any, limits: Limits, size: int, *, searched: bool = True) -> None:
        self._search = searched
        self.file = file
        self.limits = limits
        self.size = size
        self.findings: list[Finding] = []
        self.names: list[GlobalRef] = []
        self._budget = Budget()
        self._searched: set[tuple[str, int]] = set()
        self._seen: set[int] = {self.address(file)}
        self._unread: set[str] = set()
        self._checked: dict[int, bool] = {}
        self._objects = 0
        self._pieces: list[Piece] = []

    @property
    def complete(self) -> bool:
        """Whether everything was read: no budget ran out and nothing was left out."""
        return not self._unread

    def report(self, code: str, detail: str, obj: Any = None) -> None:
        """Add a finding, with the address of the object's header in the file as its offset."""
        if code not in _READ_ANYWAY:
            self._unread.add(code)
        if len(self.findings) < self.limits.findings:
            self.findings.append(finding(code, detail, None if obj is None else self.address(obj)))

    @staticmethod
    def address(obj: Any) -> int:
        """Byte offset of the object's header: its identity in the file."""
        return int(h5py.h5o.get_info(obj.id).addr)

    def members(self, group: Any) -> Iterator[Member]:
        """The links of a group by name. Objects met before and links that lead away are reported, not entered."""
        count = len(group)
        if count > self.limits.members:
            self.report("limit", f"{group.name} has {count} members; only {self.limits.members} are read", group)
        for position, name in enumerate(group):
            if position >= self.limits.members:
                return
            found = self._member(group, name)
            if found is not None:
                yield found

    def _member(self, group: Any, name: str) -> Optional[Member]:
        link = group.id.links.get_info(os.fsencode(name)).type
        if link != h5py.h5l.TYPE_HARD:
            return self._link(group, name)
        self._objects += 1
        if self._objects > self.limits.objects:
            self.report("limit", f"more than {self.limits.objects} objects; the rest was not read")
            return None
        obj = group[name]
        address = self.address(obj)
        if address in self._seen:
            place = f"{group.name.rstrip('/')}/{name}"
            self.report("hdf5-hard-link", f"{place} is a second name of an object that has a place already", obj)
            return None
        self._seen.add(address)
        if isinstance(obj, h5py.Dataset):
            self._search_dataset(obj, address)
            return Member(name, "dataset", obj)
        return Member(name, "group" if isinstance(obj, h5py.Group) else "type", obj)

    def _link(self, group: Any, name: str) -> Member:
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.SoftLink):
            return Member(name, "soft", link.path)
        target = f"{link.filename}:{link.path}"
        self.report("hdf5-external-link", f"{group.name.rstrip('/')}/{name} leads to another file: {target}")
        return Member(name, "external", target)

    def walk(self, group: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
        """Every group and dataset below `group`, parents first, as (path, object). Soft links are reported."""
        if depth > self.limits.depth:
            self.report("limit", f"{group.name} lies deeper than {self.limits.depth} levels", group)
            return
        for member in self.members(group):
            if member.kind == "soft":
                self.report("hdf5-link", f"{group.name.rstrip('/')}/{member.name} points at {member.target}")
            elif member.kind in ("group", "dataset"):
                yield member.target.name, member.target
                if member.kind == "group":
                    yield from self.walk(member.target, depth + 1)

    def search(self) -> None:
        """Look for pickles in every object and attribute that was not read yet, so that none of the file is left."""
        self._search_attributes(self.file, self.address(self.file))
        count = itertools.count(1)

        def visit(path: bytes, info: Any) -> Optional[bool]:
            if next(count) > self.limits.objects:
                self.report("limit", f"more than {self.limits.objects} objects; the rest was not searched")
                return True
            if ("attributes", info.addr) not in self._searched or ("dataset", info.addr) not in self._searched:
                obj = self.file[path]
                self._search_attributes(obj, info.addr)
                if isinstance(obj, h5py.Dataset):
                    self._search_dataset(obj, info.addr)
            return None

        h5py.h5o.visit(self.file.id, visit, info=True)

    def _search_attributes(self, obj: Any, address: int) -> None:
        if ("attributes", address) not in self._searched:
            self.attributes(obj)

    def _search_dataset(self, dataset: Any, address: int) -> None:
        """Check a dataset, and look for pickles in what it holds."""
        if self.check_dataset(dataset) and self._search and ("dataset", address) not in self._searched:
            for data in bytes_in_dataset(dataset):
                self._judge(data, f"{dataset.name}", dataset)
        self._searched.add(("dataset", address))

    def _search_value(self, obj: Any, name: str, value: Any) -> None:
        if not self._search:
            return
        if is_object_atom(name, value):
            self.report(
                "nested-pickle", f"{obj.name} holds pickled Python objects, which PyTables and pandas load", obj
            )
        if isinstance(value, (str, bytes, np.void, np.ndarray)):
            for data in bytes_in_value(value):
                self._judge(data, f"the attribute {name!r} of {obj.name}", obj)

    def _judge(self, data: bytes, place: str, obj: Any) -> None:
        """Walk bytes that could be a pickle, and keep what they name if they are one."""
        walked = walk_inside(MemorySource(data), place, self._budget)
        if walked is not None:
            self.report("nested-pickle", f"{place} holds {len(data)} bytes that are a pickle", obj)
            for each in walked.findings:
                self.report(each.code, each.detail, obj)
            self.names.extend(walked.names)

    def check_dataset(self, dataset: Any) -> bool:
        """Whether a dataset can be read safely; reports external storage, virtual ones, filters, shape bombs, once."""
        address = self.address(dataset)
        if address not in self._checked:
            faults = list(self._faults(dataset))
            for code, detail in faults:
                self.report(code, f"{dataset.name} {detail}", dataset)
            self._checked[address] = not faults
            if not faults:
                self._note(dataset)
        return self._checked[address]

    def _note(self, dataset: Any) -> None:
        """Keep where a large array of plain numbers lies in one piece."""
        offset, length = dataset.id.get_offset(), int(dataset.nbytes or 0)
        if offset is None or dataset.chunks is not None or length < RAW_FROM:
            return
        dtype = dataset.dtype
        if dtype.kind in "biufcV" and not dtype.hasobject and dataset.id.get_type().get_size() == dtype.itemsize:
            self._pieces.append(Piece(offset, offset, length, DATASET))

    def plan(self) -> LoadPlan:
        """Where the large arrays lie that were met so far, but for those that share bytes."""
        pieces: list[Piece] = []
        here = 0
        for piece in sorted(self._pieces)[:MAX_PIECES]:
            if piece.offset >= here and piece.offset + piece.length <= self.size and not self.file.userblock_size:
                pieces.append(piece)
                here = piece.offset + piece.length
        return LoadPlan(tuple(pieces))

    def _faults(self, dataset: Any) -> Iterator[tuple[str, str]]:
        plist = dataset.id.get_create_plist()
        if plist.get_external_count():
            names = [plist.get_external(position)[0] for position in range(plist.get_external_count())]
            yield (
                "hdf5-external-storage",
                f"takes its values from other files: {b', '.join(names).decode('utf-8', 'replace')}",
            )
            return
        if plist.get_layout() == h5py.h5d.VIRTUAL:
            yield "hdf5-virtual", "is put together from other datasets or files"
            return
        stored, declared = dataset.id.get_storage_size(), int(dataset.nbytes or 0)
        if declared > _BOMB_FROM and declared > _BOMB_RATIO * max(1, stored):
            yield "hdf5-shape-bomb", f"announces {declared} bytes and holds {stored}"
        if stored > self.size:
            yield "array-size", f"announces {stored} stored bytes in a file of {self.size}"
        for position in range(plist.get_nfilters()):
            number = plist.get_filter(position)[0]
            if not _filter_available(number):
                name = _PLUGINS.get(number) or _FILTERS.get(number) or f"filter {number}"
                yield "hdf5-filter", f"is compressed with {name}: needs hdf5plugin"

    def attributes(self, obj: Any) -> dict[str, Any]:
        """The attributes of an object, each read whole but capped; what is too large is reported and left out."""
        found: dict[str, Any] = {}
        count = h5py.h5a.get_num_attrs(obj.id)
        self._searched.add(("attributes", self.address(obj)))
        if count > self.limits.members:
            self.report("limit", f"{obj.name} has {count} attributes; none was read", obj)
            return found
        for position in range(count):
            attribute = h5py.h5a.open(obj.id, index=position)
            name = attribute.name.decode("utf-8", "surrogateescape")
            if self._attribute_fits(obj, name, attribute):
                value = found[name] = _attribute_value(obj, name, attribute)
                self._search_value(obj, name, value)
        return found

    def versions(self) -> dict[str, str]:
        """The versions of libraries that the writer of one of our own layouts put among the root's attributes."""
        keys = [key for key in self.file.attrs if key.startswith("version ")]
        return {key[8:]: text_of(self.attribute(self.file, key)) or "" for key in keys}

    def attribute(self, obj: Any, name: str) -> Any:
        """One attribute, or None where there is none or it is too large."""
        fits = name in obj.attrs and self._attribute_fits(obj, name, obj.attrs.get_id(name))
        return obj.attrs[name] if fits else None

    def _attribute_fits(self, obj: Any, name: str, attribute: Any) -> bool:
        kind = attribute.get_type()
        family = kind.get_class()
        count = attribute.get_space().get_simple_extent_npoints()
        variable = family == h5py.h5t.VLEN or (family == h5py.h5t.STRING and kind.is_variable_str())
        fits = count <= self.limits.attribute_texts if variable else True
        if fits and count * kind.get_size() <= self.limits.attribute_bytes:
            return True
        self.report("limit", f"the attribute {name} of {obj.name} is too large to be read", obj)
        return False

    def texts(self, dataset: Any) -> Optional[list[str]]:
        """The strings of a one-dimensional dataset, within the budgets of count and length; else None."""
        if dataset.ndim != 1 or h5py.check_string_dtype(dataset.dtype) is None or not self.check_dataset(dataset):
            return None
        if dataset.shape[0] > self.limits.texts:
            self.report("limit", f"{dataset.name} has {dataset.shape[0]} strings, too many to be read", dataset)
            return None
        found: list[str] = []
        budget = self.limits.text_bytes
        for start in range(0, dataset.shape[0], 1024):
            part = [text_of(item) or "" for item in dataset[start : start + 1024]]
            budget -= sum(map(len, part))
            if budget < 0:
                self.report("limit", f"{dataset.name} holds too much text to be read", dataset)
                return None
            found.extend(part)
        return found

    def array_info(self, dataset: Any, name: str) -> ArrayInfo:
        """Shape, dtype and size in memory of a dataset, from its header alone."""
        dtype = dataset.dtype
        text = "str" if h5py.check_string_dtype(dtype) is not None else dtype.str if dtype.names else str(dtype)
        return ArrayInfo(name, tuple(map(int, dataset.shape or ())), text, int(dataset.nbytes or 0))
