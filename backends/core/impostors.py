"""Files that stand where a model should: pointers of tools that keep the model elsewhere, error pages saved in place,
a model that was encoded, encrypted or read as text, and other kinds of files under a model's name.

Each is told by its first bytes, and the sentence says what to do. Nothing here raises but OSError.
"""

from __future__ import annotations

import re
from typing import Optional

from backends.core.impostors_encoded import encoded_model
from backends.core.impostors_text import AGAIN, text_kind
from backends.core.source import Source

_LOOK = 1 << 16
_ENDS = 4096
_LONGEST_POINTER = 8192
_NO_TEXT = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f-\x9f]")
_LFS = re.compile(r"version https?://[\w./-]*(?:git-l(?:fs|media)|hawser)")
_LFS_OID = re.compile(r"^oid (\w+:[0-9a-f]{32,128})\s*$", re.MULTILINE)
_LFS_SIZE = re.compile(r"^size (\d+)\s*$", re.MULTILINE)
_CONFLICT = re.compile(r"<{7} .*\n(?:.*\n)*?={7}(?:\n|\r)")
_ANNEX = re.compile(r"(?:[^\n]*[/\\])?annex[/\\]objects[/\\](?:[^\n]*[/\\])?([A-Z0-9_]+-(?:\w+-)*-\S+)\s*")
_DVC = re.compile(r"^outs:", re.MULTILINE)
_DVC_DIGEST = re.compile(r"^[- \t]*(md5|etag|checksum):\s*[\"']?([\w.-]+)", re.MULTILINE)
_DVC_SIZE = re.compile(r"^[- \t]*size:\s*(\d+)", re.MULTILINE)
_DVC_PATH = re.compile(r"^[- \t]*path:\s*(\S.*?)\s*$", re.MULTILINE)
_FAT = re.compile(r"#\$# git-fat ([0-9a-f]{40})\s+(\d+)\s*\Z")
_XET = re.compile(r"# xet version \S+\s+filesize = (\d+)\s+hash = '(\w+)'\s*\Z")
_BIGSTORE = re.compile(r"bigstore\s+(\w+)\s+([0-9a-f]{32,})\s*\Z")
_PATH = re.compile(r"(?!\w+=)(?:\.{1,2}|~)?/?(?:[^\s/:<>{}\"']+/)+[^\s/:<>{}\"']+\Z|(?:[A-Za-z]:|\\)\\\S+\Z")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/{1,3}[^\s/]\S*\Z")
_TITLE = re.compile(r"<title[^>]*>\s*(.{1,200}?)\s*</title", re.DOTALL | re.IGNORECASE)
_HTML = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*<(?:!doctype html|html|head|body|script|meta)\b",
    re.DOTALL | re.IGNORECASE,
)
_XML_ERROR = re.compile(r"\s*(?:<\?xml[^>]*>\s*)?<(?:\w+:)?Error(?:Response)?[\s>].*?<Code>([^<]{1,80})<", re.DOTALL)
_XML_TEXT = re.compile(r"<Message>([^<]{1,200})<")


_ANSWER = re.compile(
    r"(?:HTTP/\S+ )?(?:\d{3}:? )?(?:(?:entry |repository |file |object )?not found|access denied|access to model"
    r"|forbidden|unauthorized|invalid (?:username|credentials)|bad (?:credentials|gateway|request)|too many requests"
    r"|no such|error\b|internal server error|service unavailable|gateway time-?out)",
    re.IGNORECASE,
)
_FAILED = re.compile(
    r"\s*(?:Traceback \(most recent call last\):|(?:-?(?:ba|z|da|fi)?sh|curl|wget|scp|sftp|ssh|rsync|aws|gsutil|git"
    r"|python[\d.]*|fatal|gzip|tar|unzip|cat|cp): )"
)
_CHECKSUM = r"(?:[0-9a-fA-F]{32,128}(?: [ *][^\r\n]+)?|\w+ \([^\r\n]+\) = [0-9a-fA-F]{32,128})"
_CHECKSUMS = re.compile(rf"{_CHECKSUM}(?:\r?\n{_CHECKSUM})*\s*\Z")
_LONGEST_ANSWER = 2048

_SQLITE = b"SQLite format 3\0"
_SCHEMA = 2 << 20
"""How far into a database its tables are looked for."""
_REGISTRY = (
    "the registry of MLflow (an SQLite database): it says where models lie, mlruns/EXPERIMENT/models/m-ID/artifacts;"
    " have those directories in the store"
)
_MAGICS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "a PDF document"),
    (b"\x89PNG\r\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"\x7fELF", "a program or library (ELF)"),
    (b"PAR1", "a parquet table: data, not a model"),
    (b"ARROW1", "a feather table: data, not a model"),
    (b"ORC", "an ORC table: data, not a model"),
    (b"Obj\x01", "an Avro table: data, not a model"),
    (_SQLITE, "an SQLite database"),
    (b"MATLAB 5.0 MAT-file", "a MATLAB file: scipy.io.loadmat reads it"),
    (b"RDX", "data of R: load it in R, and export the model there"),
    (b"RDA", "data of R: load it in R, and export the model there"),
    (b"X\n\0\0\0", "a data set of R (RDS): readRDS reads it, in R"),
    (b"\xac\xed\0\x05", "a serialized Java object, as Weka and Spark write: load it there and export the model"),
    (b"\xca\xfe\xba\xbe", "a Java class or a macOS program"),
    (b"\0\x05\x16\x07", "the attributes that macOS keeps beside a file (AppleDouble): remove it"),
    (b"b0VIM", "a swap file of Vim: the text of a file that is edited, not a model"),
    (
        b"bplist00",
        "a property list of macOS, such as iCloud leaves for a file that is not downloaded: open it there once",
    ),
    (b"\x4c\0\0\0\x01\x14\x02\0", "a Windows shortcut: copy the file that it leads to"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a Microsoft Office document"),
    (b"Salted__", "a file encrypted by openssl enc: decrypt it first (openssl enc -d)"),
    (b"\0GITCRYPT\0", "a file encrypted by git-crypt: run `git-crypt unlock` in the repository"),
    (b"$ANSIBLE_VAULT;", "a file encrypted by Ansible Vault: run `ansible-vault decrypt` on it"),
    (b"-----BEGIN PGP MESSAGE", "a file encrypted by PGP: decrypt it first (gpg --decrypt)"),
    (b"!<symlink>", "a symbolic link that was written as a file: copy the file that it leads to"),
    (b"[Desktop Entry]", "a shortcut of a desktop: copy the file that it leads to"),
    (b"[InternetShortcut]", "a link to a web page: download the file that it leads to"),
)

_WRAPPED: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (
        re.compile(rb"HTTP/[\d.]+ \d{3}[ \r\n]"),
        "an answer of a web server with its headers before the file: download it without them (curl without -i)",
    ),
    (
        re.compile(rb"--[^\r\n]{1,80}\r?\nContent-Disposition:", re.IGNORECASE),
        "an upload form as it was sent, with the file as a part of it: save that part alone",
    ),
    (
        re.compile(rb"(?:blob|tree|commit|tag) \d+\0"),
        "an object out of a git repository: `git cat-file -p` and its name write what is in it",
    ),
)
"""Files that stand in something around them."""


def impostor(source: Source, head: bytes) -> Optional[str]:
    """Kind of a file that holds no model, and what to do; None where that is unknown. `head` are its first bytes, out
    of a compression where it is in one. Raises OSError.
    """
    if not head.strip(b"\0"):
        return _only_zeros(source)
    for magic, words in _MAGICS:
        if head.startswith(magic):
            return _REGISTRY if magic == _SQLITE and _is_registry(source) else words
    whole = source.read(0, _LOOK)
    data = whole if whole[:64] == head[:64] else head
    text = _text(data)
    if text is None:
        return (
            _wrapped(data)
            or encoded_model(data, None, source.name)
            or _latin_text(data, whole=len(data) >= source.size)
        )
    return (
        encoded_model(data, text, source.name)
        or pointer(text)
        or _error_page(text)
        or _wrapped(data)
        or text_kind(text, whole=len(data) >= source.size)
    )


def _is_registry(source: Source) -> bool:
    """Whether an SQLite database has the tables of MLflow's registry of models. Raises OSError."""
    data = source.read(0, _SCHEMA)
    return all(name in data for name in (b"alembic_version", b"registered_models", b"model_versions"))


def pointer(text: str) -> Optional[str]:
    """The file that a pointer stands for, and the command that brings it; None where the text is no pointer."""
    readings = (_conflict, _lfs, _annex, _dvc, _others) if len(text) < _LONGEST_POINTER else ()
    return next((words for read in readings if (words := read(text))), None)


def _text(data: bytes) -> Optional[str]:
    """These bytes as text, where they are some: UTF-8, or UTF-16 with its mark."""
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        if len(data) < _LOOK or error.start < len(data) - 4:
            return None
        text = data[: error.start].decode(encoding, "ignore")
    return None if _NO_TEXT.search(text) else text


def _latin_text(data: bytes, whole: bool) -> Optional[str]:
    """The kind of a text in one byte a character; None for bytes that are none."""
    text = data.decode("latin-1")
    letters = sum(char.isascii() for char in text)
    return text_kind(text, whole) if not _NO_TEXT.search(text) and letters > 0.8 * len(text) else None


def _wrapped(data: bytes) -> Optional[str]:
    """The wrapping around a file that begins with these bytes: how it was sent or stored."""
    return next((words for pattern, words in _WRAPPED if pattern.match(data)), None)


def _only_zeros(source: Source) -> Optional[str]:
    if source.read(max(0, source.size - _ENDS), _ENDS).strip(b"\0"):
        return None
    return (
        "zero bytes alone, at its start and its end: room was made for it and never filled, as after a broken download"
        " or a crash; bring it again from where it was made"
    )


def _size(count: str) -> str:
    return f"{int(count[:20]):,} bytes"


def _lfs(text: str) -> Optional[str]:
    if _LFS.match(text) is None:
        return None
    oid, size = _LFS_OID.search(text), _LFS_SIZE.search(text)
    known = f"{_size(size[1])} with {oid[1]}" if oid and size else "itself cut off or changed, so check it out again"
    return f"a git-lfs pointer (`git lfs pull` brings the file): {known}"


def _conflict(text: str) -> Optional[str]:
    if _CONFLICT.match(text) is None:
        return None
    first = _LFS.search(text) and ", then `git lfs pull`"
    return (
        "both sides of a conflict that git left here: take one (`git checkout --ours` or `--theirs`, then the file's"
        f" name){first or ''}"
    )


def _annex(text: str) -> Optional[str]:
    found = _ANNEX.match(text)
    if found is None:
        return None
    size = re.search(r"-s(\d+)", found[1])
    of = f"{_size(size[1])} with " if size else ""
    return f"a git-annex pointer (`git annex get` brings the file): {of}the key {found[1][:200]}"


def _dvc(text: str) -> Optional[str]:
    found = _DVC.search(text)
    text = text[found.start() :] if found else ""
    digest = _DVC_DIGEST.search(text)
    if digest is None:
        return None
    size, path = _DVC_SIZE.search(text), _DVC_PATH.search(text)
    of = f"{_size(size[1])} with " if size else ""
    stands = f"{path[1][:200]}, " if path else ""
    return f"a DVC pointer (`dvc pull` brings the file): {stands}{of}{digest[1]} {digest[2]}"


def _others(text: str) -> Optional[str]:
    fat, xet, big = _FAT.match(text), _XET.match(text), _BIGSTORE.match(text)
    if fat:
        return f"a git-fat pointer (`git fat pull` brings the file): {_size(fat[2])} with sha1 {fat[1]}"
    if xet:
        return f"a Xet pointer (`git xet checkout` brings the file): {_size(xet[1])} with hash {xet[2][:80]}"
    if big:
        return f"a git-bigstore pointer (`git bigstore pull` brings the file): {big[1]} {big[2]}"
    line = text.strip()
    if _PATH.match(line):
        return f"the path of a file, as a symbolic link becomes where links cannot be kept: copy {line[:200]} here"
    if _ADDRESS.match(line):
        return f"an address: download what is at {line[:200]}"
    return None


def _error_page(text: str) -> Optional[str]:
    """An answer of a server that somebody saved in place of the file."""
    wrong = _XML_ERROR.match(text)
    if wrong:
        message = _XML_TEXT.search(text)
        said = f": {' '.join(message[1].split())}" if message else ""
        return f"an error answer of a storage service ({wrong[1]}{said}), {AGAIN}"
    if "<ListBucketResult" in text[:500]:
        return "a listing of a bucket: name the object itself, and download that"
    if _HTML.match(text):
        title = _TITLE.search(text)
        about = f' ("{" ".join(title[1].split())}")' if title else ""
        return f"an HTML page{about}, {AGAIN}"
    if len(text) < _LONGEST_ANSWER and _FAILED.match(text):
        return f'what a program said when it failed ("{" ".join(text.split())[:80]}"): run again what makes the file'
    if len(text) < _LONGEST_ANSWER and _CHECKSUMS.match(text):
        return "a checksum of a file, not the file: bring that one"
    if len(text) < _LONGEST_ANSWER and _ANSWER.match(text.strip()):
        return f'an error answer ("{" ".join(text.split())[:80]}"), {AGAIN}'
    return None
