"""Bytes of a data file as text: a compression around it is opened, its encoding found, what is no text is named."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import re
import zipfile
import zlib
from typing import IO, Any, Optional

from backends.core.errors import Refusal
from backends.core.source import Source
from console.worker.child.data.foreign import foreign, foreign_archive, members_of
from console.worker.child.data.options import say

BYTES_CAP = 4 << 30
_BLOCK = 1 << 20
_RARELY = 4
"""One of so many signs beyond ASCII in a text of single bytes looks like UTF-8 at most."""
_TRIED = ("utf-8", "cp1252")
_BEYOND_ASCII, _ESCAPED = re.compile("[^\0-\x7f]"), re.compile("[\udc80-\udcff]")
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Text:
    """The text of a file, opened from the start as often as it is asked for; `around` is the compression outside it."""

    def __init__(self, source: Source, around: Optional[str], member: Optional[str]) -> None:
        self._source = source
        self.around = around
        self._member = member
        self.encoding = ""
        self.said = ""
        """Who tells the encoding; "" where it was found by decoding."""

    def raw(self) -> IO[bytes]:
        """The bytes inside the compression, from the start."""
        file = self._source.file()
        if self.around == "gzip":
            return _Bounded(self._source, gzip.GzipFile(fileobj=file))
        if self.around == "bz2":
            return _Bounded(self._source, bz2.BZ2File(file))
        if self.around in ("xz", "lzma"):
            return _Bounded(self._source, lzma.LZMAFile(file))
        if self.around == "zip":
            return _Bounded(self._source, zipfile.ZipFile(file).open(str(self._member)))
        return file

    def lines(self) -> io.TextIOWrapper:
        """The lines, ends untouched."""
        return io.TextIOWrapper(self.raw(), self.encoding, newline="")

    def try_next(self, error: UnicodeError) -> None:
        """Take the next encoding after one that the text turned out not to be in. Raises Refusal where none is left."""
        if self.said:
            reason = getattr(error, "reason", error)
            raise bad(self._source, f"is not {self.encoding}, as {self.said}: {reason}")
        line = _line_of_a_wrong_byte(self) if self.encoding == _TRIED[0] else 0
        if line:
            what = f"is UTF-8 but for some bytes, first in line {line}: write that line anew in UTF-8"
            raise bad(self._source, f"{what}; if all of it is in another encoding, {say('encoding', _TRIED[1])}")
        at = _TRIED.index(self.encoding) + 1
        if at == len(_TRIED):
            said = say("encoding", "shift_jis")
            raise bad(self._source, f"is neither UTF-8 nor cp1252: {said}, for example")
        self.encoding = _TRIED[at]


class _Bounded(io.BufferedReader):
    """A decompressing file that may give so many bytes and no more."""

    def __init__(self, source: Source, file: Any) -> None:
        super().__init__(_Counted(source, file), _BLOCK)


class _Counted(io.RawIOBase):
    def __init__(self, source: Source, file: Any) -> None:
        self._source = source
        self._file = file
        self._given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._file.read(len(buffer))
        except (OSError, EOFError, lzma.LZMAError, zlib.error, zipfile.BadZipFile, RuntimeError) as error:
            raise bad(self._source, f"cannot be decompressed: {error}") from None
        self._given += len(data)
        if self._given > BYTES_CAP:
            raise bad(self._source, f"unpacks to more than {BYTES_CAP} bytes, which is the limit")
        buffer[: len(data)] = data
        return len(data)


def _line_of_a_wrong_byte(text: Text) -> int:
    """The line of the first byte that is none of UTF-8, where others beyond ASCII are whole signs of it; else 0."""
    decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
    line, whole, wrong, first = 1, 0, 0, 0
    with text.raw() as file:
        while block := file.read(_BLOCK):
            found = decode(block)
            escaped = [sign.start() for sign in _ESCAPED.finditer(found)]
            if escaped and not first:
                first = line + found.count("\n", 0, escaped[0])
            line += found.count("\n")
            wrong += len(escaped)
            whole += len(_BEYOND_ASCII.findall(found)) - len(escaped)
    return first if whole * _RARELY >= wrong else 0


def bad(source: Source, what: str, code: str = "bad-input") -> Refusal:
    """The refusal of this file."""
    return Refusal(code, f"{source.name or 'the data file'} {what}")


def open_text(source: Source, encoding: Optional[str] = None, *, head: bool = False) -> Text:
    """The text of a file. Raises Refusal for what is no text, with the byte and line where that shows.

    With `head` only the beginning is looked at: what is no text behind it shows as it is read (see `Text.try_next`).
    """
    around, member = _around(source)
    text = Text(source, around, member)
    with text.raw() as file:
        beginning = file.read(_BLOCK)
    found = encoding or _from_head(beginning)
    readable = not found or found.startswith("utf-8")
    other = foreign(beginning if readable else beginning.decode(str(found), "replace").encode())
    if other:
        raise bad(source, f"{f'holds in its {around} what ' if around else ''}{other}")
    says = "read.encoding (--read encoding) says" if encoding else "its first bytes say"
    text.said = says if found else ""
    if not found:
        _refuse_zeros(source, text, head=head)
    text.encoding = found or _TRIED[0]
    while (error := _undecodable(text, head=head)) is not None:
        text.try_next(error)
    return text


def peek(source: Source, encoding: Optional[str], size: int = 4096) -> str:
    """The first characters of a file, whatever is right of them. Raises Refusal for what cannot be unpacked."""
    text = Text(source, *_around(source))
    with text.raw() as file:
        head = file.read(size)
    return head.decode(encoding or _from_head(head) or "utf-8", "replace").lstrip("\ufeff")


def _around(source: Source) -> tuple[Optional[str], Optional[str]]:
    head = source.read(0, 8)
    if head.startswith(b"\x1f\x8b"):
        return "gzip", None
    if head.startswith(b"BZh"):
        return "bz2", None
    if head.startswith(b"\xfd7zXZ\0"):
        return "xz", None
    if head.startswith(b"\x5d\0\0") and head[5:].strip(b"\xff\0\x01") != head[5:]:
        return "lzma", None
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        try:
            with zipfile.ZipFile(source.file()) as archive:
                members = [one.filename for one in members_of(archive)]
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise bad(source, f"cannot be read as npz or zip: {error}") from None
        other = foreign_archive(members)
        if other:
            raise bad(source, other)
        if len(members) != 1:
            raise bad(source, f"is a zip archive of {len(members)} files: unpack it and name the one that is the table")
        return "zip", members[0]
    return None, None


def _from_head(head: bytes) -> Optional[str]:
    """The encoding that a byte order mark, or a zero in every other byte, tells."""
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name
    even, odd = head[0:4096:2], head[1:4096:2]
    if len(head) >= 4 and odd.count(0) > 0.4 * len(odd) and not even.count(0):
        return "utf-16-le"
    if len(head) >= 4 and even.count(0) > 0.4 * len(even) and not odd.count(0):
        return "utf-16-be"
    return None


def _refuse_zeros(source: Source, text: Text, *, head: bool) -> None:
    at, line = 0, 1
    with text.raw() as file:
        while block := file.read(_BLOCK):
            zero = block.find(b"\0")
            if zero >= 0:
                where = f"byte 0 at {at + zero}, line {line + block.count(10, 0, zero)}"
                kinds = "csv, jsonl, parquet, feather, npy, npz, HDF5"
                raise bad(source, f"is no table this console reads: {where} ({kinds})")
            if head:
                return
            at, line = at + len(block), line + block.count(10)


def _undecodable(text: Text, *, head: bool) -> Optional[UnicodeError]:
    """Why the file, or its beginning, is not text in its encoding; None where it is."""
    try:
        with text.lines() as file:
            while file.read(_BLOCK) and not head:
                pass
    except UnicodeError as error:
        return error
    return None
