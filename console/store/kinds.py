"""What a file's name tells of it, before anything is opened."""

from __future__ import annotations

from console.config import STORE_DIR

MODEL_SUFFIXES = frozenset(".pkl .pickle .joblib .jbl .h5 .hdf5 .keras .sav .npz".split())  # noqa: SIM905
"""Extensions that make a file worth a row even when it cannot be read, so that the operator sees why."""

NO_MODEL_SUFFIXES = frozenset(
    """
    .txt .md .rst .csv .tsv .parquet .arrow .feather .orc .xlsx .xls .json .jsonl .yaml .yml .toml .ini .cfg .conf
    .env .py .pyc .pyi .ipynb .sh .c .h .cpp .hpp .rs .go .js .ts .java .so .o .a .whl .html .css .xml .svg .log
    .lock .sql .png .jpg .jpeg .gif .webp .bmp .tif .tiff .ico .pdf .wav .mp3 .flac .mp4 .mkv .avi .pem .crt .key
    .sig .asc .age .sha256 .md5 .tmp .part .swp .deb .rpm .db .sqlite .sqlite3 .db-wal .db-shm
    """.split()  # noqa: SIM905
)
"""Extensions that are never opened: files next to models that hold none."""

_COMPRESSED = frozenset((".gz", ".bz2", ".xz", ".zst", ".lz4"))
_SKIPPED_DIRECTORIES = frozenset((STORE_DIR, "__pycache__", "node_modules"))


def suffix_of(name: str) -> str:
    """The extension that tells what a file is, in lower case: that under a compression's own (`a.csv.gz` → `.csv`)."""
    stem, dot, suffix = name.rpartition(".")
    if not dot:
        return ""
    suffix = "." + suffix.lower()
    if suffix in _COMPRESSED and "." in stem:
        return "." + stem.rpartition(".")[2].lower()
    return suffix


def is_hidden(name: str) -> bool:
    """Whether a file or directory of this name is passed over: hidden, or a tool's own."""
    return name[0] == "." or name in _SKIPPED_DIRECTORIES


def may_be_opened(name: str) -> bool:
    """Whether a file of this name is worth a look inside."""
    return suffix_of(name) not in NO_MODEL_SUFFIXES


def is_named_as_model(name: str) -> bool:
    """Whether the name alone promises a model."""
    return suffix_of(name) in MODEL_SUFFIXES
