"""HDF5 files: the project's own layout of a fitted estimator, plain lists of weights, and whatever else they hold."""

from __future__ import annotations

from backends.core.format import Format, later

__all__ = ["FORMATS", "MAGIC", "SUFFIXES", "starts"]

MAGIC = b"\x89HDF\r\n\x1a\n"
SUFFIXES = (".h5", ".hdf5", ".he5", ".keras")


def starts(head: bytes) -> bool:
    """Whether a superblock stands where one may: at the start, or behind a user block."""
    return MAGIC in (head[:8], head[512:520], head[1024:1032], head[2048:2056])


FORMATS = (
    Format(
        name="hdf5",
        suffix=".h5",
        implementation="backends.formats.hdf5.own",
        title="an HDF5 file",
        suffixes=SUFFIXES,
        promises=(".h5", ".hdf5", ".he5", ".hd5"),
        magic=(MAGIC,),
        starts=starts,
        sniff=later("backends.formats.hdf5.own:is_own"),
        order=10,
        compressed=True,
        content="hdf5",
        convertible=True,
        holds_objects=True,
        imports=(
            "backends.formats.hdf5.own",
            "backends.formats.hdf5.tree",
            "backends.formats.hdf5.decode",
            "h5py",
        ),
    ),
    Format(
        name="hdf5-weights",
        suffix=".h5",
        implementation="backends.formats.hdf5.weights",
        title="a list of weights in HDF5",
        suffixes=SUFFIXES,
        starts=starts,
        sniff=later("backends.formats.hdf5.weights:is_weights"),
        order=13,
        compressed=True,
        content="hdf5",
        holds_objects=True,
    ),
    Format(
        name="hdf5-data",
        suffix=".h5",
        implementation="backends.formats.hdf5.data",
        title="arrays in HDF5",
        suffixes=SUFFIXES,
        starts=starts,
        order=14,
        compressed=True,
        content="hdf5",
        not_loadable="this HDF5 file holds arrays but no model: name it as data (--data) instead",
    ),
)
