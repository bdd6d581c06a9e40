"""Which format a file is in: by content, never by its name. The code of a format is imported when it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any, Optional

from backends.core import compression as compressions
from backends.core import third_party
from backends.core.containers import container, is_zip, may_hold_archive
from backends.core.descriptors import built_in
from backends.core.descriptors import named as named
from backends.core.errors import Damaged, Foreign, Unsupported
from backends.core.findings import KINDS, finding
from backends.core.foreign import PROMISING_SUFFIXES, foreign_format
from backends.core.format import HEAD, LIKELY, Format, LoadedModel
from backends.core.inspection import Finding, Inspection
from backends.core.refusal import extension_of, known_suffixes, refusal
from backends.core.source import Source
from backends.core.unfilled import unfilled_from

_MAX_DEPTH = 5


def identify(source: Source) -> Format:
    """The format of this file. Raises Unsupported when there is none, OSError."""
    compression, head = _peek(source)
    for family in _families(source, head, compression):
        for candidate in family:
            if candidate.is_it(head, source):
                return candidate
    raise _unsupported(source, head, compression)


def _families(source: Source, head: bytes, compression: Optional[str]) -> Iterator[tuple[Format, ...]]:
    """Formats that the file may be in, those that its first bytes can be before those that look through all of it."""
    own = [each for each in built_in() if compression in each.compressions]
    meant = own or [each for each in built_in() if each.may_be(head)]
    by_head = [each for each in meant if not each.vague] or meant
    yield tuple(each for each in by_head if compression is None or each.compressed)
    asked: list[Any] = []
    for each in built_in():
        if each.fallback is not None and each.fallback not in asked:
            asked.append(each.fallback)
            if each.fallback(source, head, compression):
                yield tuple(other for other in built_in() if other.fallback is each.fallback)
    if compression is not None and by_head:
        raise Unsupported(f"{by_head[0].title} inside {compression} compression: unpack it, and inspect what was in it")


def inspect(source: Source) -> Inspection:
    """Identify and inspect; adds what only the whole file tells (a misleading name, two formats at once).

    A file that no format of the console reads is shown to those of other distributions, in a process that may import
    them. Raises Damaged, Unsupported, OSError.
    """
    try:
        return _inspect(source)
    except Unsupported as error:
        others = third_party.formats()
        found = _inspect_elsewhere(source, others.found)
        if found is not None:
            return found
        if others.problems:
            raise type(error)(f"{error}; {'; '.join(others.problems)}") from None
        raise


def _inspect(source: Source) -> Inspection:
    compression, head = _peek(source)
    found, family = _decided(source, head, compression)
    inspection = _inspect_as(found, source, compression)
    extra, names = [], inspection.names
    mismatch = _mismatch(source.name, named(inspection.format))
    if mismatch is not None:
        extra.append(mismatch)
    for also in readings_as_others(source, head, found, family, inspection.format) if compression is None else ():
        extra.extend(also.findings)
        names += also.names
    return replace(inspection, names=names, findings=inspection.findings + tuple(extra)) if extra else inspection


def readings_as_others(
    source: Source, head: bytes, found: Format, family: tuple[Format, ...], name: str
) -> Iterator[Inspection]:
    """The findings of readers of other formats in a file, which is in that of this name: of others than the one that
    read it and those that it may be taken for."""
    for other in reversed(built_in()):
        if other.also is None or other in family or other.name in found.includes:
            continue
        also = other.also(source, head, name)
        if also is not None:
            yield also


def _decided(source: Source, head: bytes, compression: Optional[str]) -> tuple[Format, tuple[Format, ...]]:
    """The format that is to inspect the file, and those it may be taken for. Raises Unsupported, Damaged, OSError."""
    for family in _families(source, head, compression):
        for candidate in family:
            if candidate.decides or candidate.is_it(head, source):
                return candidate, family
    raise _unsupported(source, head, compression)


def _inspect_as(found: Format, source: Source, compression: Optional[str]) -> Inspection:
    """The inspection by this format; what broke the file is told where zero bytes alone did."""
    try:
        return found.inspect(source)
    except Damaged as error:
        zeros = unfilled_from(source) if compression is None and not found.decides else None
        if zeros is None:
            raise
        raise Damaged(f"{zeros.detail} ({error})", offset=zeros.offset) from None


def _inspect_elsewhere(source: Source, formats: tuple[Format, ...]) -> Optional[Inspection]:
    """The inspection by a format of another distribution, marked as such; None where none of them reads the file."""
    head = source.read(0, HEAD)
    for each in formats:
        try:
            if not (each.may_be(head) and each.is_it(head, source)):
                continue
            found = each.inspect(source)
            known = tuple(item for item in found.findings if item.code in KINDS)
            complete = found.complete and len(known) == len(found.findings)
        except (Damaged, Unsupported, OSError):
            raise
        except Exception as error:  # code of others: whatever it raises is one sentence
            reason = f"{type(error).__name__}: {error}".splitlines()[0][:200]
            raise Unsupported(f"the format '{each.name}' of another distribution failed on it: {reason}") from None
        mark = finding("third-party-format", f"read by the format '{each.name}' of another distribution", 0)
        return replace(found, format=each.name, complete=complete, findings=(mark, *known))
    return None


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
    """Build the model in this process (a sandboxed worker). Raises what the format and the model's code raise."""
    return named(format).load(source, at)


def save(model: Any, format: str, fd: int, **options: Any) -> None:  # noqa: A002
    """Write `model` in this format to the open, empty, writable and seekable `fd`. Raises NotLoadable, OSError."""
    named(format).save(model, fd, **options)


def convertible() -> tuple[str, ...]:
    """The formats that a model can be written in, as `convert --to` takes them."""
    return tuple(each.name for each in reversed(built_in()) if each.convertible)


def counts_in_bytes(format: str) -> bool:  # noqa: A002
    """Whether the offsets in an inspection of this format count from the start of the file."""
    return any(each.bytewise for each in built_in() if each.name == format)


def preloaded() -> tuple[str, ...]:
    """Modules that loading needs, which a zygote imports beforehand."""
    modules = (module for each in built_in() for module in (*each.imports, each.adapter.partition(":")[0]))
    return tuple(dict.fromkeys(filter(None, modules)))


def promised_suffixes() -> frozenset[str]:
    """Extensions that make a file worth a row even when it cannot be read."""
    return PROMISING_SUFFIXES.union(suffix for each in built_in() for suffix in each.promises)


@lru_cache(maxsize=1)
def header_suffixes() -> tuple[str, ...]:
    """Extensions of files of which the header alone is read."""
    return tuple(suffix for each in built_in() if each.of_header for suffix in each.honest_suffixes)


def promised(name: str) -> str:
    """The format that the extension of a file promises, read here; "" where it promises none of these."""
    extension = extension_of(name)
    return next((each.name for each in built_in() if extension in each.promises), "")


def may_hold_model(head: bytes, size: Optional[int] = None) -> bool:
    """Whether a file with these first bytes (up to 4 KiB) is worth inspecting; cheap, and never wrong by silence.

    Compressed data whose first bytes cannot be opened from the head alone counts as a maybe. Of a file whose `size` is
    not known, text that begins like a pickle with an argument of half a gigabyte is taken for text.
    """
    compression = _compression(head)
    if compression is None:
        return _is_worth(head, len(head) if len(head) < HEAD else size)
    if any(compression in each.compressions for each in built_in()):
        return True
    opened = compressions.open_head(head, compression)
    return opened is None or _is_worth(opened, LIKELY)


def is_worth_reading(head: bytes, size: Optional[int] = None) -> bool:
    """Whether a file in another one is worth inspecting: a zip archive always is, whose start need not name a model."""
    return may_hold_model(head, size) or is_zip(head)


def is_told(head: bytes) -> bool:
    """Whether these first bytes are those of a format that nothing else starts like."""
    return any(each.is_worth(head) for each in built_in() if not each.vague)


def is_worth_opening(head: bytes, size: Optional[int] = None) -> bool:
    """Whether a scan has to look into a file with these first bytes (up to 4 KiB): an archive may hold a model, too."""
    compression = _compression(head)
    if compression in ("zlib", "lzma") and compressions.open_head(head, compression) is None:
        opened, damaged = compressions.opened_until(head, compression)
        if damaged:
            return _is_worth(opened, None) or container(opened) is not None
    return may_hold_model(head, size) or may_hold_archive(head) or foreign_format(head) is not None


def _compression(head: bytes) -> Optional[str]:
    """The compression that first bytes announce; none where a format begins with them as they are."""
    found = compressions.compression_of(head)
    return None if found and any(each.may_be(head) for each in built_in() if not each.vague) else found


def _peek(source: Source) -> tuple[Optional[str], bytes]:
    """The compression and the first bytes inside it. Raises Damaged, Unsupported, OSError."""
    head = source.read(0, HEAD)
    return (None, head) if _compression(head) is None else compressions.peek(source, HEAD)


def _is_worth(head: bytes, size: Optional[int]) -> bool:
    return any(each.is_worth(head, size) for each in built_in())


def _mismatch(name: str, found: Format) -> Optional[Finding]:
    """The finding of a name that promises another format than that of the content."""
    extension = extension_of(name)
    if extension not in known_suffixes() or extension in found.honest_suffixes:
        return None
    hides = found.runs_code and not name.lower().endswith(found.undisguised)
    detail = f"named {extension}, but the content is {found.content or found.name}"
    return finding("disguised-pickle" if hides else "extension-mismatch", detail, 0)


def _unsupported(source: Source, head: bytes, compression: Optional[str]) -> Exception:
    """The error for a file that no format claims."""
    foreign = foreign_format(head)
    if foreign is None:
        return refusal(source, head, compression)
    return Foreign(f"a model in {foreign} format, which this console does not read yet")
