"""The project's own HDF5 format: a fitted scikit-learn estimator without pickle (layout in `hdf5_layout`)."""

from __future__ import annotations

import time
from typing import Any

from backends.base import Backend, Damaged, Inspection, LoadedModel, NotLoadable, Source, resolve

__all__ = ["BACKENDS", "Hdf5"]


class Hdf5:
    """Backend of the project's own HDF5 layout."""

    name = "hdf5"
    suffix = ".h5"

    def sniff(self, head: bytes, source: Source) -> bool:
        """Whether the root group carries our format marker."""
        from backends.hdf5_nodes import is_own_layout
        from backends.hdf5_tree import damage_as_errors, open_tree

        try:
            with open_tree(source) as tree, damage_as_errors():
                return is_own_layout(tree)
        except Damaged:
            return False

    def inspect(self, source: Source) -> Inspection:
        """Facts from headers and attributes alone. Raises Damaged, OSError."""
        from backends.hdf5_inspect import inspect_own
        from backends.hdf5_tree import damage_as_errors, open_tree

        with open_tree(source) as tree, damage_as_errors():
            return inspect_own(tree)

    def load(self, source: Source, at: str = "") -> LoadedModel:
        """Build the estimator; only names on the allow-list are imported.

        Raises Damaged, NotLoadable, and what the classes' own code raises.
        """
        from backends.hdf5_decode import Decoder
        from backends.hdf5_nodes import read_model
        from backends.hdf5_tree import open_tree

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
        return LoadedModel(resolve(model, at), self.name, at, phases)

    def save(self, model: Any, fd: int, **options: Any) -> None:
        """Write `model`; `compression="gzip"` makes it smaller, but then nothing can be mapped into memory.

        Raises NotLoadable for what the layout cannot hold, OSError.
        """
        from backends.hdf5_encode import Encoder
        from backends.hdf5_layout import FORMAT, LAYOUT
        from backends.hdf5_write import create, library_versions

        with create(fd) as file:
            file.attrs["format"], file.attrs["layout"] = FORMAT, LAYOUT
            for library, version in library_versions().items():
                file.attrs[f"version {library}"] = version
            Encoder(options.get("compression")).write(file, "model", model)


BACKENDS: tuple[Backend, ...] = (Hdf5(),)
