"""The numbers of the tensors in PyTorch's files, without PyTorch."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from math import prod
from typing import Any

from backends.core.errors import Damaged
from backends.core.numbers import numbers
from backends.core.source import Source
from backends.core.zip_rules import member_source, open_zip
from backends.formats.pickle.values import Value
from backends.formats.pickle.walk import Walk, walk
from backends.formats.torch.contents import contents_of
from backends.formats.torch.storages import Storages, Tensors

OLD_STREAMS = 5
"""Pickles of a file before 1.6: magic number, protocol, system, object, keys of its storages."""


def arrays_in(source: Source, root: str) -> Iterator[tuple[str, Any]]:
    """The tensors of an archive by their places; views are laid out anew. Raises Damaged, OSError."""
    with open_zip(source) as archive:
        storages = Storages(5)
        walked = walk(member_source(source, archive, f"{root}data.pkl"), persistent=storages)

        def at(key: str) -> tuple[Source, int]:
            return member_source(source, archive, f"{root}data/{key}"), 0

        yield from _laid_out(walked, walked.roots[0] if walked.roots else None, storages, at)


def arrays_of_old(source: Source) -> Iterator[tuple[str, Any]]:
    """The same of a file before 1.6, whose numbers follow its pickles in the order of their keys."""
    storages = Storages(6)
    walked = walk(source, streams=OLD_STREAMS, persistent=storages)
    if len(walked.roots) < OLD_STREAMS or type(walked.roots[-1]) is not list:
        raise Damaged("the keys of its storages are missing")
    places, offset = dict[str, int](), walked.end
    for key in walked.roots[-1]:
        storage = storages.found.get(key) if type(key) is str else None
        if storage is None or int.from_bytes(source.read(offset, 8), "little") != storage.count:
            raise Damaged("a storage is not what the pickle says of it")
        places[key] = offset + 8
        offset += 8 + storage.count * storage.itemsize
    yield from _laid_out(walked, walked.roots[3], storages, lambda key: (source, places[key]))


def _laid_out(
    walked: Walk, root: Value, storages: Storages, at: Callable[[str], tuple[Source, int]]
) -> Iterator[tuple[str, Any]]:
    np = importlib.import_module("numpy")
    tensors = Tensors()
    contents = contents_of(root, tensors)
    if tensors.outside or not walked.complete:
        raise Damaged("its tensors reach beyond their numbers, or its pickle was not read to its end")
    for view in contents.views:
        count = storages.found[view.key].count
        found = numbers(*at(view.key), count, view.info.dtype)
        if found is None or len(found) != count:
            continue
        if not prod(view.info.shape):
            yield view.info.name, found[:0]
            continue
        strides = [stride * found.itemsize for stride in view.strides]
        shown = np.lib.stride_tricks.as_strided(found[view.offset :], view.info.shape, strides, writeable=False)
        yield view.info.name, np.ascontiguousarray(shown).ravel()
