"""Models that were encoded as text or passed through text on their way: which, and how they are brought back.

Only the first bytes are decoded, to see whether a model starts there.
"""

from __future__ import annotations

import base64
import binascii
import quopri
import re
import shlex
from collections.abc import Callable, Iterator
from typing import Optional

from backends.core import compression as compressions
from backends.core.containers import ZIP_MAGIC, container
from backends.core.descriptors import title_of

_LEAST_LINES = 4
_LEAST_BYTES = 12
"""Fewer bytes than this announce compressions by chance."""
_ENOUGH = 4096
_BASE64 = re.compile(r"[A-Za-z0-9+/_-][A-Za-z0-9+/_\s-]{15,}={0,2}\s*\Z")
_HEX = re.compile(r"(?:0x)?[0-9A-Fa-f\s]{16,}\Z")
_DUMP = re.compile(r"0{8}: ((?:[0-9a-f]{2,4} ){1,16})")
_BASE32 = re.compile(r"[A-Z2-7\s]{16,}=*\s*\Z")
_QUOTED = re.compile(r"=[0-9A-F]{2}")
_BYTES = re.compile(r"b(['\"])(.*)", re.DOTALL)
_JSON_TEXT = re.compile(r"\"((?:[A-Za-z0-9+/_-]|\\/|\\n){40,}={0,2})")
_DATA = re.compile(r"data:[\w./+;=-]*;base64,")
_UU = re.compile(r"begin [0-7]{3} [^\n]*\n")
_ARMOUR = re.compile(r"-----BEGIN [A-Z0-9 ]+-----\s+(?:[\w-]+: .*\n)*\s*")
_ASCII85 = re.compile(r"(?:<~)?[!-uz\s]{16,}")


def encoded_model(data: bytes, text: Optional[str], name: str) -> Optional[str]:
    """Form of a model that these first bytes of a file are, as text (`text`) or after a detour through text; None for
    anything else."""
    if text is not None:
        file, before = shlex.quote(name or "FILE"), ""
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            file, before = "text", f"iconv -f utf-16 -t utf-8 {file} > text; "
        for how, decoded, command in _decoded(text, file):
            kind = _kind(decoded) or _archive(decoded)
            if kind:
                return f"{kind} {how}: decode it with `{before}{command}`"
    return _through_text(data)


def is_translated(data: bytes) -> bool:
    """Whether every line feed in these bytes follows a carriage return, as after a copy in text mode."""
    feeds = data.count(b"\n")
    return feeds >= _LEAST_LINES and feeds == data.count(b"\r\n")


def _decoded(text: str, file: str) -> Iterator[tuple[str, bytes, str]]:
    """Each reading of a text as encoded bytes: how it is encoded, its first bytes, the command that decodes all."""
    text = text[:_ENOUGH].lstrip("\ufeff \r\n")
    armour, data, quoted = _ARMOUR.match(text), _DATA.match(text), _BYTES.match(text)
    inside = _JSON_TEXT.search(text) if text[:1] in '{["' else None
    if armour:
        yield (
            "in base64 between PEM lines",
            _base64(text[armour.end() :]),
            f"grep -v -- ----- {file} | base64 -d > model",
        )
    if _DUMP.match(text):
        yield "as a dump of hexadecimal digits", _undumped(text), f"xxd -r {file} model"
    if _HEX.match(text):
        yield "as hexadecimal digits", _hex(text), f"xxd -r -p {file} model"
    if _BASE64.match(text):
        first = f"tr -- -_ +/ < {file} | base64 -d" if re.search("[-_]", text) else f"base64 -d {file}"
        yield "in base64", _base64(text), f"{first} > model"
    if data:
        yield "in base64, as a data URL", _base64(text[data.end() :]), f"cut -d, -f2 {file} | base64 -d > model"
    if inside:
        plain = inside[1].replace("\\/", "/").replace("\\n", "")
        yield "in base64, as a text in JSON", _base64(plain), f"jq -r .KEY {file} | base64 -d > model"
    if _UU.match(text):
        yield "uuencoded", _uu(text), f"uudecode -o model {file}"
    if quoted:
        yield "as Python shows bytes, b'...'", _literal(quoted[2]), "ast.literal_eval in Python"
    if _QUOTED.search(text[:200]):
        yield "in quoted-printable", quopri.decodestring(text.encode()), f"python3 -m quopri -d {file} > model"
    if _BASE32.match(text):
        yield "in base32", _base32(text), f"base32 -d {file} > model"
    if _ASCII85.match(text):
        yield "in base85", _base85(text), "base64.b85decode in Python"
        yield "in ASCII85", _ascii85(text), "base64.a85decode in Python"


def _base64(text: str) -> bytes:
    plain = re.sub(r"[^A-Za-z0-9+/]", "", text.replace("-", "+").replace("_", "/").partition("=")[0])
    return base64.b64decode(plain[: len(plain) // 4 * 4])


def _hex(text: str) -> bytes:
    plain = re.sub(r"\s|0x", "", text)
    return bytes.fromhex(plain[: len(plain) // 2 * 2])


def _base32(text: str) -> bytes:
    plain = re.sub(r"[\s=]", "", text)
    return base64.b32decode(plain[: len(plain) // 8 * 8])


def _undumped(text: str) -> bytes:
    lines = (line.partition(": ")[2].partition("  ")[0] for line in text.splitlines()[:-1] or [text])
    return _hex("".join(re.sub(r"[^0-9a-f]", "", line) for line in lines))


def _uu(text: str) -> bytes:
    found = b""
    for line in text.split("\n")[1:]:
        try:
            found += binascii.a2b_uu(line)
        except binascii.Error:
            break
    return found


def _literal(text: str) -> bytes:
    return (
        text[: _ENOUGH - 8]
        .encode("latin-1", "replace")
        .decode("unicode_escape", "replace")
        .encode("latin-1", "replace")
    )


def _base85(text: str) -> bytes:
    plain = "".join(text.split())
    try:
        return base64.b85decode(plain[: len(plain) // 5 * 5])
    except ValueError:
        return b""


def _ascii85(text: str) -> bytes:
    plain = "".join(text.removeprefix("<~").split()).partition("~")[0]
    try:
        return base64.a85decode(plain[: len(plain) // 5 * 5])
    except ValueError:
        return b""


def _kind(data: bytes) -> Optional[str]:
    """The model format that these bytes begin."""
    if data.startswith(ZIP_MAGIC):
        return "a zip archive"
    title = title_of(data)
    if title is not None:
        return title
    opened = _opened(data)
    return f"{_kind(opened)} in {compressions.compression_of(data)}" if opened and _kind(opened) else None


def _opened(data: bytes) -> Optional[bytes]:
    """The first bytes inside a compression that these start; None where there is none, or it cannot be opened."""
    compression = compressions.compression_of(data) if len(data) >= _LEAST_BYTES else None
    return compressions.open_head(data, compression) if compression else None


def _archive(data: bytes) -> Optional[str]:
    """Which other archive these bytes start, in a compression or not."""
    opened = _opened(data)
    kind = container(data if opened is None else opened)
    return f"an archive ({kind}{f' in {compressions.compression_of(data)}' if opened else ''})" if kind else None


def _through_text(data: bytes) -> Optional[str]:
    """A model whose bytes were decoded as text and encoded again somewhere on its way."""
    kept: tuple[tuple[Callable[[], bytes], str], ...] = (
        (lambda: _again(data, "utf-8", "latin-1"), "latin-1"),
        (lambda: _again(data, "utf-8", "cp1252"), "cp1252"),
        (lambda: _again(data, "utf-16", "latin-1"), "latin-1"),
    )
    for read, encoding in kept:
        kind = _kind(read())
        if kind:
            return (
                f"{kind} whose bytes were read as text ({encoding}) and written as another: copy or save it again in"
                " binary mode (open(path, 'wb'))"
            )
    if data.startswith(b"\x89HDF") and not data.startswith(b"\x89HDF\r\n\x1a\n"):
        return "an HDF5 file whose line ends were changed, as by a copy in text mode: copy it again in binary mode"
    bare = data.lstrip(b"\r\n\t ")
    if len(bare) < len(data) and _kind(bare):
        return (
            f"{_kind(bare)} behind white space: `tail -c +{len(data) - len(bare) + 1}` cuts off what was written before"
        )
    if data.startswith(b"\xef\xbb\xbf") and _kind(data[3:]):
        return (
            f"{_kind(data[3:])} behind a byte order mark that a text editor wrote: copy or save it again in binary mode"
        )
    if re.match(rb"\xef\xbf\xbd(?:[\x00-\x05](?:\xef\xbf\xbd|[\x00-\x7f])|HDF\r?\n|NUMPY)", data):
        return (
            "a model that was read as UTF-8 text, which lost the bytes that are none (now U+FFFD): they cannot be"
            " brought back; copy or save it again in binary mode (open(path, 'wb'))"
        )
    return None


def _again(data: bytes, written: str, read: str) -> bytes:
    try:
        return data[:_ENOUGH].decode(written, "ignore").encode(read, "replace")
    except UnicodeError:
        return b""
