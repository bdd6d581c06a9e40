"""Which backend reads a file: by content, never by its name. Modules are imported when they are needed."""

from __future__ import annotations

import importlib
import os
from dataclasses import replace
from typing import Any, Optional

from backends import envelopes, hdf5_frame, pickle_heads, pickle_probe, pickle_walk, torch_names
from backends.base import Backend, Damaged, Foreign, Inspection, LoadedModel, NoModel, Source, Unopened, Unsupported
from backends.containers import CLOSED, IMAGE, TAIL, container, is_image, may_hold_archive, zip_record
from backends.encoded import encoded
from backends.findings import KINDS, finding
from backends.foreign import foreign_format, missing_bytes, promised_format
from backends.impostors import impostor, unpickling_error
from backends.translated import translated
from backends.unfilled import unfilled, unfilled_from

__all__ = [
    "FORMATS",
    "backend",
    "identify",
    "inspect",
    "inspect_inside",
    "is_worth_opening",
    "load",
    "may_hold_model",
    "save",
    "suffix",
    "suffixes",
]

HEAD = 4096
_MAX_DEPTH = 5
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
NPY_MAGIC = b"\x93NUMPY"
ZIP_MAGIC = b"PK\x03\x04"

_PICKLES = ("joblib", "pickle")

_MODULES: dict[str, str] = {
    "pickle": "backends.pickles",
    "joblib": "backends.joblibs",
    "npy": "backends.arrays",
    "npz": "backends.arrays",
    "hdf5": "backends.hdf5",
    "hdf5-weights": "backends.hdf5_weights",
    "keras-h5": "backends.keras",
    "keras-weights": "backends.keras",
    "keras": "backends.keras",
    "hdf5-data": "backends.hdf5_data",
    "torch": "backends.torch_files",
    "archive": "backends.archives",
}
"""Format name to module; a module lists its backends in `BACKENDS`."""

FORMATS: tuple[str, ...] = tuple(_MODULES)

_SUFFIXES: dict[str, tuple[str, ...]] = {
    "pickle": (".pkl", ".pickle", ".p", ".pck", ".sav", ".joblib", ".jbl", ".model", ".bin", ".dat", ".z"),
    "npy": (".npy",),
    "npz": (".npz",),
    "hdf5": (".h5", ".hdf5", ".he5", ".keras"),
    "zip": (".zip", ".npz", ".keras"),
    "torch": (".pt", ".pth", ".bin", ".ckpt", ".tar", ".model", ".zip", ".pkl", ".pickle"),
    "archive": (".zip", ".tar", ".model", ".bin", ".dat", ".z", ".ckpt"),
}
"""Extensions that are honest for each family of formats; any other known model extension is a mismatch."""

_KNOWN_SUFFIXES = frozenset(suffix for suffixes in _SUFFIXES.values() for suffix in suffixes) | frozenset(
    (".onnx", ".safetensors", ".tflite", ".pb", ".gguf", ".txt", ".json", ".csv")
)
_COMPRESSION_SUFFIXES = (".gz", ".bz2", ".xz", ".lzma", ".lz4", ".zlib")

_MODEL_MEMBERS = (b".npy", b"metadata.json", b"config.json", b"model.weights", b"data.pkl")
"""What stands near the start of an archive of arrays, of Keras or of PyTorch."""


def backend(name: str) -> Backend:
    """The backend of this format. Raises Unsupported for a name that is not in FORMATS."""
    module = _MODULES.get(name)
    if module is None:
        raise Unsupported(f"no backend is called '{name}'; known formats: {', '.join(FORMATS)}")
    try:
        backends = importlib.import_module(module).BACKENDS
    except ModuleNotFoundError as error:
        raise Unsupported(f"reading {name} needs the Python package {error.name}, which is not installed") from None
    for candidate in backends:
        if candidate.name == name:
            found: Backend = candidate
            return found
    raise Unsupported(f"the module {module} does not read '{name}'")


def _family(head: bytes, compression: Optional[str] = None) -> tuple[str, ...]:
    """Names of the formats whose first bytes these can be, most particular first."""
    if compression == "zfile":
        return _PICKLES
    if HDF5_MAGIC in (head[:8], head[512:520], head[1024:1032], head[2048:2056]):
        return ("hdf5", "keras-h5", "keras-weights", "hdf5-weights", "hdf5-data")
    if head.startswith(NPY_MAGIC):
        return ("npy",)
    if head.startswith(ZIP_MAGIC):
        return ("torch", "npz", "keras")
    if pickle_heads.looks_like_pickle(head):
        return ("torch", "joblib", "pickle") if torch_names.is_legacy(head) else _PICKLES
    return ()


def _family_of(source: Source, head: bytes, compression: Optional[str]) -> tuple[str, ...]:
    """The same for a whole file: whatever nothing else claims is a pickle if an unpickler would find a name in it."""
    family = _family(head, compression)
    return _PICKLES if not family and pickle_probe.is_pickle(source) else family


def identify(source: Source) -> Backend:
    """The backend that reads this file. Raises Unsupported when none does, OSError."""
    compression, head = envelopes.peek(source, HEAD)
    for name in _family_of(source, head, compression):
        candidate = backend(name)
        if candidate.sniff(head, source):
            return candidate
    kind = container(head) or ("iso9660" if is_image(source.read(*IMAGE)) else None)
    if kind in CLOSED:
        raise Unopened(f"an archive ({kind}) that cannot be opened here: unpack it, and inspect what was in it")
    if kind is not None or (compression is None and _zip_record(source) is not None):
        return backend("archive")
    foreign = foreign_format(head)
    if foreign is not None:
        if compression is None and (missing := missing_bytes(source, head)):
            raise Damaged(f"a model in {foreign} format that is cut off: {missing}", offset=source.size)
        raise Foreign(f"a model in {foreign} format, which this console does not read yet")
    raise _unsupported(source, compression, head)


def inspect(source: Source) -> Inspection:
    """Identify and inspect; adds what only the whole file tells (a misleading name, two formats at once).

    Raises Damaged, Unsupported, OSError.
    """
    compression, head = envelopes.peek(source, HEAD)
    family = _family_of(source, head, compression)
    if family == _PICKLES:
        inspection = unfilled(source, translated(source, backend("pickle").inspect(source)))
        known = encoded(source, inspection)
        if known is not None:
            raise NoModel(f"not a model but {known}")
    else:
        try:
            inspection = identify(source).inspect(source)
        except Damaged as error:
            found = unfilled_from(source) if compression is None else None
            if found is None:
                raise
            raise Damaged(f"{found.detail} ({error})", offset=found.offset) from None
        except ModuleNotFoundError as error:
            raise Unsupported(f"reading this format needs the Python package {error.name}") from None
    extra, names = [], inspection.names
    mismatch = _mismatch(source.name, inspection.format, family)
    if mismatch:
        hides = inspection.format in ("pickle", "joblib") and not source.name.lower().endswith((".pt", ".pth", ".zip"))
        extra.append(finding("disguised-pickle" if hides else "extension-mismatch", mismatch, 0))
    if compression is None and family[:1] == ("hdf5",):
        extra.extend(hdf5_frame.surroundings(source))
    alone = compression is None and inspection.format != "archive" and not head.startswith(ZIP_MAGIC)
    record = _zip_record(source) if alone else None
    if record is not None:
        extra.append(finding("polyglot", f"{inspection.format} that is also a zip archive", record))
    also = pickle_walk.walk_inside(source, "read as a pickle") if compression is None and family != _PICKLES else None
    if also is not None and inspection.format != "torch":
        extra.extend((finding("polyglot", f"{inspection.format} that is also a pickle", 0), *also.findings))
        names += also.names
    return replace(inspection, names=names, findings=inspection.findings + tuple(extra)) if extra else inspection


def inspect_inside(source: Source, place: str) -> Optional[Inspection]:
    """The inspection of bytes that stand inside another file, whatever they are; None where nothing reads them.

    Every name says `place`. What is merely broken in there is no finding: the file around it is whole. Raises OSError.
    """
    if source.depth >= _MAX_DEPTH:
        found = finding("limit", f"{place} lies inside {source.depth} other files: it was not looked at", 0)
        return Inspection("", findings=(found,))
    source.name = ""
    source.depth += 1
    try:
        inspection = inspect(source)
    except Unsupported:
        return None
    except Damaged as error:
        return Inspection("", findings=(finding("unread-member", f"{place} cannot be read: {error}", 0),))
    names = tuple(replace(use, place=f"{place}, {use.place}" if use.place else place) for use in inspection.names)
    findings = tuple(each for each in inspection.findings if KINDS[each.code] not in ("damaged", "note"))
    return replace(inspection, names=names, findings=findings)


def load(source: Source, format: str, at: str = "") -> LoadedModel:  # noqa: A002
    """Build the model in this process (a sandboxed worker). Raises what the backend and the model's code raise."""
    return backend(format).load(source, at)


def save(model: Any, format: str, fd: int, **options: Any) -> None:  # noqa: A002
    """Write `model` in this format to the open, empty, writable and seekable `fd`. Raises NotLoadable, OSError."""
    backend(format).save(model, fd, **options)


def suffix(format: str) -> str:  # noqa: A002
    """The extension of new files of this format, with its dot. Raises Unsupported."""
    return backend(format).suffix


def suffixes(format: str) -> tuple[str, ...]:  # noqa: A002
    """The extensions under which files of this format are looked for. Raises Unsupported."""
    family = "pickle" if format in _PICKLES else format
    return _SUFFIXES.get(family, (suffix(format),))


def may_hold_model(head: bytes, size: Optional[int] = None) -> bool:
    """Whether a file with these first bytes (up to 4 KiB) is worth inspecting; cheap, and never wrong by silence.

    Compressed data whose first bytes cannot be opened from the head alone counts as a maybe. Of a file whose `size` is
    not known, text that begins like a pickle with an argument of half a gigabyte is taken for text.
    """
    compression = envelopes.sniff(head)
    if compression == "zfile":
        return True
    if compression is not None:
        opened = envelopes.open_head(head, compression)
        return opened is None or _worth_inspecting(opened, pickle_probe.LIKELY)
    return _worth_inspecting(head, len(head) if len(head) < HEAD else size)


def is_worth_opening(head: bytes, size: Optional[int] = None) -> bool:
    """Whether a scan has to look into a file with these first bytes (up to 4 KiB): an archive may hold a model, too."""
    compression = envelopes.sniff(head)
    if compression in ("zlib", "lzma") and envelopes.open_head(head, compression) is None:
        opened, damaged = envelopes.opened_until(head, compression)
        if damaged:
            return _worth_inspecting(opened, None) or container(opened) is not None
    return may_hold_model(head, size) or may_hold_archive(head) or foreign_format(head) is not None


def _worth_inspecting(head: bytes, size: Optional[int]) -> bool:
    """Whether these uncompressed bytes can be a model; most zip archives are something else."""
    if head.startswith(ZIP_MAGIC):
        return any(member in head for member in _MODEL_MEMBERS)
    return bool(_family(head)) or pickle_probe.may_name(head, size)


def _mismatch(name: str, format_name: str, family: tuple[str, ...]) -> str:
    extension = _extension(name)
    kind = format_name if format_name in ("torch", "npz", "keras", "archive") else family[0]
    group = {"joblib": "pickle", "keras": "zip"}.get(kind, kind)
    if extension not in _KNOWN_SUFFIXES or extension in _SUFFIXES[group]:
        return ""
    content = {"pickle": "pickle", "archive": "an archive: unpack it, and load what was in it"}.get(group, group)
    return f"named {extension}, but the content is {content}"


def _extension(name: str) -> str:
    """The extension that tells what a file is, under that of a compression."""
    stem, extension = os.path.splitext(name.lower())
    return os.path.splitext(stem)[1] if extension in _COMPRESSION_SUFFIXES else extension


def _zip_record(source: Source) -> Optional[int]:
    """Where a zip reader would find its directory record: in the last 64 KiB; None where it would find none."""
    tail_at = max(0, source.size - TAIL)
    at = zip_record(source.read(tail_at, TAIL))
    return None if at is None else tail_at + at


def _unsupported(source: Source, compression: Optional[str], head: bytes) -> Unsupported:
    """What there is to say of a file in no known format, and what unpicklers say of it where that is all they say."""
    inside = f" inside {compression} compression" if compression else ""
    pickles = not source.name or _extension(source.name) not in _KNOWN_SUFFIXES.difference(_SUFFIXES["pickle"])
    error = unpickling_error(head) if pickles and not compression else None
    python = f" (pickle says: {error})" if error else ""
    if not source.size:
        return NoModel(f"the file is empty: its bytes never came, so bring it again from where it was made{python}")
    if compression and not head:
        return NoModel(f"the {compression} stream is damaged or cut off before its first block ends: bring it again")
    twice = envelopes.sniff(head) if compression else None
    if twice:
        return NoModel(f"compressed twice ({twice} in {compression}), which no reader undoes by itself: unpack it once")
    known = impostor(source, head)
    if known is not None:
        return NoModel(f"not a model{inside} but {known}{python}")
    found = f"no known model format{inside}: it starts with {head[:8].hex(' ')}{python}"
    promised = promised_format(source.name)
    return Unsupported(
        f"{found} (its name promises {promised}, which this console does not read yet)" if promised else found
    )
