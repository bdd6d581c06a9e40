"""Files that hold no table this console reads, told by their first bytes: what they are and what helps."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from typing import Any, Optional

_SAVE = "save the table as csv or parquet"
_OPEN = "unpack it first"
_MODEL = "name a table for --data, and the model itself as the artifact"
_PRINTED = "a table as SQL clients print it, with lines of dashes"
_AS_CSV = "have it written without them (psql --csv, mysql --batch)"
_HEADS = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel file (.xls, or another of Microsoft's compound files)", _SAVE),
    (b"%PDF-", "a PDF document", _SAVE),
    (b"\x89PNG\r\n", "a PNG image", "an image is no table"),
    (b"\xff\xd8\xff", "a JPEG image", "an image is no table"),
    (b"GIF8", "a GIF image", "an image is no table"),
    (b"SQLite format 3\0", "an SQLite database", "select the rows into a csv or parquet file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _OPEN),
    (b"Rar!\x1a\x07", "a RAR archive", _OPEN),
    (b"(\xb5/\xfd", "compressed with zstd, which is not read here", "unpack it first (zstd -d)"),
    (b"\x04\x22\x4d\x18", "compressed with lz4, which is not read here", "unpack it first (lz4 -d)"),
    (b"ORC", "an ORC file", _SAVE),
    (b"Obj\x01", "an Avro file", _SAVE),
    (b"<stata_dta>", "a Stata file", _SAVE),
    (b"$FL2", "an SPSS file", _SAVE),
    (b"$FL3", "an SPSS file", _SAVE),
    (b"HEADER RECORD*******", "a SAS transport file", _SAVE),
    (b"RDX2\n", "a file of R (.RData)", _SAVE),
    (b"RDX3\n", "a file of R (.RData)", _SAVE),
    (b"X\n\0\0\0", "a file of R (.rds)", _SAVE),
    (b"MATLAB 5.0 MAT-file", "a MATLAB file", _SAVE),
    (b"GGUF", "a GGUF model file", _MODEL),
    (b"\xff\xff\xff\xff", "an Arrow stream", "write it as a file (feather) or as parquet"),
    (b"PAR1", "a parquet file", "parquet compresses itself: unpack it first"),
    (b"ARROW1", "a feather file", "feather compresses itself: unpack it first"),
    (b"\x93NUMPY", "an npy file", _OPEN),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", _OPEN),
    (b"PK\x03\x04", "a zip archive", _OPEN),
)
_PICKLES = re.compile(
    rb"\x80[\x02-\x05](?:\x95|[c}\]()K])|c(?:copy_reg|copyreg|sklearn|numpy|joblib|pandas|builtins|__builtin__)[\w.]*\n|\((?:lp|dp|i\w)\d*"
)
_ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_TEXTS = (
    (re.compile(r"<\?xml\b", re.I), "XML", _SAVE),
    (re.compile(r"<(?:!doctype html|html|head|body|table|div|meta)\b", re.I), "HTML", _SAVE),
    (re.compile(r"<[A-Za-z][\w:-]*[^<>]*>"), "XML or HTML", _SAVE),
    (re.compile(r"(?:%[^\n]*\n|\s)*@relation\b", re.I), "an ARFF file of Weka", _SAVE),
    (
        re.compile(r"[+-]?[\d.]+(?: \d+:[+-]?[\d.eE+-]+)+ *(?:#[^\n]*)?\r?\n"),
        "svmlight data (label index:value)",
        "write it as npz with scipy.sparse.save_npz",
    ),
    (re.compile(r"\s*\|[^\n]*\|\s*\n\s*\|[ :|-]+\|\s*\n"), "a table in Markdown", _SAVE),
    (re.compile(r"\+[-=+]+\+ *\r?\n *\|"), _PRINTED, _AS_CSV),
    (re.compile(r"[^\n]*\n *(?=[^\n]*--)-+(?:[+|,;\t ]+-+)+ *\r?\n"), _PRINTED, _AS_CSV),
    (re.compile(r"%%MatrixMarket"), "a Matrix Market file", "write it as npz with scipy.sparse.save_npz"),
    (re.compile(r"\{\\rtf"), "an RTF document", _SAVE),
)
_OFFICE = (("xl/", "an Excel workbook (.xlsx)"), ("word/", "a Word document"), ("ppt/", "a PowerPoint file"))


def foreign(head: bytes) -> Optional[str]:
    """The kind of a file that begins so, and what helps; None where it may be a table. Text is asked as UTF-8."""
    for start, what, helps in _HEADS:
        if head.startswith(start):
            return f"is {what}: {helps}"
    if _PICKLES.match(head):
        return f"is a pickle, which is never opened as data: {_SAVE}; or {_MODEL}"
    if head[257:262] == b"ustar":
        return f"is a tar archive: {_OPEN}"
    if head.startswith(_ZLIB) and b"\0" in head:
        return f"is compressed with zlib, as joblib's files are: {_MODEL}"
    text = head.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    return next((f"is {what}: {helps}" for shape, what, helps in _TEXTS if shape.match(text)), None)


def foreign_archive(names: Sequence[str]) -> Optional[str]:
    """The same of a zip archive with these members."""
    for folder, what in _OFFICE:
        if any(name.startswith(folder) for name in names):
            return f"is {what}: {_SAVE}"
    if "mimetype" in names and "content.xml" in names:
        return f"is an OpenDocument file, such as a spreadsheet (.ods): {_SAVE}"
    if any(name.endswith("data.pkl") for name in names):
        return f"is a model file of PyTorch: {_MODEL}"
    if {"config.json", "model.weights.h5"} <= set(names):
        return f"is a model file of Keras: {_MODEL}"
    return None


def members_of(archive: zipfile.ZipFile) -> list[Any]:
    """The files of an archive without what macOS and Windows put beside them."""
    files = [one for one in archive.infolist() if not one.is_dir()]
    hidden = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")
    return [
        one for one in files if not one.filename.startswith(hidden[0]) and one.filename.rpartition("/")[2] not in hidden
    ]
