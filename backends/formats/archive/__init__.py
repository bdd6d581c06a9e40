"""Archives of files, be they in a compression: shown and judged by what is in them."""

from __future__ import annotations

from typing import Optional

from backends.core.containers import CLOSED, IMAGE, ZIP_MAGIC, container, is_image, zip_record_in
from backends.core.errors import Unopened
from backends.core.findings import finding
from backends.core.format import Format
from backends.core.inspection import Inspection
from backends.core.source import Source


def _nothing(head: bytes) -> bool:
    """An archive is whatever no other format claims; whether it holds a model tells its inspection."""
    return False


def _is_archive(source: Source, head: bytes, compression: Optional[str]) -> bool:
    """Whether it is an archive that can be opened. Raises Unopened for one that cannot."""
    kind = container(head) or ("iso9660" if is_image(source.read(*IMAGE)) else None)
    if kind in CLOSED:
        raise Unopened(f"an archive ({kind}) that cannot be opened here: unpack it, and inspect what was in it")
    return kind is not None or (compression is None and zip_record_in(source) is not None)


def _also_zip(source: Source, head: bytes, name: str) -> Optional[Inspection]:
    """A zip archive behind the start of a file in the format `name`."""
    record = None if head.startswith(ZIP_MAGIC) else zip_record_in(source)
    if record is None:
        return None
    return Inspection("archive", findings=(finding("polyglot", f"{name} that is also a zip archive", record),))


FORMATS = (
    Format(
        name="archive",
        suffix=".zip",
        implementation="backends.formats.archive.archives",
        title="an archive",
        suffixes=(".zip", ".tar", ".model", ".bin", ".dat", ".z", ".ckpt"),
        starts=_nothing,
        fallback=_is_archive,
        also=_also_zip,
        order=90,
        compressed=True,
        content="an archive: unpack it, and load what was in it",
        not_loadable="this file is an archive: unpack it, and load the models that were in it one by one",
    ),
)
