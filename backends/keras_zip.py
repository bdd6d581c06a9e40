"""The members of a `.keras` archive, bounded: sizes and ratios are checked before anything is unpacked."""

from __future__ import annotations

import contextlib
import os
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from backends.base import Damaged, Inspection, Source
from backends.envelopes import FREE_BYTES, MAX_RATIO
from backends.findings import finding
from backends.registry import backend
from backends.zip_rules import check_members, open_zip, read_member

__all__ = ["Archive", "inspect_archive"]

_MAX_TEXT = 64 * 1024 * 1024
_MAX_UNPACKED = 1024 * 1024 * 1024
_WEIGHTS = ("model.weights.h5", "model.weights.npz")


class Archive(NamedTuple):
    """The texts of `config.json` and `metadata.json`, and what the weights inside hold."""

    config: str
    metadata: str
    weights: Inspection


class _Window(Source):
    """A stretch of another source, as a source of its own."""

    def __init__(self, whole: Source, start: int, size: int) -> None:
        super().__init__(whole.fd, whole.name, size)
        self._start = start

    def read(self, offset: int, length: int) -> bytes:
        length = max(0, min(length, self.size - offset))
        data = os.pread(self.fd, length, self._start + offset) if length else b""
        self.bytes_read += len(data)
        return data


def inspect_archive(source: Source) -> Archive:
    """Read an archive's parts without Keras. Raises Damaged for what no zip reader could open, OSError."""
    with open_zip(source) as archive:
        findings = check_members(source, archive)
        config, metadata = _text(archive, "config.json"), _text(archive, "metadata.json")
        name = next((each for each in _WEIGHTS if each in archive.namelist()), None)
        if name is None:
            findings.append(finding("malformed", "the archive holds no model.weights.h5 and no model.weights.npz"))
            weights = Inspection(format="keras")
        else:
            reader = backend("keras-weights" if name.endswith("h5") else "npz")
            with _member(source, archive, name) as member:
                weights = reader.inspect(member)
    return Archive(
        config,
        metadata,
        replace(
            weights,
            format="keras",
            loadable=False,
            complete=weights.complete and not findings,
            findings=(*findings, *weights.findings),
        ),
    )


def _text(archive: zipfile.ZipFile, name: str) -> str:
    if name not in archive.namelist():
        raise Damaged(f"the archive holds no {name}")
    data = read_member(archive, archive.getinfo(name), _MAX_TEXT + 1)
    if len(data) > _MAX_TEXT:
        raise Damaged(f"{name} in the archive is larger than {_MAX_TEXT} bytes")
    return data.decode("utf-8", "replace")


@contextlib.contextmanager
def _member(source: Source, archive: zipfile.ZipFile, name: str) -> Iterator[Source]:
    """A member as a source: in place where it is stored as it is, else unpacked into memory under a cap."""
    info = archive.getinfo(name)
    if info.compress_type == zipfile.ZIP_STORED:
        header = source.read(info.header_offset, 30)
        start = (
            info.header_offset + 30 + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        )
        if info.file_size != info.compress_size or start + info.file_size > source.size:
            raise Damaged(f"{name} reaches beyond the end of the archive")
        yield _Window(source, start, info.file_size)
        return
    fd = _unpacked(archive, info)
    try:
        yield Source(fd, name)
    finally:
        os.close(fd)


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> int:
    limit = min(_MAX_UNPACKED, max(FREE_BYTES, MAX_RATIO * info.compress_size))
    data = read_member(archive, info, limit + 1)
    if len(data) > limit:
        raise Damaged(f"{info.filename} unpacks to more than {limit} bytes")
    fd = os.memfd_create("member", os.MFD_CLOEXEC)
    with os.fdopen(os.dup(fd), "wb") as out:
        out.write(data)
    return fd
