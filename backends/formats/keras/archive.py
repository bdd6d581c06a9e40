"""The members of a `.keras` archive, bounded: sizes and ratios are checked before anything is unpacked."""

from __future__ import annotations

import zipfile
from dataclasses import replace

from backends.core.descriptors import named
from backends.core.errors import Damaged
from backends.core.findings import finding
from backends.core.format import LoadedModel
from backends.core.inspection import Inspection
from backends.core.source import Source
from backends.core.zip_inside import inspect_members
from backends.core.zip_rules import check_contents, check_members, member_source, open_zip, read_member

_MAX_TEXT = 64 * 1024 * 1024
_TEXTS = ("config.json", "metadata.json")
_WEIGHTS = ("model.weights.h5", "model.weights.npz")


def sniff(head: bytes, source: Source) -> bool:
    """Whether it is a zip with a configuration and the metadata of Keras."""
    try:
        with source.file() as raw, zipfile.ZipFile(raw) as archive:
            return {"config.json", "metadata.json"} <= set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False


def inspect(source: Source) -> Inspection:
    """Layers, shapes, training configuration and weights. Raises Damaged, OSError."""
    from backends.formats.keras.models import inspect_archive  # needs h5py, which telling zip archives apart does not

    return inspect_archive(*_read(source))


def load(source: Source, at: str = "") -> LoadedModel:
    """The model, built by Keras. Raises Damaged, NotLoadable, and what Keras raises."""
    from backends.formats.keras.running import load_archive

    return load_archive(source, inspect(source), at)


def _read(source: Source) -> tuple[str, str, Inspection]:
    """The texts of `config.json` and `metadata.json`, and the facts of the weights. Raises Damaged, OSError."""
    with open_zip(source) as archive:
        findings = [*check_members(source, archive), *check_contents(archive)]
        others = [info for info in archive.infolist() if info.filename not in (*_TEXTS, *_WEIGHTS)]
        for info in others:
            if not info.filename.startswith("assets/"):
                detail = f"nothing reads the member {info.filename[:200]!r}"
                findings.append(finding("unread-member", detail, info.header_offset))
        inside = inspect_members(source, archive, others)
        findings.extend(inside.findings)
        config, metadata = _text(archive, "config.json"), _text(archive, "metadata.json")
        name = next((each for each in _WEIGHTS if each in archive.namelist()), None)
        if name is None:
            findings.append(finding("malformed", "the archive holds no model.weights.h5 and no model.weights.npz"))
            weights = Inspection(format="keras")
        else:
            reader = named("keras-weights" if name.endswith("h5") else "npz")
            weights = reader.inspect(member_source(source, archive, name))
    return (
        config,
        metadata,
        replace(
            weights,
            format="keras",
            names=(*weights.names, *inside.names),
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
