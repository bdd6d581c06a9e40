"""Names in PyTorch's own pickles: storages, and the functions that put tensors together.

Source: torch/storage.py (`_dtype_to_storage_type_map`), torch/_utils.py, torch/_weights_only_unpickler.py.
"""

from __future__ import annotations

MAGIC = 0x1950A86A20F9469CFC6C
"""The first pickle of a file of PyTorch before 1.6 is this number."""
_MAGIC_BYTES = b"\x8a\x0a" + MAGIC.to_bytes(10, "little") + b"."

STORAGES: dict[str, tuple[str, int]] = {
    "DoubleStorage": ("float64", 8),
    "FloatStorage": ("float32", 4),
    "HalfStorage": ("float16", 2),
    "BFloat16Storage": ("bfloat16", 2),
    "LongStorage": ("int64", 8),
    "IntStorage": ("int32", 4),
    "ShortStorage": ("int16", 2),
    "CharStorage": ("int8", 1),
    "ByteStorage": ("uint8", 1),
    "BoolStorage": ("bool", 1),
    "ComplexDoubleStorage": ("complex128", 16),
    "ComplexFloatStorage": ("complex64", 8),
    "QUInt8Storage": ("quint8", 1),
    "QInt8Storage": ("qint8", 1),
    "QInt32Storage": ("qint32", 4),
    "QUInt4x2Storage": ("quint4x2", 1),
    "QUInt2x4Storage": ("quint2x4", 1),
    "UntypedStorage": ("bytes", 1),
}
"""Storage class to the dtype of its elements and their size in bytes."""

DTYPES: dict[str, str] = {name: dtype for name, (dtype, _) in STORAGES.items()}

_MODULES = ("torch", "torch.cuda")

REBUILDERS = frozenset((("torch._utils", "_rebuild_tensor"), ("torch._utils", "_rebuild_tensor_v2")))
"""Functions whose arguments start with storage, offset, shape and strides."""


def is_storage(module: str, name: str) -> bool:
    """Whether this is a class of storages that a tensor's persistent id may name."""
    return name in STORAGES and (module in _MODULES or (module, name) == ("torch.storage", "UntypedStorage"))


def is_legacy(head: bytes) -> bool:
    """Whether a file that starts so is one of PyTorch before 1.6."""
    return head[:1] == b"\x80" and _MAGIC_BYTES in head[:32]
