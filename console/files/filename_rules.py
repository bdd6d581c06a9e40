"""File name rules: what a name tells of a file before anything is opened."""

from __future__ import annotations

import re
from collections.abc import Container

from backends.core import registry, third_party
from backends.core.foreign import foreign_format
from console.config import STORE_DIR

MODEL_SUFFIXES = registry.promised_suffixes()
"""Extensions that make a file worth a row even when it cannot be read, so that the operator sees why."""

NO_MODEL_SUFFIXES = frozenset(
    """
    .md .rst .csv .tsv .parquet .arrow .feather .orc .xlsx .xls .jsonl .yaml .yml .toml .ini .cfg .conf
    .env .py .pyc .pyi .ipynb .sh .c .h .cpp .hpp .rs .go .js .ts .java .so .o .a .whl .html .css .xml .svg .log
    .lock .sql .png .jpg .jpeg .gif .webp .bmp .tif .tiff .ico .pdf .wav .mp3 .flac .mp4 .mkv .avi .pem .crt .key
    .sig .asc .sha256 .md5 .tmp .part .swp .deb .rpm .db .sqlite .sqlite3 .db-wal .db-shm
    """.split()  # noqa: SIM905
)
"""Extensions that no list opens: files next to models that hold none. A scan opens them as any other."""
_TEXT_SUFFIXES = frozenset((".txt", ".json"))
"""Extensions of all sorts of text, and of models that are text."""

_AROUND = frozenset((".gz", ".bz2", ".xz", ".zst", ".lz4", ".age"))
"""Extensions of a compression, or of what is sealed: the one before tells what is inside."""
_AGE_HEADS = (b"age-encryption.org/v1\n", b"-----BEGIN AGE ENCRYPTED FILE-----")
_COPY = re.compile(
    r"(?:\.(?:bak|backup|old|orig|prev|save|copy|\d{1,14}|\d{4}-\d\d-\d\d[\w:.-]*|part|partial|crdownload|download|filepart"
    r"|dvc)|[._-](?:old|bak|copy)|~|\#| \(\d+\)| copy(?: \d+)?)+\Z",
    re.IGNORECASE,
)
"""What backups, copies, downloads under way and DVC's pointers put behind the name of what they stand for."""
_POINTER = ".dvc"
_SKIPPED_DIRECTORIES = frozenset((STORE_DIR, "__pycache__", "node_modules"))


def suffix_of(name: str) -> str:
    """The extension that tells what a file is, in lower case, under those put around it (`a.csv.gz.age` → `.csv`).

    A copy counts as what it is a copy of: `m.joblib.bak`, `m.joblib~`, `#m.joblib#` and `m.joblib.part` are `.joblib`.
    """
    suffix, copied = _last_suffix(name), _last_suffix(_COPY.sub("", name))
    return copied if copied in MODEL_SUFFIXES | NO_MODEL_SUFFIXES | _TEXT_SUFFIXES else suffix


def _last_suffix(name: str) -> str:
    suffix = ""
    while "." in name and (not suffix or suffix in _AROUND):
        name, _dot, last = name.rpartition(".")
        suffix = "." + last.lower()
    return suffix


def is_sealed(head: bytes) -> bool:
    """Whether a file with these first bytes is encrypted in age format (age-encryption.org/v1), armoured or not."""
    return head.startswith(_AGE_HEADS)


def unsealed_name(name: str) -> str:
    """The name of a sealed file once it is decrypted."""
    return name[:-4] if name.lower().endswith(".age") else name


def may_be_artifact(head: bytes) -> bool:
    """Whether a file with these first bytes (up to 4 KiB) may hold a model, open or sealed."""
    return is_sealed(head) or registry.may_hold_model(head) or foreign_format(head) is not None


def is_told_model(head: bytes) -> bool:
    """Whether first bytes tell for certain that a file holds a model."""
    return registry.is_told(head)


def is_named_as_text(name: str) -> bool:
    """Whether a file of this name is a row only where its first bytes tell that it is a model."""
    return suffix_of(name) in _TEXT_SUFFIXES


def is_hidden(name: str) -> bool:
    """Whether lists pass over a file or directory of this name: hidden, or a tool's own."""
    return name[0] == "." or name in _SKIPPED_DIRECTORIES


def may_be_opened(name: str) -> bool:
    """Whether a file of this name is worth a row, and so a look inside."""
    return suffix_of(name) not in NO_MODEL_SUFFIXES


def is_answered(name: str, beside: Container[str]) -> bool:
    """Whether a file is a pointer of DVC by its name, and what it stands for lies `beside` it."""
    return name.endswith(_POINTER) and name.removesuffix(_POINTER) in beside


def is_named_as_model(name: str) -> bool:
    """Whether the name alone promises a model, of a format that is built in or of another distribution."""
    suffix = suffix_of(name)
    return suffix in MODEL_SUFFIXES or (bool(suffix) and suffix in third_party.suffixes())


DATA_SUFFIXES = frozenset(
    ".csv .tsv .tab .psv .ssv .data .dat .jsonl .ndjson .parquet .pq .feather .arrow .npy .npz .h5 .hdf5".split()  # noqa: SIM905
)
"""Extensions of the tables that the console reads."""
_PACKED = (".gz", ".bz2", ".xz", ".zip")


def is_named_as_data(name: str) -> bool:
    """Whether the name alone promises a table, packed or not."""
    stem, dot, last = name.lower().rpartition(".")
    if dot and dot + last in _PACKED:
        stem, dot, last = stem.rpartition(".")
    return bool(stem) and dot + last in DATA_SUFFIXES
