"""The numbers of the tensors in an archive of PyTorch, without PyTorch."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from math import prod
from typing import Any

from backends.core.errors import Damaged
from backends.core.numbers import numbers
from backends.core.source import Source
from backends.core.zip_rules import member_source, open_zip
from backends.formats.pickle.walk import walk
from backends.formats.torch.contents import contents_of
from backends.formats.torch.storages import Storages, Tensors


def arrays_in(source: Source, root: str) -> Iterator[tuple[str, Any]]:
    """The tensors by their places in the module tree; views are laid out anew. Raises Damaged, OSError."""
    np = importlib.import_module("numpy")
    with open_zip(source) as archive:
        storages, tensors = Storages(5), Tensors()
        walked = walk(member_source(source, archive, f"{root}data.pkl"), persistent=storages)
        contents = contents_of(walked.roots[0] if walked.roots else None, tensors)
        if tensors.outside or not walked.complete:
            raise Damaged("its tensors reach beyond their numbers, or its pickle was not read to its end")
        for view in contents.views:
            count = storages.found[view.key].count
            found = numbers(member_source(source, archive, f"{root}data/{view.key}"), 0, count, view.info.dtype)
            if found is None or len(found) != count:
                continue
            if not prod(view.info.shape):
                yield view.info.name, found[:0]
                continue
            strides = [stride * found.itemsize for stride in view.strides]
            laid_out = np.lib.stride_tricks.as_strided(found[view.offset :], view.info.shape, strides, writeable=False)
            yield view.info.name, np.ascontiguousarray(laid_out).ravel()
