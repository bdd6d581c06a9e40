"""The project's own HDF5 format: a fitted scikit-learn estimator without pickle (layout in `layout`)."""

from __future__ import annotations

import time
from typing import Any

from backends.core.errors import Damaged, NotLoadable
from backends.core.format import LoadedModel
from backends.core.inspection import Inspection
from backends.core.places import resolve
from backends.core.source import Source
from backends.formats.hdf5.decode import Decoder
from backends.formats.hdf5.frame import surrounded
from backends.formats.hdf5.inspect import inspect_own
from backends.formats.hdf5.layout import FORMAT, LAYOUT
from backends.formats.hdf5.nodes import read_model
from backends.formats.hdf5.tree import damage_as_errors, holds, open_tree, text_of


def sniff(head: bytes, source: Source) -> bool:
    """Whether the root group carries our format marker, whichever version of the layout."""
    return holds(source, lambda tree: text_of(tree.attribute(tree.file, "format")) == FORMAT)


def inspect(source: Source) -> Inspection:
    """Facts from headers and attributes alone. Raises Damaged, OSError."""
    with open_tree(source) as tree, damage_as_errors():
        return surrounded(source, inspect_own(tree))


def load(source: Source, at: str = "") -> LoadedModel:
    """Build the estimator; only names on the allow-list are imported.

    Raises Damaged, NotLoadable, and what the classes' own code raises.
    """
    started = time.perf_counter()
    with open_tree(source) as tree:
        node = read_model(tree)
        for found in tree.findings:
            if found.code == "hdf5-filter":
                raise NotLoadable(found.detail)
            raise Damaged(f"not loaded, because {found.detail}")
        read = time.perf_counter()
        model = Decoder(node, source).build()
    phases = {"read": read - started, "build": time.perf_counter() - read}
    return LoadedModel(resolve(model, at), "hdf5", at, phases)


def save(model: Any, fd: int, **options: Any) -> None:
    """Write `model`; `compression="gzip"` makes it smaller, but then nothing can be mapped into memory.

    Raises NotLoadable for what the layout cannot hold, OSError.
    """
    from backends.formats.hdf5.encode import Encoder
    from backends.formats.hdf5.write import create, write_versions

    with create(fd) as file:
        file.attrs["format"], file.attrs["layout"] = FORMAT, LAYOUT
        write_versions(file)
        Encoder(options.get("compression")).write(file, "model", model)
